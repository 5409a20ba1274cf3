"""TIFF directories: read leniently, written exactly, and never followed in circles."""

import struct

import numpy as np

from alr_cli.files.ifd import Entry, Layout, open_tiff, read_directory
from alr_cli.files.pictures import decode
from alr_cli.files.tiff import _with_directory
from tests.files.seeds import ramp, tiff
from tests.files.test_tiff_form import changed

RGB = tiff(ramp(3), photometric="rgb")


def test_lost_tags_are_named() -> None:
    data = changed(RGB, t330=8, t37724=1)
    assert decode(data).notes == ("TIFF tags that cannot be kept: sub-pages, Photoshop layers",)


def test_tags_that_cannot_be_read_are_named_and_cost_nothing_else() -> None:
    layout, first = open_tiff(RGB)
    tags = read_directory(RGB, layout, first)
    tags |= {270: Entry(2, b"description"), 65001: Entry(16, bytes(8)), 65002: Entry(2, b"long" * 9)}
    data = bytearray(_with_directory(RGB, layout, tags))
    struct.pack_into("<I", data, data.rindex(struct.pack("<HH", 65002, 2)) + 8, 10**6)  # outside the file
    picture = decode(bytes(data))
    assert picture.notes == ("TIFF tags that cannot be kept: 65001, 65002",)
    assert np.array_equal(np.rint(picture.pixels * 255), ramp(3))


def test_a_damaged_exif_directory_costs_the_exif_only() -> None:
    for pointer in (10**6, 3):
        data = changed(RGB, t34665=pointer, t270=65)
        layout, first = open_tiff(data)
        picture = decode(data)
        assert picture.notes == ("TIFF tags that cannot be kept: 34665",)
        assert picture.exif is not None and 34665 not in read_directory(data, layout, first)


def test_directories_that_point_at_themselves_end() -> None:
    """There are 4096 pointers to their own directory. Followed blindly, they are billions of entries."""
    table = b"".join(struct.pack("<HHII", 34665, 4, 1, 8) for _ in range(4096))
    lost: list[int] = []
    found = read_directory(b"II*\0\x08\0\0\0" + struct.pack("<H", 4096) + table, Layout("<"), 8, lost)
    assert len(lost) < 4 * 4096
    assert set(found) == {34665}


def test_a_directory_survives_reading_and_writing_in_every_layout() -> None:
    for layout in (Layout("<"), Layout(">"), Layout("<", big=True), Layout(">", big=True)):
        directory = {
            1: Entry(2, b"odd length\0"),
            2: Entry(3, b"\1\2"),
            34665: Entry(
                4, b"", {5: Entry(7, b"maker note" * 9), 40965: Entry(4, b"", {1: Entry(2, b"R98\0")})}
            ),
        }
        data = _with_directory(b"\0" * 16, layout, directory)
        found, first = open_tiff(data)
        assert found == layout
        assert read_directory(data, layout, first) == directory
