"""The default pictures of a benchmark: freely licensed photographs that scikit-image's wheel contains"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# NASA's pictures are in the public domain, the others are CC0
NAMES = ("astronaut", "chelsea", "coffee", "rocket")
SIDE = 256


def read(name: str) -> NDArray[np.float32]:
    """The central 256 x 256 pixels of a picture of NAMES, (H, W, 3) on [0,1]."""
    from skimage import data

    return middle(getattr(data, name)(), SIDE).astype(np.float32) / np.float32(255)


def middle(pixels: NDArray[Any], side: int) -> NDArray[Any]:
    """The central part of a picture (H, W, C), at most side x side pixels."""
    height, width = pixels.shape[:2]
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return pixels[top : top + side, left : left + side]
