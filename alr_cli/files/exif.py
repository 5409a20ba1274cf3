"""EXIF is a small TIFF that is stored as bytes. This module has the few operations on it that are needed."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import numpy as np

from alr_cli.errors import InputError
from alr_cli.files.ifd import (
    Directory,
    Entry,
    Layout,
    open_tiff,
    page_offsets,
    read_directory,
    unpack,
    write_directory,
)

PREFIX = b"Exif\0\0"
EXIF, MAKER_NOTE, PIXEL_WIDTH, PIXEL_HEIGHT = 34665, 37500, 40962, 40963
ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
RESOLUTION_TAGS = frozenset((X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT))
_PER_INCH = {2: 1.0, 3: 2.54}


def read_block(block: bytes) -> tuple[Layout, Directory] | None:
    """The main directory of an EXIF block, or None if it cannot be read at all."""
    try:
        layout, first = open_tiff(block)
        return (layout, read_directory(block, layout, first)) if not layout.big else None
    except InputError:
        return None


def hard_to_move(block: bytes) -> tuple[bool, bool]:
    """Whether the block contains a preview picture, and maker notes, which may point into it by offsets."""
    known = read_block(block)
    if known is None:
        return False, False
    exif = known[1][EXIF].directory if EXIF in known[1] else None
    try:
        preview = len(page_offsets(block, *open_tiff(block))) > 1
    except InputError:
        preview = False
    return preview, MAKER_NOTE in (exif or {})


def make_block(directory: Directory, layout: Layout) -> bytes:
    """An EXIF block in the byte order of `layout`, which must be that of the raw values."""
    plain = Layout(layout.order)
    start = len(plain.header) + plain.offset.size
    return plain.header + plain.offset.pack(start) + write_directory(directory, plain, start)


def with_size(block: bytes, width: int, height: int) -> bytes:
    """The block with the pixel size it states, if any, replaced by that of the file into which it is written.

    Nothing else in it moves, so that maker notes stay readable.
    """
    changed = bytearray(block)
    try:
        layout, first = open_tiff(block)
        for _, code, _, inline in _entries(block, layout, first):
            if code == EXIF:
                (pointed,) = layout.offset.unpack(inline)
                for at, inner, kind, _ in _entries(block, layout, pointed):
                    number = {3: "H", 4: "I"}.get(kind)
                    side = {PIXEL_WIDTH: width, PIXEL_HEIGHT: height}.get(inner)
                    if number and side is not None and (kind == 4 or side < 65536):
                        struct.pack_into(layout.order + number, changed, at + 8, side)
    except InputError:
        return block
    return bytes(changed)


def _entries(block: bytes, layout: Layout, offset: int) -> Iterator[tuple[int, int, int, bytes]]:
    """(position, code, type, value or its position) of each entry. Raises InputError if a directory is cut
    off."""
    for index in range(unpack(layout.count, block, offset)[0]):
        at = offset + layout.count.size + index * layout.entry.size
        code, kind, _, inline = unpack(layout.entry, block, at)
        yield at, code, kind, cast(bytes, inline)


def orientation_only(block: bytes | None) -> bytes | None:
    """The block reduced to its orientation, so that a stripped picture is still upright.

    None if there is no orientation, or if it is the normal one.
    """
    known = read_block(block) if block else None
    entry = known[1].get(ORIENTATION) if known else None
    if known is None or entry is None or entry.numbers(known[0]) in ((), (1,)):
        return None
    return make_block({ORIENTATION: entry}, known[0])


def resolution_of_block(block: bytes | None) -> tuple[float, float] | None:
    """The pixels per inch that the EXIF states, or None."""
    known = read_block(block) if block else None
    return resolution(known[1], known[0]) if known else None


def resolution(directory: Directory, layout: Layout) -> tuple[float, float] | None:
    """Pixels per inch; None if the tags are missing, damaged or without a unit."""
    x, y = directory.get(X_RESOLUTION), directory.get(Y_RESOLUTION)
    unit = directory.get(RESOLUTION_UNIT)
    per_inch = _PER_INCH.get((unit.numbers(layout) or (0,))[0]) if unit else _PER_INCH[2]
    if x is None or y is None or per_inch is None:
        return None
    values = x.ratios(layout)[:1] + y.ratios(layout)[:1]
    return (values[0] * per_inch, values[1] * per_inch) if len(values) == 2 and min(values) > 0 else None


def resolution_tags(dpi: tuple[float, float], layout: Layout) -> Directory:
    """The three TIFF tags for a resolution of `dpi`."""

    def rational(value: float) -> Entry:
        ratio = Fraction(min(value, 4e9)).limit_denominator(1000 if value < 4e6 else 1)
        return Entry(5, np.array([ratio.numerator, ratio.denominator], layout.order + "u4").tobytes())

    inch = Entry(3, np.array([2], layout.order + "u2").tobytes())
    return {X_RESOLUTION: rational(dpi[0]), Y_RESOLUTION: rational(dpi[1]), RESOLUTION_UNIT: inch}
