"""JPEG, WebP and BMP: what they carry beside the pixels, and what is refused."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from alr_cli.errors import InputError
from alr_cli.files.pictures import Format, Picture, check_encodable, decode, encode
from tests.files.seeds import PREFIX, exif, pil, ramp, save, seed_files

IPTC = b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x78\0\x03abc"


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def jpeg(*segments: bytes, mode: str = "RGB") -> bytes:
    plain = save(pil(mode), "JPEG")
    return plain[:2] + b"".join(segments) + plain[2:]


def test_a_cmyk_jpeg_is_refused_with_the_conversion_to_do() -> None:
    with pytest.raises(InputError, match=r"it is a CMYK JPEG.*convert it to RGB.*magick"):
        decode(seed_files()["jpeg-cmyk"])


def test_comments_and_captions_survive_in_jpeg_and_are_named_elsewhere() -> None:
    data = jpeg(segment(0xFE, b"first"), segment(0xED, IPTC), segment(0xFE, b"second"))
    picture = decode(data)
    assert decode(encode(picture, "jpeg")).extras == picture.extras
    with Image.open(io.BytesIO(encode(picture, "jpeg"))) as image:
        assert [each for each in image.applist if each[0] in ("COM", "APP13")] == [
            ("COM", b"first"),
            ("APP13", IPTC),
            ("COM", b"second"),
        ]
    assert check_encodable(picture, "png") == ("PNG leaves out APP13 data, COM data",)


def test_segments_that_cannot_be_kept_are_named() -> None:
    data = jpeg(segment(0xEB, b"JP content credentials"), segment(0xE4, b"vendor"))
    assert decode(data).notes == ("JPEG segments that cannot be kept: APP11, APP4",)


def test_ordinary_segments_make_no_notes() -> None:
    data = save(pil("RGB"), "JPEG", exif=PREFIX + exif(), icc_profile=b"p" * 70000, xmp=b"<x/>", dpi=(72, 72))
    picture = decode(data)
    assert picture.notes == ()
    assert picture.icc == b"p" * 70000
    assert decode(encode(picture, "jpeg")).icc == picture.icc


def test_of_a_multi_picture_jpeg_the_main_one_is_read() -> None:
    first, second = (Image.fromarray(np.roll(ramp(3), shift, axis=0)) for shift in (0, 3))
    data = save(first, "MPO", save_all=True, append_images=[second])
    picture = decode(data)
    assert np.abs(picture.pixels - ramp(3) / 255).max() < 0.1
    assert picture.notes == (
        "the further pictures of this multi-picture JPEG (depth, gain map, preview) cannot be kept",
    )
    assert decode(encode(picture, "jpeg")).notes == ()


def test_the_resolution_comes_from_the_exif_where_the_jpeg_itself_is_silent() -> None:
    assert decode(save(pil("RGB"), "JPEG", exif=PREFIX + exif())).dpi == (300, 300)
    assert decode(save(pil("RGB"), "JPEG", exif=PREFIX + exif(), dpi=(72, 72))).dpi == (72, 72)
    assert decode(save(pil("RGB"), "JPEG")).dpi is None


@pytest.mark.parametrize("kind", [1, 2, 7])
def test_a_resolution_of_the_wrong_type_in_the_exif_costs_only_the_resolution(kind: int) -> None:
    """Found by damaging EXIF: Pillow refuses the whole picture."""
    block = bytearray(exif())
    at = block.index(struct.pack(">HH", 282, 5))
    block[at + 3] = kind
    picture = decode(save(pil("RGB"), "JPEG", exif=PREFIX + bytes(block)))
    assert (picture.exif, picture.dpi) == (bytes(block), None)
    for format in ("jpeg", "png", "webp"):
        assert decode(encode(picture, format)).exif == bytes(block)  # type: ignore[arg-type]
    assert decode(encode(picture, "tiff")).exif is not None


def test_an_uneven_pixel_aspect_is_named() -> None:
    data = bytearray(save(pil("RGB"), "JPEG"))
    data[13:18] = struct.pack(">BHH", 0, 2, 1)
    assert decode(bytes(data)).notes == ("pixel aspect 2:1 cannot be kept",)


def test_a_fractional_resolution_is_rounded_for_jpeg_and_said() -> None:
    picture = Picture(np.zeros((2, 2, 3), np.float32), "uint8", "png", dpi=(99.6, 99.6))
    assert check_encodable(picture, "jpeg") == ("JPEG holds whole numbers: 99.60 dpi is rounded",)
    assert decode(encode(picture, "jpeg")).dpi == (100, 100)


def test_a_cut_jpeg_is_refused() -> None:
    data = save(pil("RGB"), "JPEG", quality=95)
    for length in (3, 20, len(data) // 2, len(data) - 300):
        with pytest.raises(InputError, match="cannot read"):
            decode(data[:length])


@pytest.mark.parametrize("format", ["jpeg", "bmp"])
def test_formats_of_one_picture_have_no_second_page(format: Format) -> None:
    data = encode(decode(save(pil("RGB"), "PNG")), format)
    assert decode(data, page=1).shape == (24, 37, 3)
    with pytest.raises(InputError, match="holds one picture and page 2 was asked for"):
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


def test_webp_says_what_it_holds_differently() -> None:
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
