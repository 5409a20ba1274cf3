"""Stacks: TIFFs of many planes of the same kind, read plane by plane, so that only one is in memory.

Directories and pixels are checked and read like those of a single page. tifffile, which knows the dialects of
microscopes, says what the planes mean (z, time, channel).
"""

import json
import logging
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from alr_cli.errors import InputError
from alr_cli.files.exif import RESOLUTION_TAGS
from alr_cli.files.ifd import Data, Directory, Entry, Layout, open_tiff, page_offsets, read_directory
from alr_cli.files.limits import MAX_PIXELS
from alr_cli.files.picture import Picture
from alr_cli.files.pictures import as_seen
from alr_cli.files.quiet import quiet
from alr_cli.files.ranges import Choice, common
from alr_cli.files.sniff import HEAD, sniff
from alr_cli.files.tiff import kind_of_page, picture_of
from alr_cli.files.tiff_form import DESCRIPTION, ROWS, STRIP_BYTES, STRIPS, VOLUME, Form

Dialect = Literal["ImageJ", "OME", "tifffile", "plain"]

IMAGEJ_TAGS = (50838, 50839)
"""Labels, display ranges, colour tables and overlays of ImageJ, in one list for the whole stack."""
SAMPLED = 5
"""Number of planes from which a common range is found."""
_OTHER_FILES = re.compile(rb"<UUID[^>]*FileName[^>]*>\s*([^<\s]+)\s*</UUID>")

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # otherwise its messages would go to stderr
logging.getLogger("tifffile").propagate = False


class OnDisk:
    """The bytes of an open file, read on demand."""

    def __init__(self, file: BinaryIO) -> None:
        self._handle = file.fileno()
        self._size = os.fstat(self._handle).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: "slice[int, int, None]", /) -> bytes:
        return os.pread(self._handle, max(part.stop - part.start, 0), part.start)


