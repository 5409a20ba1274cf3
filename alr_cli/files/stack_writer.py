"""Write stacks plane by plane. Each plane is encoded as a page and linked into the chain of pages.

An ImageJ stack is one run of uncompressed pixels behind its first directory, which is all that ImageJ reads.
The directories of its other planes follow the run, for other programs.
"""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from alr_cli.files.encodable import stripped
from alr_cli.files.exif import make_block, read_block
from alr_cli.files.ifd import Directory, Entry, Layout, open_tiff, read_directory, write_directory
from alr_cli.files.orientation import as_stored
from alr_cli.files.picture import Depth, Picture, to_samples
from alr_cli.files.quiet import quiet
from alr_cli.files.stack import Stack
from alr_cli.files.stack_tags import first_block
from alr_cli.files.tiff import write
from alr_cli.files.tiff_form import STRIPS, Form

_CLASSIC = 2**32 - 2**25
"""Bytes that fit into a TIFF with 32-bit offsets, with room for its directories."""


def write_stack(
    file: BinaryIO, stack: Stack, planes: Iterable[Picture], depth: Depth, *, strip: bool = False
) -> None:
    """Write restored planes in the form of the stack they came from: dialect, byte order, tags and
    compression.

    Args:
        file: Empty, open for reading and writing.
        stack: The stack.
        planes: The chosen planes of `stack`, taken one at a time.
        depth: The depth to write.
        strip: Leave out descriptions and EXIF.
    """
    head = stack.head()
    block = first_block(stack, head, depth)
    run = stack.virtual or (stack.dialect == "ImageJ" and not stack.compressed)
    large = math.prod(head.shape) * np.dtype(depth).itemsize * len(stack) > _CLASSIC
    # the description says how many planes follow
    counted = not strip and (stack.dialect == "ImageJ" or stack.whole)
    alone = run and counted and (stack.virtual or large)
    layout = replace(stack.layout, big=stack.layout.big or (large and not alone))
    chain = _Run(file, layout, alone) if run else _Chain(file, layout)
    for index, plane in enumerate(planes):
        picture = _with_tags(plane, stack, index, block if index == 0 else plane.exif)
        with quiet():
            ready = as_stored(stripped(picture) if strip else picture)
            chain.add(write(to_samples(ready, depth), ready, stack.layout, compressed=stack.compressed))
    chain.finish()


def _with_tags(plane: Picture, stack: Stack, index: int, block: bytes | None) -> Picture:
    """The plane with the descriptive tags of a `block`, and its own resolution unchanged."""
    tags = stack.resolution(index)
    known = read_block(block) if block else None
    together = (known[1] if known else {}) | tags
    return replace(
        plane, exif=make_block(together, stack.layout) if together else None, dpi=None if tags else plane.dpi
    )


class _Chain:
    """Pages one after the other, each with its pixels and then its directory."""

    def __init__(self, file: BinaryIO, layout: Layout) -> None:
        self._file, self._layout = file, layout
        self._pointer = len(layout.header)  # position of the offset of the next directory
        file.write(layout.header + layout.offset.pack(0))

    def add(self, page: bytes) -> None:
        """Append a TIFF of one page."""
        tags, pieces = _taken_apart(page)
        places = [self._append(piece) for piece in pieces]
        self._link(tags | self._strips(places))

    def finish(self) -> None:
        """Write what can only be written when all pages are there."""

    def _append(self, data: bytes) -> int:
        """Write at the end, at an even offset, and return the offset."""
        end = self._file.seek(0, 2)
        self._file.write(b"\0" * (end % 2) + data)
        return end + end % 2

    def _strips(self, places: list[int]) -> Directory:
        kind, number = (16, "u8") if self._layout.big else (4, "u4")
        return {STRIPS: Entry(kind, np.array(places, self._layout.order + number).tobytes())}

    def _link(self, tags: Directory) -> None:
        """Append a directory and make the previous one point to it."""
        end = self._file.seek(0, 2)
        place = end + end % 2
        self._append(write_directory(tags, self._layout, place))
        self._file.seek(self._pointer)
        self._file.write(self._layout.offset.pack(place))
        self._pointer = place + self._layout.count.size + len(tags) * self._layout.entry.size


class _Run(_Chain):
    """The pixels of all pages in one run behind the first directory. With `alone` this is the only
    directory."""

    def __init__(self, file: BinaryIO, layout: Layout, alone: bool) -> None:
        super().__init__(file, layout)
        self._alone = alone
        self._others: Directory = {}
        self._places: list[int] = []

    def add(self, page: bytes) -> None:
        tags, pieces = _taken_apart(page)
        pixels = b"".join(pieces)
        if not self._places:
            start = self._pointer + self._layout.offset.size
            size = len(write_directory(tags | self._strips([0]), self._layout, start))
            self._places.append(start + size + size % 2)
            self._link(tags | self._strips(self._places))
            self._append(b"")
        else:
            self._others = tags
            self._places.append(self._places[-1] + len(pixels))
        self._file.seek(0, 2)
        self._file.write(pixels)

    def finish(self) -> None:
        for place in () if self._alone else self._places[1:]:
            self._link(self._others | self._strips([place]))


def _taken_apart(page: bytes) -> tuple[Directory, list[bytes]]:
    """The tags and the strips of a TIFF with one page."""
    layout, first = open_tiff(page)
    tags = read_directory(page, layout, first)
    form = Form(tags, layout)
    segments = zip(form.offsets, form.lengths, strict=True)
    return tags, [page[offset : offset + length] for offset, length in segments]
