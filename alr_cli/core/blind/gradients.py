"""y = k * x + eps  =>  d y = k * d x + d eps: derivatives of a blurred picture, and smaller versions of
it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Gradients:
    """Forward differences of a picture: (2, H - 1, W - 1) float32, along x and along y.

    `variance` is that of their noise, 2 sigma^2.
    """

    values: Floats
    variance: float

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[1], self.values.shape[2]


def gradients(plane: Floats, sigma: float) -> Gradients:
    """The derivatives of a plane (H, W) on [0,1] with white noise of standard deviation sigma."""
    along_x = np.diff(plane, axis=1)[:-1]
    along_y = np.diff(plane, axis=0)[:, :-1]
    return Gradients(np.stack([along_x, along_y]).astype(np.float32), 2 * sigma**2)


def smaller(plane: Floats, sigma: float, scale: float) -> tuple[Floats, float]:
    """The plane with its sides reduced by `scale` (<= 1), and the standard deviation of its noise.

    Before resampling it is smoothed by a Gaussian of half the width of a new pixel, which multiplies the
    noise by the root of the sum of the squared weights.
    """
    if scale >= 1:
        return plane, sigma
    width = 0.5 * math.sqrt(1 / scale**2 - 1)
    smooth = gaussian_filter(plane, width, mode="reflect")
    reach = np.arange(-math.ceil(4 * width), math.ceil(4 * width) + 1)
    weights = np.exp(-(reach**2) / (2 * width**2))
    weights /= weights.sum()
    shape = tuple(max(1, round(side * scale)) for side in plane.shape)
    factors = [new / old for new, old in zip(shape, plane.shape, strict=True)]
    reduced = zoom(smooth, factors, order=1, mode="reflect", grid_mode=True)
    return np.asarray(reduced, np.float32), sigma * float((weights**2).sum())
