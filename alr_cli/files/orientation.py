"""The orientation of pictures: cameras store pixels as the sensor was held, and say in the EXIF how to turn
them.

A kernel, a mask, a reference or a crop refers to the picture as viewers show it. Pixels are therefore turned
upright on reading and turned back on writing. The file keeps its stored orientation.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.files.exif import ORIENTATION, read_block
from alr_cli.files.picture import Picture

_BACK = {6: 8, 8: 6}
"""Orientations that are not their own inverse."""
SIDEWAYS = (5, 6, 7, 8)
"""The orientations that exchange width and height."""


def orientation_of(exif: bytes | None) -> int:
    """1 (upright) to 8, as the EXIF says; 1 if it says nothing sensible."""
    known = read_block(exif) if exif else None
    entry = known[1].get(ORIENTATION) if known else None
    numbers = entry.numbers(known[0]) if known and entry else ()
    return numbers[0] if len(numbers) == 1 and 1 <= numbers[0] <= 8 else 1


def hint(picture: Picture) -> str:
    """An addition to a sentence about the size of a picture that is stored turned; empty for others."""
    orientation = orientation_of(picture.exif)
    if orientation == 1:
        return ""
    return f" as it is seen (it is stored turned, with EXIF orientation {orientation})"


def upright(picture: Picture) -> Picture:
    """The picture as viewers show it, from the picture as stored. Its EXIF still says how it is stored."""
    return _turned(picture, orientation_of(picture.exif))


def as_stored(picture: Picture) -> Picture:
    """The inverse of `upright`: the picture as it is stored in the file."""
    orientation = orientation_of(picture.exif)
    return _turned(picture, _BACK.get(orientation, orientation))


def _turned(picture: Picture, orientation: int) -> Picture:
    if orientation == 1:
        return picture
    alpha = None if picture.alpha is None else turned(picture.alpha, orientation)
    dpi = picture.dpi[::-1] if picture.dpi and orientation in SIDEWAYS else picture.dpi
    return replace(picture, pixels=turned(picture.pixels, orientation), alpha=alpha, dpi=dpi)


def turned(stored: NDArray[Any], orientation: int) -> NDArray[Any]:
    """(H, W, ...) as stored -> as shown, (W, H, ...) for the orientations from 5 on."""
    if orientation in (5, 7):
        stored = np.swapaxes(stored, 0, 1)
    if orientation in (2, 3, 7):
        stored = stored[:, ::-1]
    if orientation in (3, 4, 7):
        stored = stored[::-1]
    if orientation in (6, 8):
        stored = np.rot90(stored, -1 if orientation == 6 else 1)
    return np.ascontiguousarray(stored)
