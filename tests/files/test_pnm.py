"""PNM: every kind in the specification."""

import numpy as np
import pytest

from alr_cli.errors import InputError
from alr_cli.files.pictures import Picture, decode, encode

READ = {
    "plain bitmap": (b"P1\n# made by hand\n3 2\n0 1 0\n1 0 1\n", [[[255], [0], [255]], [[0], [255], [0]]]),
    "plain bitmap without spaces": (b"P1 3 2 010101", [[[255], [0], [255]], [[0], [255], [0]]]),
    "plain gray": (b"P2\n2 1\n255\n0 128\n", [[[0], [128]]]),
    "plain gray with a comment inside": (b"P2\n2 1\n255\n0 # zero\n128", [[[0], [128]]]),
    "plain colour": (b"P3\t1\r1\n255 1 2 3", [[[1, 2, 3]]]),
    "bitmap": (b"P4\n10 2\n\x80\x40\x00\x00", [[[0]] + [[255]] * 8 + [[0]], [[255]] * 10]),
    "gray": (b"P5 2 1 255\n\x00\x80", [[[0], [128]]]),
    "colour with comments": (b"P6#a\n1#b\n#c\n1\n255\n\x01\x02\x03", [[[1, 2, 3]]]),
    "colour before blanks": (b"P6 1 1 255\n\x01\x02\x03\n\n", [[[1, 2, 3]]]),
}


@pytest.mark.parametrize("kind", READ)
def test_every_kind_is_read(kind: str) -> None:
    data, pixels = READ[kind]
    picture = decode(data)
    assert np.rint(picture.pixels * 255).tolist() == pixels
    assert picture.depth == "uint8"


@pytest.mark.parametrize(
    ("maximum", "depth"), [(1, "uint8"), (15, "uint8"), (1023, "uint16"), (65534, "uint16")]
)
def test_another_maximum_is_rescaled_with_a_note(maximum: int, depth: str) -> None:
    item = ">u2" if maximum > 255 else "u1"
    numbers = np.array([0, 1, maximum], item)
    picture = decode(f"P5 3 1 {maximum}\n".encode() + numbers.tobytes())
    assert picture.depth == depth
    assert np.abs(picture.pixels.ravel() - numbers / maximum).max() < 1e-7
    assert picture.notes == (f"samples up to {maximum} rescaled to {depth[4:]} bits",)


def test_16_bits_are_written_high_byte_first() -> None:
    pixels = np.array([[[1, 256, 65535]]], np.float32) / 65535
    assert encode(Picture(pixels, "uint16", "pnm"), "pnm") == b"P6\n1 1\n65535\n\0\1\1\0\xff\xff"


REFUSED = {
    "header is damaged": b"P6 1 x 255\n\1\2\3",
    "header is damaged or cut": b"P5 1",
    "0 x 1 pixels": b"P5 0 1 255\n",
    "maximum of 0 and": b"P5 1 1 0\n\0",
    "maximum of 70000": b"P5 1 1 70000\n\0\0",
    "cut short by 2 bytes": b"P6 1 1 255\n\1",
    "above its maximum of 100": b"P5 1 1 100\n\x80",
    "above its maximum of 1;": b"P1 2 1\n0 7",
    "holds 1 samples and its header says 2": b"P2 2 1 255\n9",
    "holds 3 samples and its header says 2": b"P2 2 1 255\n9 9 9",
    "holds 0 samples": b"P3 2 1 255\n",
    "other than numbers": b"P2 2 1 255\n9 -9",
    "above its maximum of 255": b"P2 1 1 255\n99999999999999999999999",
    "several pictures": b"P5 1 1 255\n\1P5 1 1 255\n\1",
    "more than the limit": b"P5 99999 99999 255\n",
    "MB, as decompression bombs do": b"P5 9000 9000 255\n",
}


@pytest.mark.parametrize("reason", REFUSED)
def test_damage_is_refused_by_its_name(reason: str) -> None:
    with pytest.raises(InputError) as caught:
        decode(REFUSED[reason], "x.pnm")
    assert reason in str(caught.value)
    assert "; " in str(caught.value)


def test_comments_and_what_follows_the_picture_are_noted() -> None:
    plain = b"P5 2 1 255\n\1\2"
    assert decode(plain).notes == decode(plain + b"\n").notes == ()
    assert decode(b"P5 # by somebody\n2 1 255\n\1\2").notes == ("the comments of its header cannot be kept",)
    assert decode(plain + b"leftover").notes == ("8 bytes after the end cannot be kept",)
