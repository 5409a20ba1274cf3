"""b = E |jump across the borders of 8 x 8 blocks| / E |jump elsewhere|: how visible JPEG blocks are

A "clean" picture saved at a low quality has no noise and is still not clean. A critic learns its blocks as
easily as the noise of the other folder. Averaging 2 x 2 pixels removes most of them.
"""

from __future__ import annotations

import numpy as np

BLOCK = 8
VISIBLE = 1.8  # camera files have 1 to 1.7, files of quality 75 have 2 to 3
_STRONGEST = 20.0 / 255.0  # larger jumps are edges of the picture


def blockiness(picture: np.ndarray) -> float:
    """b of a picture (H, W, C), uint8 or on [0,1]. It is 1 without blocks, and for very small pictures.

    A jump is the amount by which a difference of neighbours exceeds the differences on either side of it.
    """
    scale = 255.0 if picture.dtype == np.uint8 else 1.0
    luma = picture.mean(axis=2, dtype=np.float64) / scale
    if min(luma.shape) < 3 * BLOCK:
        return 1.0
    return float(np.mean([_contrast(luma), _contrast(luma.T)]))


def shrunk(picture: np.ndarray, factor: int) -> np.ndarray:
    """Means over factor x factor pixels, of the same type. Pixels that do not fill a block are cut off."""
    if factor == 1:
        return picture
    height, width = (side // factor for side in picture.shape[:2])
    blocks = picture[: height * factor, : width * factor].reshape(height, factor, width, factor, -1)
    means = blocks.mean(axis=(1, 3), dtype=np.float32)
    return np.asarray(np.rint(means) if picture.dtype == np.uint8 else means, picture.dtype)


def _contrast(luma: np.ndarray) -> float:
    steps = np.diff(luma, axis=1)
    jumps = np.abs(steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2).clip(max=_STRONGEST)
    across = jumps.mean(axis=0)  # the jump between columns k + 1 and k + 2
    phase = (np.arange(len(across)) + 2) % BLOCK
    elsewhere = across[(phase >= 2) & (phase <= 6)].mean()
    return float(across[phase == 0].mean() / elsewhere) if elsewhere > 0 else 1.0
