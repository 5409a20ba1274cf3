"""z = Q x at each pixel, Q orthonormal: luminance and two differences of colours

The channels of a photograph rise and fall together, and these hardly do; as Q is orthonormal, white noise
stays white and of the same level. Methods for one channel gain a decibel or more from being run on z.
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
    """Q^T restore(Q x) of a picture (H, W, C), one plane (H, W) and its unit at a time; of another than three
    channels, restore of each."""
    if pixels.shape[2] != 3:
        return np.stack([restore(plane, 1.0) for plane in np.moveaxis(pixels, 2, 0)], axis=2)
    planes = map(restore, np.moveaxis(pixels @ Q.T, 2, 0), UNITS)
    return np.asarray(np.stack(list(planes), axis=2) @ Q, np.float32)
