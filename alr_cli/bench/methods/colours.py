"""z = Q x at each pixel, Q orthonormal: luminance and two colour differences

The channels of a photograph are strongly correlated; the components of z hardly are. As Q is orthonormal,
white noise stays white and keeps its level. Methods for a single channel gain a decibel or more when they are
applied to z.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from alr_cli.bench.degradations import Pixels

Q = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]], np.float32)
Q /= np.linalg.norm(Q, axis=1, keepdims=True)


UNITS = (math.sqrt(3), 1.0, 1.0)  # luminance is sqrt(3) times the mean of the channels


def plane_by_plane(pixels: Pixels, restore: Callable[[Pixels, float], Pixels]) -> Pixels:
    """Q^T restore(Q x) of a picture (H, W, C).

    `restore` gets one plane (H, W) and its unit at a time. If there are not three channels, each channel is
    restored as it is.
    """
    if pixels.shape[2] != 3:
        return np.stack([restore(plane, 1.0) for plane in np.moveaxis(pixels, 2, 0)], axis=2)
    planes = map(restore, np.moveaxis(pixels @ Q.T, 2, 0), UNITS)
    return np.asarray(np.stack(list(planes), axis=2) @ Q, np.float32)
