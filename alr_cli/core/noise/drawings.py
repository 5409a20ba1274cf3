"""Text, diagrams, pixel art and dithers: pictures with few values, equal neighbours, or only black and white

Even noise of half a level makes most neighbours differ, and leaves no picture in black and white alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEW_VALUES = 24  # in all channels; a gray card with noise of half a level and shading has more
MOST_EQUAL = 0.5  # share of the neighbours that are neither black nor white
# share of the pixels between black and white if noise was added to a picture in black and white
LEAST_INSIDE = 0.2
_MOST_PIXELS = 1_000_000


def is_drawing(pixels: NDArray[np.floating], mask: NDArray[np.bool_] | None = None) -> bool:
    """Whether a picture (H, W, C) on [0,1] is not a photograph. mask: (H, W), True where a pixel is
    unknown."""
    step = max(1, pixels.shape[0] * pixels.shape[1] // _MOST_PIXELS)
    rows = pixels[::step]  # whole rows, so that neighbours stay together
    known = np.isfinite(rows).all(axis=2)
    if mask is not None:
        known &= ~mask[::step]
    values = rows[known]
    if values.size == 0:
        return False
    inside = known & ((rows > 0) & (rows < 1)).any(axis=2)
    if np.count_nonzero(inside) < LEAST_INSIDE * np.count_nonzero(known):
        return True
    if (
        len(np.unique(values[: 100_000 // values.shape[1]])) <= FEW_VALUES
        and len(np.unique(values)) <= FEW_VALUES
    ):
        return True
    pairs = inside[:, 1:] & inside[:, :-1]
    equal = (rows[:, 1:] == rows[:, :-1]).all(axis=2)[pairs]
    return equal.size > 0 and float(equal.mean()) > MOST_EQUAL
