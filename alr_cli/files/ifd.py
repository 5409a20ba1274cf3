"""TIFF directories as raw bytes: read leniently and written exactly, so that tags are copied without
interpretation."""

import struct
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from alr_cli.errors import InputError

SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
"""Bytes of one value of each TIFF data type."""
BIG_TYPES = (16, 17, 18)
"""Data types of 8-byte numbers, which exist only in BigTIFF."""
POINTERS = {34665, 34853, 40965}
"""Tags that point to another directory: Exif, GPS, interoperability."""
MAX_ENTRIES = 4096
MAX_PAGES = 65536

_OUTSIDE = "a TIFF directory lies outside the file, which is damaged or cut short; get a complete copy"
_UNSIGNED = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8"}
_NUMBERS = {**_UNSIGNED, 6: "i1", 8: "i2", 9: "i4", 11: "f4", 12: "f8", 17: "i8"}


class Data(Protocol):
    """The bytes of a file, in memory or read from the disk on demand."""

    def __len__(self) -> int:
        """Number of bytes."""

    def __getitem__(self, part: "slice[int, int, None]", /) -> bytes:
        """The bytes from `part.start` up to `part.stop`; fewer at the end of the file."""


@dataclass(frozen=True)
class Layout:
    """Byte order and offset width of a TIFF."""

    order: Literal["<", ">"]
    big: bool = False

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))

    @property
    def offset(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def header(self) -> bytes:
        """Everything before the offset of the first directory."""
        sign = b"II" if self.order == "<" else b"MM"
        if self.big:
            return sign + struct.pack(self.order + "HHH", 43, 8, 0)
        return sign + struct.pack(self.order + "H", 42)


@dataclass(frozen=True)
class Entry:
    """One tag: its data type and raw value in the byte order of its file, or the directory that it points
    to."""

    type: int
    value: bytes
    directory: "dict[int, Entry] | None" = None

    @property
    def length(self) -> int:
        return 1 if self.directory is not None else len(self.value) // SIZES[self.type]

    def numbers(self, layout: Layout) -> tuple[int, ...]:
        """The value as unsigned integers, or () for another type."""
        kind = _UNSIGNED.get(self.type)
        return tuple(np.frombuffer(self.value, layout.order + kind).tolist()) if kind else ()

    def reals(self, layout: Layout) -> tuple[float, ...]:
        """The value as floats, or () if it is not numeric."""
        kind = _NUMBERS.get(self.type)
        return tuple(np.frombuffer(self.value, layout.order + kind).astype(float).tolist()) if kind else ()

    def ratios(self, layout: Layout) -> tuple[float, ...]:
        """The value of a RATIONAL, or () for another type or a zero denominator."""
        if self.type != 5:
            return ()
        pairs = np.frombuffer(self.value, layout.order + "u4").reshape(-1, 2).tolist()
        return tuple(top / bottom for top, bottom in pairs) if all(bottom for _, bottom in pairs) else ()


Directory = dict[int, Entry]


def open_tiff(data: Data) -> tuple[Layout, int]:
    """The layout of a TIFF and the offset of its first directory. Raises InputError for a damaged header."""
    for order in ("<", ">"):
        for big in (False, True):
            layout = Layout("<" if order == "<" else ">", big)
            if data[0 : len(layout.header)] == layout.header:
                return layout, unpack(layout.offset, data, len(layout.header))[0]
    raise InputError("its TIFF header is damaged; get an undamaged copy")


def unpack(form: struct.Struct, data: Data, offset: int) -> tuple[int, ...]:
    """The numbers at `offset`. Raises InputError if the file ends before them."""
    if not 0 <= offset <= len(data) - form.size:
        raise InputError(_OUTSIDE)
    return form.unpack(data[offset : offset + form.size])


def page_offsets(data: Data, layout: Layout, first: int) -> list[int]:
    """The offsets of the directories of all pages. Raises InputError for a broken or endless chain."""
    offsets: list[int] = []
    seen: set[int] = set()
    offset = first
    while offset:
        if offset in seen or len(offsets) >= MAX_PAGES:
            raise InputError("its list of pages never ends; get an undamaged copy")
        seen.add(offset)
        offsets.append(offset)
        count = unpack(layout.count, data, offset)[0]
        offset = unpack(layout.offset, data, offset + layout.count.size + count * layout.entry.size)[0]
    if not offsets:
        raise InputError("it holds no page; get an undamaged copy")
    return offsets


def read_directory(
    data: Data, layout: Layout, offset: int, lost: list[int] | None = None, nested: int = 0
) -> Directory:
    """The tags at `offset`.

    Tags of unknown type, or with a value outside the file, are left out and their numbers appended to `lost`.
    Raises InputError if the directory itself lies outside the file.
    """
    count = unpack(layout.count, data, offset)[0]
    start = offset + layout.count.size
    table = data[start : start + count * layout.entry.size]
    if count > MAX_ENTRIES or len(table) < count * layout.entry.size:
        raise InputError(_OUTSIDE)
    directory: Directory = {}
    lost = [] if lost is None else lost
    copied, seen = 0, set()
    for code, kind, length, inline in layout.entry.iter_unpack(table):
        size = SIZES.get(kind, 0) * length
        at = layout.offset.unpack(inline)[0]
        if code in seen or size == 0 or (size > len(inline) and at + size > len(data)):
            lost.append(code)
            continue
        seen.add(code)
        copied += size
        if copied > 2 * len(data):  # overlapping values must not be larger than the file together
            raise InputError("its TIFF tags overlap; get an undamaged copy")
        entry = Entry(kind, inline[:size] if size <= len(inline) else data[at : at + size])
        if code in POINTERS:
            try:
                (pointed,) = entry.numbers(layout) if nested < 2 else ()
                entry = Entry(4, b"", read_directory(data, layout, pointed, lost, nested + 1))
            except (InputError, ValueError):  # a damaged Exif directory loses the Exif data, not the picture
                lost.append(code)
                continue
        directory[code] = entry
    return directory


def write_directory(directory: Directory, layout: Layout, base: int) -> bytes:
    """The directory as bytes for the even offset `base`, followed by its values and sub-directories."""
    codes = sorted(directory)
    tail = base + layout.count.size + len(codes) * layout.entry.size + layout.offset.size
    table, values = layout.count.pack(len(codes)), b""
    inline = layout.offset.size
    for code in codes:
        entry = directory[code]
        value = entry.value
        position = tail + len(values) + len(values) % 2
        if entry.directory is not None:
            value, where = write_directory(entry.directory, layout, position), position
        elif len(value) <= inline:
            table += layout.entry.pack(code, entry.type, entry.length, value)
            continue
        else:
            where = position
        kind = 16 if entry.directory is not None and layout.big else entry.type
        table += layout.entry.pack(code, kind, entry.length, layout.offset.pack(where))
        values += b"\0" * (len(values) % 2) + value
    return table + layout.offset.pack(0) + values
