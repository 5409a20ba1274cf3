"""Crops of a picture as one PNG: one row for each place, one column for each strength."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SCALE = 2  # enlargement of the crops, so that single pixels are visible
_GAP, _HEAD, _SIDE = 6, 26, 74
_PAPER, _INK = (255, 255, 255), (30, 30, 30)


def draw_strips(
    columns: Sequence[str], rows: Sequence[str], crops: "Sequence[Sequence[NDArray[np.float32]]]"
) -> bytes:
    """Draw crops with labels. crops: by row and column, each (H, W, C) on [0,1], all of one size. Returns a
    PNG."""
    from PIL import Image, ImageDraw, ImageFont

    height, width = (SCALE * length for length in crops[0][0].shape[:2])
    size = (
        _SIDE + len(columns) * (width + _GAP) + _GAP,
        _HEAD + len(rows) * (height + _GAP) + _GAP,
    )
    sheet = Image.new("RGB", size, _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, label in enumerate(columns):
        middle = _SIDE + column * (width + _GAP) + width // 2
        pen.text((middle, _HEAD // 2), label, _INK, font, anchor="mm")
    for row, label in enumerate(rows):
        top = _HEAD + row * (height + _GAP)
        pen.text((_GAP, top + height // 2), label, _INK, font, anchor="lm")
        for column, crop in enumerate(crops[row]):
            sheet.paste(_shown(crop).resize((width, height), 0), (_SIDE + column * (width + _GAP), top))
    data = io.BytesIO()
    sheet.save(data, "PNG")
    return data.getvalue()


def _shown(pixels: "NDArray[np.float32]") -> "Image":
    """The picture in 8-bit RGB; gray becomes three equal channels."""
    import numpy as np
    from PIL import Image

    levels = np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(levels, (*levels.shape[:2], 3)).copy(), "RGB")


def as_png(pixels: "NDArray[np.float32]") -> bytes:
    """A picture (H, W, C) on [0,1] as an 8-bit PNG."""
    data = io.BytesIO()
    _shown(pixels).save(data, "PNG")
    return data.getvalue()
