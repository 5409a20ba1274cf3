"""The pictures a benchmark takes when it is given none: freely licensed ones inside scikit-image's wheel"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NAMES = ("astronaut", "chelsea", "coffee", "rocket")  # NASA's, in the public domain; the others CC0
SIDE = 256


def read(name: str) -> NDArray[np.float32]:
    """The middle of one of them, 256 x 256, (H, W, 3) on [0,1]."""
    from skimage import data

    return middle(getattr(data, name)(), SIDE).astype(np.float32) / np.float32(255)


def middle(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    """The centre of a picture (H, W, C), at most side x side."""
    height, width = pixels.shape[:2]
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return pixels[top : top + side, left : left + side]
