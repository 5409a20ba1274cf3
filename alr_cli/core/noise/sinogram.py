"""sigma = median |d * y| / (0.6745 ||d||), d = (1, -4, 6, -4, 1): white noise in a sinogram

Along the detectors a projection is smooth except for a few edges, so that fourth differences contain little
more than the noise. The median ignores the edges (Donoho and Johnstone 1994). The estimate is 2 to 20 % too
large if the noise is weak (docs/guides/tomography.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MEDIAN = 0.6745  # median of |e| for e ~ N(0, 1)
_ORDER = 4


def estimate_noise(sinogram: NDArray[Any]) -> float:
    """The standard deviation of the noise of a sinogram (..., angles, detectors), in its units.

    It is 0 for fewer than 2 detectors, because nothing can be estimated then.
    """
    order = min(_ORDER, sinogram.shape[-1] - 1)
    if order < 1:
        return 0.0
    differences = np.diff(sinogram.astype(np.float64), n=order, axis=-1)
    length = np.linalg.norm(np.poly1d([1.0, -1.0]).c if order == 1 else np.poly([1.0] * order))
    return float(np.median(np.abs(differences)) / (_MEDIAN * length))


def estimate_centre(sinogram: NDArray[Any], angles: NDArray[np.float64]) -> tuple[float, float] | None:
    """Where the rotation axis projects onto the detectors of a parallel scan, counted from 0, and its
    standard deviation.

    The centre of mass of the views moves along c + a cos + b sin with the angle (radians). The result is None
    if it cannot be estimated: with fewer than 8 views, or if the object reaches the end of the detectors.
    """
    sinogram = sinogram.astype(np.float64)
    mass = sinogram.sum(-1)
    if len(angles) < 8 or mass.min() <= 0.5 * np.median(mass) or mass.max() >= 2 * np.median(mass):
        return None
    places = (sinogram * np.arange(sinogram.shape[-1])).sum(-1) / mass
    basis = np.stack([np.ones_like(angles), np.cos(angles), np.sin(angles)], axis=1)
    if np.linalg.cond(basis) > 20:  # the views are within a small angle
        return None
    found, *_ = np.linalg.lstsq(basis, places, rcond=None)
    rest = places - basis @ found
    covariance = np.linalg.inv(basis.T @ basis) * rest.var() * len(angles) / (len(angles) - 3)
    return float(found[0]), float(np.sqrt(covariance[0, 0]))
