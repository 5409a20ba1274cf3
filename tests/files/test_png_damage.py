"""Damaged PNGs: refused if the pixels are affected, otherwise noted. libpng stays silent."""

import struct
import zlib

import numpy as np
import pytest

from alr_cli.errors import InputError
from alr_cli.files.pictures import decode
from tests.files.seeds import chunk, pil, ramp, save, with_chunks
from tests.files.test_png import PALETTE, SIGNATURE, png


def damaged_pixels() -> dict[str, bytes]:
    rows = b"".join(b"\0" + bytes(row) for row in ramp(3).reshape(24, -1))
    good = zlib.compress(rows)
    start = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 37, 24, 8, 2, 0, 0, 0))
    end = chunk(b"IEND", b"")
    streams = {
        "a wrong checksum of the pixels": good[:-1] + bytes([good[-1] ^ 1]),
        "no checksum of the pixels": good[:-4],
        "half of the pixels": zlib.compress(rows[:1000]),
        "a row too many": zlib.compress(rows + bytes(112)),
        "bytes behind the pixels": good + b"more",
        "a broken stream": good[:50] + b"\xff" * 20 + good[70:],
        "no stream": b"",
    }
    files = {name: start + chunk(b"IDAT", stream) + end for name, stream in streams.items()}
    whole = start + chunk(b"IDAT", good) + end
    files["a wrong checksum of a chunk"] = whole[:60] + bytes([whole[60] ^ 1]) + whole[61:]
    files["no end"] = whole[:-12]
    files["no pixels"] = start + end
    files["two headers"] = start + start[8:] + chunk(b"IDAT", good) + end
    files["an unknown critical chunk"] = start + chunk(b"NEWt", b"x") + chunk(b"IDAT", good) + end
    files["no header"] = SIGNATURE + chunk(b"IDAT", good) + end
    files["a palette picture without palette"] = png(3, 8, [b"\0\0\0\0"])
    files["a palette of half a colour"] = png(3, 8, [b"\0\0\0\0"], (b"PLTE", b"\0\0\0\0"))
    for name, tail in {
        "depth": (3, 2, 0, 0, 0),
        "compression": (8, 2, 1, 0, 0),
        "filter": (8, 2, 0, 9, 0),
    }.items():
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 37, 24, *tail))
        files[f"an unknown {name}"] = SIGNATURE + header + chunk(b"IDAT", good) + end
    return files


@pytest.mark.parametrize("name", damaged_pixels())
def test_damage_is_refused_and_libpng_stays_silent(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"^cannot read x: .*; (get|save) "):
        decode(damaged_pixels()[name], "x")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("extra", "note"),
    [
        ((b"iCCP", b"name\0\0not zlib"), "iCCP (damaged)"),
        ((b"iCCP", b"name\0\0" + zlib.compress(b"profile")[:-2]), "iCCP (damaged)"),
        ((b"tRNS", b"\0"), "tRNS (damaged)"),
    ],
)
def test_damage_beside_the_pixels_costs_only_the_damaged(
    extra: tuple[bytes, bytes], note: str, capfd: pytest.CaptureFixture[str]
) -> None:
    picture = decode(with_chunks(save(pil("RGB"), "PNG"), extra))
    assert picture.notes == (f"PNG chunks that cannot be kept: {note}",)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_chunk_beside_the_pixels_is_named() -> None:
    plain = save(pil("RGB"), "PNG")
    text = bytearray(chunk(b"tEXt", b"Comment\0hello"))
    text[-1] ^= 1
    assert decode(plain[:33] + text + plain[33:]).notes == ("PNG chunks that cannot be kept: tEXt (damaged)",)
    for broken in (plain[:33] + b"\0\0\0\1te\0t" + plain[33:], plain[:33] + b"\x7f\0\0\0tEXt" + plain[33:]):
        with pytest.raises(InputError, match="it is damaged or cut short"):
            decode(broken)


def test_a_profile_that_unpacks_without_end_is_refused() -> None:
    packed = zlib.compress(bytes(20_000_000))
    with pytest.raises(InputError, match="colour profile unpacks to more than 16 MB; remove it first"):
        decode(with_chunks(save(pil("RGB"), "PNG"), (b"iCCP", b"name\0\0" + packed)))


def test_a_palette_in_a_gray_picture_is_ignored_silently(capfd: pytest.CaptureFixture[str]) -> None:
    picture = decode(png(0, 8, [b"\0\1\2\3"], (b"PLTE", PALETTE)))
    assert np.rint(picture.pixels.ravel() * 255).tolist() == [0, 1, 2, 3]
    assert capfd.readouterr() == ("", "")
