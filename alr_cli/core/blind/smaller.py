"""y(x / s) after a Gaussian of half the width of a new pixel: smaller versions of a picture"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom


def smaller(plane: NDArray[np.floating], scale: float) -> NDArray[np.float32]:
    """The plane (H, W) with its sides reduced by `scale` (<= 1), smoothed before it is resampled."""
    if scale >= 1:
        return plane.astype(np.float32)
    smooth = gaussian_filter(plane, 0.5 * math.sqrt(1 / scale**2 - 1), mode="reflect")
    shape = tuple(max(1, round(side * scale)) for side in plane.shape)
    factors = [new / old for new, old in zip(shape, plane.shape, strict=True)]
    return np.asarray(zoom(smooth, factors, order=1, mode="reflect", grid_mode=True), np.float32)
