"""sigma = median |d * y| / (0.6745 ||d||), d = (1, -4, 6, -4, 1): white noise in a sinogram

Along the detectors a projection is smooth but for few edges, and fourth differences leave of it little more
than the noise. The median does not see the edges (Donoho and Johnstone 1994). It is 2 to 20 % too large where
the noise is weak (docs/guides/tomography.md).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_MEDIAN = 0.6745  # of |e|, e ~ N(0, 1)
_ORDER = 4


def estimate_noise(sinogram: NDArray[Any]) -> float:
    """sinogram: (..., angles, detectors) -> its noise's standard deviation, in its units. Where there are
    fewer than 2 detectors nothing can be told: 0."""
    order = min(_ORDER, sinogram.shape[-1] - 1)
    if order < 1:
        return 0.0
    differences = np.diff(sinogram.astype(np.float64), n=order, axis=-1)
    length = np.linalg.norm(np.poly1d([1.0, -1.0]).c if order == 1 else np.poly([1.0] * order))
    return float(np.median(np.abs(differences)) / (_MEDIAN * length))


def estimate_centre(sinogram: NDArray[Any], angles: NDArray[np.float64]) -> tuple[float, float] | None:
    """Where the rotation axis meets the detectors of a parallel scan, counted from 0, and how sure that is
    (standard deviation).

    The centre of mass of the views moves along c + a cos + b sin with the angle (radians). None where that
    cannot be told: fewer than 8 views, or objects that reach the detector's ends.
    """
    sinogram = sinogram.astype(np.float64)
    mass = sinogram.sum(-1)
    if len(angles) < 8 or mass.min() <= 0.5 * np.median(mass) or mass.max() >= 2 * np.median(mass):
        return None
    places = (sinogram * np.arange(sinogram.shape[-1])).sum(-1) / mass
    basis = np.stack([np.ones_like(angles), np.cos(angles), np.sin(angles)], axis=1)
    if np.linalg.cond(basis) > 20:  # the views lie within a small angle
        return None
    found, *_ = np.linalg.lstsq(basis, places, rcond=None)
    rest = places - basis @ found
    covariance = np.linalg.inv(basis.T @ basis) * rest.var() * len(angles) / (len(angles) - 3)
    return float(found[0]), float(np.sqrt(covariance[0, 0]))
