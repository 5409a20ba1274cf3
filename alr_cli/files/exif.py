"""EXIF is a small TIFF that travels as bytes; here is the little that must be known about it."""

from fractions import Fraction

import numpy as np

from alr_cli.errors import InputError
from alr_cli.files.ifd import (
    Directory,
    Entry,
    Layout,
    open_tiff,
    page_offsets,
    read_directory,
    write_directory,
)

PREFIX = b"Exif\0\0"
EXIF, MAKER_NOTE = 34665, 37500
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
    """Whether the block holds a preview picture, and maker notes, which may point into it by offsets."""
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
    """An EXIF block in the byte order of `layout`, which is that of the raw values."""
    plain = Layout(layout.order)
    start = len(plain.header) + plain.offset.size
    return plain.header + plain.offset.pack(start) + write_directory(directory, plain, start)


def orientation_only(block: bytes | None) -> bytes | None:
    """The block reduced to its orientation, so that a stripped picture still stands upright; None if there is
    none or it is the normal one."""
    known = read_block(block) if block else None
    entry = known[1].get(ORIENTATION) if known else None
    if known is None or entry is None or entry.numbers(known[0]) in ((), (1,)):
        return None
    return make_block({ORIENTATION: entry}, known[0])


def resolution_of_block(block: bytes | None) -> tuple[float, float] | None:
    """Pixels per inch that the EXIF states, or None."""
    known = read_block(block) if block else None
    return resolution(known[1], known[0]) if known else None


def resolution(directory: Directory, layout: Layout) -> tuple[float, float] | None:
    """Pixels per inch, or None where the tags are missing, damaged or without a unit."""
    x, y = directory.get(X_RESOLUTION), directory.get(Y_RESOLUTION)
    unit = directory.get(RESOLUTION_UNIT)
    per_inch = _PER_INCH.get((unit.numbers(layout) or (0,))[0]) if unit else _PER_INCH[2]
    if x is None or y is None or per_inch is None:
        return None
    values = x.ratios(layout)[:1] + y.ratios(layout)[:1]
    return (values[0] * per_inch, values[1] * per_inch) if len(values) == 2 and min(values) > 0 else None


def resolution_tags(dpi: tuple[float, float], layout: Layout) -> Directory:
    """The three TIFF tags that state `dpi`."""

    def rational(value: float) -> Entry:
        ratio = Fraction(min(value, 4e9)).limit_denominator(1000 if value < 4e6 else 1)
        return Entry(5, np.array([ratio.numerator, ratio.denominator], layout.order + "u4").tobytes())

    inch = Entry(3, np.array([2], layout.order + "u2").tobytes())
    return {X_RESOLUTION: rational(dpi[0]), Y_RESOLUTION: rational(dpi[1]), RESOLUTION_UNIT: inch}
