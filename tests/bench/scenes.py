"""Synthetic pictures and settings for the tests of benchmarks."""

import numpy as np

from alr_cli.bench.protocol import Setting

DENOISE = Setting("denoise", 0.1)
DEBLUR = Setting("deblur", 0.01, kernel="gaussian:5:1.5", boundary="valid")
INPAINT = Setting("inpaint", 0.0, missing=0.5)


def cartoon(height: int = 48, width: int = 56, channels: int = 3) -> np.ndarray:
    """(H, W, C) float32: a disk and a bar, flat colours, sharp edges."""
    y, x = np.mgrid[:height, :width]
    picture = np.full((height, width, channels), 0.2)
    picture[(y - height / 2) ** 2 + (x - width / 3) ** 2 < (height / 4) ** 2] = [0.8, 0.5, 0.3][:channels]
    picture[:, 3 * width // 4 :] = [0.4, 0.7, 0.9][:channels]
    return picture.astype(np.float32)
