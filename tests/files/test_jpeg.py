"""JPEG: metadata, and the variants that are refused by name."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from alr_cli.errors import InputError
from alr_cli.files.pictures import Picture, check_encodable, decode, encode
from tests.files.seeds import PREFIX, exif, icc, pil, ramp, save, seed_files

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
    assert decode(data).notes == (
        "JPEG segments that cannot be kept: APP11 JP content credentials, APP4 vendor",
    )


def test_ordinary_segments_make_no_notes() -> None:
    data = save(pil("RGB"), "JPEG", exif=PREFIX + exif(), icc_profile=b"p" * 70000, xmp=b"<x/>", dpi=(72, 72))
    picture = decode(data)
    assert picture.notes == ()
    assert picture.icc == b"p" * 70000
    assert decode(encode(picture, "jpeg")).icc == picture.icc


def test_the_main_picture_of_a_multi_picture_jpeg_is_read() -> None:
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
    assert check_encodable(picture, "jpeg") == ("JPEG stores a whole number of dpi: 99.60 dpi is rounded",)
    assert decode(encode(picture, "jpeg")).dpi == (100, 100)


def test_a_cut_jpeg_is_refused() -> None:
    data = save(pil("RGB"), "JPEG", quality=95)
    for length in (3, 20, len(data) // 2, len(data) - 300):
        with pytest.raises(InputError, match="cannot read"):
            decode(data[:length])


FILM = struct.pack(">I", 24) + b"ftypmp42" + bytes(range(1, 200))
GAIN_MAP = b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0"


@pytest.mark.parametrize(
    ("segments", "tail", "notes"),
    [
        ([(0xE1, b"FLIR\0\1\0\1"), (0xE1, b"FLIR\0\1\1\1")], b"", ["kept: APP1 FLIR"]),
        ([(0xE2, GAIN_MAP)], b"", ["kept: APP2 gain map"]),
        ([(0xE1, b"http://ns.adobe.com/xmp/extension/\0abc")], b"", ["kept: APP1 extended XMP"]),
        ([(0xE2, b"ICC_PROFILE\0\3\7broken")], b"", ["kept: APP2 damaged colour profile"]),
        ([(0xE0, b"JFXX\0\x10")], b"", ["kept: APP0 thumbnail"]),
        ([(0xEC, b"Ducky\0\1"), (0xE1, b"FLIR\0")], b"", ["kept: APP1 FLIR, APP12 Ducky"]),
        ([], FILM, [f"{len(FILM)} bytes after the end (a film) cannot"]),
        ([], save(pil("L"), "JPEG"), ["bytes after the end (another picture) cannot"]),
        ([(0xE1, b"FLIR\0")], b"SEFH and so on", ["14 bytes after the end cannot", "kept: APP1 FLIR"]),
        ([], bytes(64), []),
    ],
)
def test_other_segments_are_noted_once(
    segments: list[tuple[int, bytes]], tail: bytes, notes: list[str]
) -> None:
    data = save(pil("RGB"), "JPEG", exif=PREFIX + exif(), xmp=b"<x/>", comment=b"a comment", dpi=(72, 72))
    plain = decode(data)
    picture = decode(data[:2] + b"".join(segment(*each) for each in segments) + data[2:] + tail)
    assert plain.notes == ()
    assert len(picture.notes) == len(notes)
    for said, wanted in zip(sorted(picture.notes), sorted(notes), strict=True):
        assert wanted in said
    assert (picture.exif, picture.xmp, picture.extras) == (plain.exif, plain.xmp, plain.extras)
    assert np.array_equal(picture.pixels, plain.pixels)
    assert decode(encode(picture, "jpeg")).notes == ()


def test_a_picture_within_the_exif_is_not_taken_for_the_end() -> None:
    thumbnail = save(pil("L"), "JPEG")
    data = jpeg(segment(0xE1, PREFIX + exif() + thumbnail))
    assert decode(data).notes == ()


def with_frame(marker: int = 0xC0, bits: int = 8, height: int = 24, components: int = 3) -> bytes:
    data = bytearray(save(pil("RGB"), "JPEG", icc_profile=icc()))
    at = data.index(b"\xff\xc0\0\x11")
    data[at + 1] = marker
    struct.pack_into(">BH", data, at + 4, bits, height)
    data[at + 9] = components
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (
            imagecodecs.jpegls_encode(ramp(1)[..., 0]),
            "it is JPEG-LS, which is not supported; convert it with",
        ),
        (
            imagecodecs.jpeg8_encode(ramp(3, "uint16") >> 4, bitspersample=12),
            "it is a JPEG of 12 bits per sample, of which only 8 are supported; convert it with ImageMagick",
        ),
        (
            imagecodecs.ljpeg_encode(ramp(1, "uint16")[..., 0] >> 4, bitspersample=12),
            "it is a JPEG of 12 bits",
        ),
        (
            imagecodecs.jpeg8_encode(ramp(1, "uint16"), bitspersample=16, lossless=True),
            "it is a JPEG of 16 bits",
        ),
        (with_frame(0xC5), "hierarchical JPEG, which is not supported; convert it with"),
        (with_frame(0xCB), "arithmetic coding, which is not supported; convert it with"),
        (with_frame(height=0), "states its height only at its end, which is not supported; convert it with"),
        (with_frame(components=2), "a JPEG of 2 channels, which is not supported; convert it with"),
    ],
)
def test_flavours_that_no_decoder_here_knows_are_not_called_damaged(data: bytes, name: str) -> None:
    with pytest.raises(InputError) as caught:
        decode(data, "x.jpg")
    assert name in str(caught.value)
    assert "damaged" not in str(caught.value)


def test_a_lossless_jpeg_of_8_bits_is_read() -> None:
    picture = decode(imagecodecs.jpeg8_encode(ramp(3), lossless=True))
    assert np.array_equal(np.rint(picture.pixels * 255), ramp(3))
