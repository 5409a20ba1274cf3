"""m in A x = m x: a mask of lines of writing over a picture"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WORDS = (
    "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs. "
    "How vexingly quick daft zebras jump! Sphinx of black quartz, judge my vow. "
)
SIZE = 14  # font size in pixels; strokes are about two pixels wide
LEADING = 1.5  # distance between lines, in font sizes


def text_mask(shape: tuple[int, int], seed: int) -> NDArray[np.bool_]:
    """(H, W), True where a letter covers the pixel.

    The seed determines at which character of the text each line begins, and nothing else.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = shape
    page = Image.new("L", (width, height), 0)
    pen = ImageDraw.Draw(page)
    font = ImageFont.load_default(SIZE)
    generator = np.random.default_rng(seed)
    pitch = round(SIZE * LEADING)
    for top in range(0, height, pitch):
        begin = int(generator.integers(len(WORDS)))
        line = WORDS[begin:] + WORDS * (2 + width // (SIZE * 20))
        pen.text((0, top), line, fill=255, font=font)
    return np.asarray(np.asarray(page) > 127)