@dataclass(frozen=True, eq=False)
class Stack:
    """A checked stack, open for reading.

    Attributes:
        path: For its name only.
        axes: One letter for each of `lengths`, the last one varying fastest: T, Z, C, or I if it is not
            stated.
        lengths: Length of each axis.
        dialect: Which program's conventions the file follows.
        layout: Byte order and offset width.
        virtual: Whether only the first plane has a directory and the others follow it.
        compressed: Whether the pixels are compressed.
        chosen: The planes that are read, counted from 0.
        max_pixels: Limit of the number of pixels in a plane.
        numbers: Which numbers become 0 and 1 in all planes, see ranges.py.
    """

    path: Path
    axes: str
    lengths: tuple[int, ...]
    dialect: Dialect
    layout: Layout
    virtual: bool
    compressed: bool
    chosen: range
    max_pixels: int
    _data: Data
    _offsets: tuple[int, ...]
    numbers: Choice = "usual"

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def planes(self) -> int:
        """Number of planes in the file."""
        return math.prod(self.lengths)

    @property
    def whole(self) -> bool:
        """Whether all planes are chosen."""
        return len(self.chosen) == self.planes

    @property
    def axis(self) -> str | None:
        """The axis along which there are several planes; None if there are several such axes."""
        long = [axis for axis, length in zip(self.axes, self.lengths, strict=True) if length > 1]
        return long[0] if len(long) == 1 else None

    @property
    def described(self) -> str:
        """For example `T 3, Z 4, C 2`."""
        return ", ".join(f"{axis} {length}" for axis, length in zip(self.axes, self.lengths, strict=True))

    def only(self, first: int, last: int) -> "Stack":
        """The stack of the planes `first` to `last`, counted from 1. Raises InputError if they do
        not exist."""
        if not 1 <= first <= last <= self.planes:
            raise InputError(
                f"pages {first} to {last} were asked for, but it holds {self.planes}, counted from 1"
            )
        return replace(self, chosen=range(first - 1, last))

    def in_range(self, choice: Choice) -> "Stack":
        """The stack with one range for all planes. `found` examines some of them."""
        if choice != "found":
            return replace(self, numbers=choice)
        some = self.chosen[:: max(len(self) // SAMPLED, 1)][:SAMPLED]
        return replace(self, numbers=common(self._read(number, allow_nan=True) for number in some))

    def channel(self, index: int) -> int:
        """The position along C of the index-th chosen plane; 0 without such an axis."""
        places = np.unravel_index(self.chosen[index], self.lengths)
        return int(places[self.axes.index("C")]) if "C" in self.axes else 0

    def plane(self, index: int, *, allow_nan: bool = False) -> Picture:
        """The index-th chosen plane, with the tags of its own page. Raises InputError if it is damaged."""
        return self._read(self.chosen[index], allow_nan)

    def resolution(self, index: int) -> Directory:
        """The tags that state the resolution of the index-th chosen plane."""
        tags = self._tags(self.chosen[index])
        return {code: tag for code, tag in tags.items() if code in RESOLUTION_TAGS}

    def head(self) -> Picture:
        """The first plane of the file, whose tags describe the whole stack."""
        return self._read(0, allow_nan=True)

    def _read(self, number: int, allow_nan: bool) -> Picture:
        try:
            with quiet():
                tags = self._tags(number)
                form = _form(tags, self.layout)
                form.check(len(self._data), self.max_pixels)
                return as_seen(picture_of(self._data, self.layout, tags, form), allow_nan, self.numbers)
        except InputError as error:
            reason = str(error)
        except MemoryError:
            reason = "it needs more memory than there is; crop it first"
        except Exception as error:  # noqa: BLE001 - decoders raise almost anything for a damaged file
            reason = f"it is damaged ({type(error).__name__}); get an undamaged copy"
        raise InputError(f"cannot read {self.path}, plane {number + 1}: {reason}")

    def _tags(self, number: int) -> Directory:
        if not self.virtual:
            return read_directory(self._data, self.layout, self._offsets[number])
        tags = read_directory(self._data, self.layout, self._offsets[0])
        if number:
            tags = {code: tag for code, tag in tags.items() if code not in (DESCRIPTION, *IMAGEJ_TAGS)}
        return tags | _place_behind(tags, self.layout, number)


@contextmanager
def opened_stack(path: Path, max_pixels: int = MAX_PIXELS) -> Iterator[Stack | None]:
    """The stack in a TIFF; None if the file is something else: a single picture, no TIFF, or missing.

    Every directory is read, and every plane must lie inside the file; no pixels are decoded. Raises
    InputError for a stack that is cut off or whose pages differ.
    """
    try:
        file = path.open("rb") if path.is_file() else None
    except OSError:
        file = None  # reading it as a single picture will say why
    if file is None:
        yield None
        return
    with file:
        yield _opened(path, OnDisk(file), max_pixels)


def _opened(path: Path, data: Data, max_pixels: int) -> Stack | None:
    try:
        if sniff(data[0:HEAD]) != "tiff":
            return None
    except InputError:
        return None
    try:
        with quiet():
            return _stack(path, data, max_pixels)
    except InputError as error:
        raise InputError(f"cannot read {path}: {error}") from error
    except Exception as error:
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise InputError(f"cannot read {path}: it is damaged ({detail}); get an undamaged copy") from error


def _stack(path: Path, data: Data, max_pixels: int) -> Stack | None:
    layout, first = open_tiff(data)
    offsets = page_offsets(data, layout, first)
    lost: list[int] = []
    tags = read_directory(data, layout, offsets[0], lost)
    if DESCRIPTION in lost and len(offsets) > 1:
        raise InputError("what it says of its planes lies outside the file; get a complete copy")
    description = tags[DESCRIPTION].value if DESCRIPTION in tags else b""
    dialect = _dialect(description)
    form = _form(tags, layout)
    if VOLUME in tags or kind_of_page(tags, layout) & 1 or form.raw:
        return None  # the reader of single pictures says why not
    pages = _pages(data, layout, offsets, form, max_pixels)
    planes = _promised(description, dialect, form)
    virtual = len(pages) == 1 and planes > 1
    if len(pages) == 1 and planes <= 1:
        return None
    if virtual:
        _check_behind(data, form, tags, layout, planes)
    elif dialect == "ImageJ" and planes not in (1, len(pages)):
        raise InputError(f"it says that it holds {planes} planes and lists {len(pages)}; get a complete copy")
    if dialect == "OME" and len(set(_OTHER_FILES.findall(description))) > 1:
        raise InputError("the planes of this OME-TIFF lie in several files; join them in one first")
    count = planes if virtual else len(pages)
    axes, lengths = _axes(path, count, dialect)
    return Stack(
        path,
        axes,
        lengths,
        dialect,
        layout,
        virtual,
        form.compression != 1,
        range(count),
        max_pixels,
        data,
        tuple(pages),
    )


def _dialect(description: bytes) -> Dialect:
    if description.startswith(b"ImageJ="):
        return "ImageJ"
    if description.startswith(b'{"shape":'):
        return "tifffile"
    return "OME" if description.rstrip(b"\0 \r\n\t")[-4:] == b"OME>" else "plain"


def _form(tags: Directory, layout: Layout) -> Form:
    """The form of one plane, without the description, which says how many planes there are."""
    return Form({code: tag for code, tag in tags.items() if code != DESCRIPTION}, layout)


def _pages(data: Data, layout: Layout, offsets: list[int], form: Form, max_pixels: int) -> list[int]:
    """Offsets of the pages without reduced copies. All must be like the first one (InputError)."""
    pages: list[int] = []
    for offset in offsets:
        tags = read_directory(data, layout, offset)
        if kind_of_page(tags, layout) & 1:
            continue
        pages.append(offset)
        page = _form(tags, layout)
        if page.kind_of_pixels != form.kind_of_pixels:
            raise InputError(
                f"its pages differ: page 1 is {form}, page {len(pages)} is {page}; "
                "choose one with --page, or split it first"
            )
        if len(offsets) > 1:
            try:
                page.check(len(data), max_pixels)
            except InputError as error:
                raise InputError(f"page {len(pages)}: {error}") from error
    return pages


def _promised(description: bytes, dialect: Dialect, form: Form) -> int:
    """The number of planes according to the description; 0 if it does not say."""
    if dialect == "ImageJ":
        match = re.search(rb"\nimages=(\d{1,9})", description)
        return int(match[1]) if match else 1
    if dialect == "tifffile":
        try:
            shape = json.loads(description.rstrip(b"\0"))["shape"]
            return math.prod(int(length) for length in shape) // (form.height * form.width * form.samples)
        except (ValueError, KeyError, TypeError, ZeroDivisionError):
            return 0
    return 0


def _check_behind(data: Data, form: Form, tags: Directory, layout: Layout, planes: int) -> None:
    """Refuse planes that should follow the first one but do not (InputError)."""
    form.check(len(data), MAX_PIXELS)
    if form.compression != 1 or form.tiled or (form.planar and form.samples > 1):
        raise InputError("it says that planes follow the first one, which is compressed; split it first")
    size = _plane_bytes(form)
    there = (len(data) - form.offsets[0]) // size
    if there < planes:
        raise InputError(f"it says that it holds {planes} planes and ends after {there}; get a complete copy")


def _plane_bytes(form: Form) -> int:
    return form.height * math.ceil(form.width * form.samples * form.bits / 8)


def _place_behind(tags: Directory, layout: Layout, number: int) -> Directory:
    """The tags that locate the number-th plane behind a single directory."""
    form = _form(tags, layout)
    size = _plane_bytes(form)

    def entry(kind: int, value: int) -> Entry:
        return Entry(kind, np.array([value], f"{layout.order}u{8 if kind == 16 else 4}").tobytes())

    place = form.offsets[0] + number * size
    return {STRIPS: entry(16, place), STRIP_BYTES: entry(4, size), ROWS: entry(4, form.height)}


def _axes(path: Path, count: int, dialect: Dialect) -> tuple[str, tuple[int, ...]]:
    """The meaning of the planes according to tifffile; I if it does not say or does not account for all."""
    from tifffile import TiffFile

    with TiffFile(path) as file:
        series = file.series
        if len(series) == 1 or dialect == "plain":
            axes, shape = series[0].axes, series[0].shape
            inner = len(series[0].keyframe.axes)
            axes, shape = axes[:-inner], shape[:-inner]
            if math.prod(shape) == count and axes:
                return "".join(axis if axis in "TZC" else "I" for axis in axes), tuple(map(int, shape))
            if dialect == "OME" and math.prod(shape) > count:
                raise InputError(
                    f"it says that it holds {math.prod(shape)} planes and lists {count}; get a complete copy"
                )
    return "I", (count,)
