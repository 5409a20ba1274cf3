"""WebP and BMP: metadata, and what is refused."""

import struct

import numpy as np
import pytest
from PIL import Image

from alr_cli.errors import InputError
from alr_cli.files.pictures import Format, Picture, check_encodable, decode, encode
from tests.files.seeds import PREFIX, exif, pil, ramp, save


@pytest.mark.parametrize("format", ["jpeg", "bmp"])
def test_formats_for_one_picture_have_no_second_page(format: Format) -> None:
    data = encode(decode(save(pil("RGB"), "PNG")), format)
    assert decode(data, page=1).shape == (24, 37, 3)
    with pytest.raises(InputError, match="holds one picture, but page 2 was asked for"):
        decode(data, page=2)


def test_an_animated_webp_is_refused_until_a_frame_is_chosen() -> None:
    frames = [Image.fromarray(np.roll(ramp(3), shift, axis=1)) for shift in (0, 5)]
    data = save(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    with pytest.raises(InputError, match=r"it holds 2 frames; choose one with --page \(1 to 2\)"):
        decode(data)
    for page, shift in ((1, 0), (2, 5)):
        assert np.array_equal(np.rint(decode(data, page=page).pixels * 255), np.roll(ramp(3), shift, axis=1))


def test_a_damaged_webp_header_is_refused() -> None:
    data = save(pil("RGBA"), "WEBP", lossless=True, exif=exif())
    larger = bytearray(data)
    larger[24] += 1
    for broken in (data[:29], data[:12] + b"VP8Z" + data[16:], bytes(larger), data[:-20]):
        with pytest.raises(InputError, match=r"cannot read x: .*; get an? "):
            decode(broken, "x")


def test_webp_keeps_the_colours_under_transparent_pixels() -> None:
    picture = decode(save(pil("RGBA"), "PNG"))
    back = decode(encode(picture, "webp"))
    assert picture.alpha is not None and (picture.alpha == 0).any()
    assert np.array_equal(back.pixels, picture.pixels)


def test_differences_of_webp_are_reported() -> None:
    gray = Picture(np.zeros((2, 2, 1), np.float32), "uint8", "png", dpi=(300, 300))
    assert check_encodable(gray, "webp") == (
        "WebP leaves out the resolution",
        "WebP has no gray: three equal channels are written",
    )
    opaque = Picture(np.zeros((2, 2, 3), np.float32), "uint8", "png", alpha=np.ones((2, 2), np.float32))
    assert check_encodable(opaque, "webp") == (
        "WebP does not store an alpha channel that is opaque everywhere",
    )


def test_a_resolution_in_the_exif_is_not_lost_in_webp() -> None:
    picture = decode(save(pil("RGB"), "PNG", exif=PREFIX + exif()))
    assert check_encodable(picture, "webp") == ()
    assert decode(encode(picture, "webp")).dpi == (300, 300)


def bmp(bits: int, rows: bytes, width: int, height: int, compression: int = 0, palette: bytes = b"") -> bytes:
    header = struct.pack(
        "<IiiHHIIIIII", 40, width, height, 1, bits, compression, len(rows), 0, 0, len(palette) // 4, 0
    )
    return (
        b"BM"
        + struct.pack("<IHHI", 54 + len(palette) + len(rows), 0, 0, 54 + len(palette))
        + header
        + palette
        + rows
    )


@pytest.mark.parametrize(
    ("data", "pixels", "notes"),
    [
        (bmp(24, b"\1\2\3\0", 1, 1), [[[3, 2, 1]]], ()),
        (bmp(24, b"\1\2\3\0\4\5\6\0", 1, -2), [[[3, 2, 1]], [[6, 5, 4]]], ()),
        (bmp(32, b"\1\2\3\xff", 1, 1), [[[3, 2, 1]]], ()),
        (bmp(8, b"\1\0\0\0", 1, 1, palette=b"\1\2\3\0\4\5\6\0"), [[[6, 5, 4]]], ("palette expanded to RGB",)),
        (
            bmp(1, b"\x40\0\0\0", 2, 1, palette=b"\0\0\0\0\xff\xff\xff\0"),
            [[[0], [255]]],
            ("1-bit gray expanded to 8 bits",),
        ),
        (bmp(16, b"\0\x7c\0\0", 1, 1), [[[255, 0, 0]]], ()),
    ],
)
def test_bmps_of_all_depths_are_read(
    data: bytes, pixels: list[list[list[int]]], notes: tuple[str, ...]
) -> None:
    picture = decode(data)
    assert np.rint(picture.pixels * 255).tolist() == pixels
    assert picture.notes == notes


def test_a_run_length_compressed_bmp_is_refused_by_its_name() -> None:
    with pytest.raises(InputError, match="it is a run-length compressed BMP; save it uncompressed"):
        decode(bmp(8, b"\xff\0", 255, 1, compression=1, palette=bytes(1024)))


def test_a_bmp_with_alpha_keeps_it_for_png_and_is_refused_as_bmp() -> None:
    header = struct.pack("<IiiHHIIIIII", 108, 1, 1, 1, 32, 3, 4, 0, 0, 0, 0)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + bytes(52)
    picture = decode(b"BM" + struct.pack("<IHHI", 126, 0, 0, 122) + header + masks + b"\1\2\3\x80")
    assert picture.alpha is not None
    assert np.rint(picture.alpha * 255).tolist() == [[128]]
    assert decode(encode(picture, "png")).alpha == picture.alpha


def test_metadata_of_webp_and_bmp_are_noted() -> None:
    webp, bitmap = save(pil("RGB"), "WEBP", lossless=True), save(pil("RGB"), "BMP")
    more = webp[:4] + struct.pack("<I", len(webp)) + webp[8:] + b"junk" + struct.pack("<I", 0)
    assert decode(more).notes == ("WebP chunks that cannot be kept: junk",)
    profile = (
        struct.pack("<IiiHHIIIIII", 124, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + bytes(16) + b"DEBM" + bytes(64)
    )
    with_profile = b"BM" + struct.pack("<IHHI", 142, 0, 0, 138) + profile + b"\1\2\3\0"
    assert decode(with_profile).notes == ("the colour profile of a BMP cannot be kept",)
    for data in (webp, bitmap):
        assert decode(data).notes == ()
        assert decode(data + bytes(8)).notes == ()
        assert decode(data + b"leftover").notes == ("8 bytes after the end cannot be kept",)


@pytest.mark.parametrize("compression", [4, 5, 6])
def test_a_bmp_that_the_decoder_does_not_know_is_not_called_damaged(compression: int) -> None:
    with pytest.raises(InputError, match=r"not supported .*; convert it to PNG or TIFF first") as caught:
        decode(bmp(24, bytes(20), 1, 1, compression=compression))
    assert "damaged" not in str(caught.value)
