"""What an output format cannot store is refused before the work, or reported."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from alr_cli.errors import OutputError
from alr_cli.files.encodable import CONTAINERS
from alr_cli.files.exif import orientation_only, read_block
from alr_cli.files.ifd import open_tiff
from alr_cli.files.pictures import FORMATS, Format, Picture, check_encodable, decode, encode
from tests.files.seeds import PREFIX, exif, icc, pil, save, with_chunks

PIXELS = np.full((3, 4, 3), 0.25, np.float32)
PLAIN = Picture(PIXELS, "uint8", "png")


def test_every_format_is_described() -> None:
    assert tuple(CONTAINERS) == FORMATS


@pytest.mark.parametrize(
    ("format", "change", "sentence"),
    [
        (
            "jpeg",
            {"depth": "uint16"},
            "JPEG holds 8 bits per sample and the picture has 16; add --depth 8 or write PNG, TIFF or PNM",
        ),
        (
            "png",
            {"depth": "float32"},
            "PNG holds 8 or 16 bits per sample and the picture has 32; add --depth 16 or write TIFF",
        ),
        (
            "bmp",
            {"alpha": PIXELS[..., 0]},
            "BMP cannot hold transparency; add --drop-alpha or write PNG, TIFF or WebP",
        ),
        (
            "jpeg",
            {"exif": b"II*\0" + bytes(70000)},
            "JPEG cannot hold 70004 bytes of EXIF; add --strip or write PNG",
        ),
        ("jpeg", {"xmp": bytes(66000)}, "JPEG cannot hold 66000 bytes of XMP; add --strip or write PNG"),
    ],
)
def test_refusals_name_the_file_the_reason_and_the_remedy(
    format: Format, change: dict[str, object], sentence: str
) -> None:
    picture = replace(PLAIN, **change)  # type: ignore[arg-type]
    for ask in (check_encodable, encode):
        with pytest.raises(OutputError) as caught:
            ask(picture, format, name="out.x")  # type: ignore[operator]
        assert str(caught.value) == f"cannot write out.x: {sentence}"


@pytest.mark.parametrize(("format", "side"), [("jpeg", 65501), ("webp", 16384)])
def test_a_picture_too_long_for_its_format_is_refused(format: Format, side: int) -> None:
    picture = Picture(np.zeros((1, side, 1), np.float32), "uint8", "png")
    with pytest.raises(OutputError, match=f"at most {side - 1} pixels a side"):
        check_encodable(picture, format)
    longest = Picture(np.zeros((1, side - 1, 1), np.float32), "uint8", "png")
    assert decode(encode(longest, format), max_pixels=10**9).width == side - 1


def test_the_suggested_remedies_work() -> None:
    rich = replace(
        PLAIN, depth="uint16", alpha=PIXELS[..., 0], exif=b"II*\0" + bytes(70000), xmp=bytes(70000)
    )
    encoded = encode(rich, "jpeg", depth="uint8", drop_alpha=True, strip=True)
    assert np.abs(decode(encoded).pixels - PIXELS).max() < 1e-3


@pytest.mark.parametrize(
    ("format", "notes"),
    [
        ("png", ()),
        ("tiff", ()),
        ("webp", ()),
        ("jpeg", ()),
        ("bmp", ("BMP leaves out the colour profile, EXIF, XMP",)),
        ("pnm", ("PNM leaves out the colour profile, EXIF, XMP, the resolution",)),
    ],
)
def test_losses_are_reported(format: Format, notes: tuple[str, ...]) -> None:
    picture = replace(PLAIN, icc=icc(), exif=exif(), xmp=b"<x/>", dpi=(300.0, 300.0))
    assert check_encodable(picture, format) == notes
    assert decode(encode(picture, format)).notes == ()


def test_dropped_alpha_is_reported() -> None:
    picture = replace(PLAIN, alpha=PIXELS[..., 0])
    assert check_encodable(picture, "jpeg", drop_alpha=True) == ("JPEG leaves out transparency",)
    assert check_encodable(picture, "png", drop_alpha=True) == ()
    assert decode(encode(picture, "png", drop_alpha=True)).alpha is not None


def test_clamping_of_a_float_picture_is_reported() -> None:
    picture = replace(PLAIN, pixels=PIXELS * 9, depth="float32")
    assert check_encodable(picture, "png", depth="uint16") == ("values outside [0,1] are clamped",)
    assert check_encodable(picture, "tiff") == ()


def test_a_damaged_exif_is_named_where_it_would_have_to_be_understood() -> None:
    picture = replace(PLAIN, exif=b"not a TIFF")
    assert check_encodable(picture, "tiff")[0] == "TIFF leaves out EXIF (damaged)"
    assert decode(encode(picture, "tiff")).exif is None
    assert decode(encode(picture, "png")).exif == b"not a TIFF"


def test_exif_that_cannot_move_to_tiff_is_reported() -> None:
    tags = Image.Exif()
    tags[271] = "Maker"
    tags.get_ifd(34665)[37500] = b"notes with offsets"
    block = tags.tobytes().removeprefix(PREFIX)
    notes = ("maker notes in the EXIF move to another place and may not be readable there",)
    assert check_encodable(replace(PLAIN, exif=block), "tiff") == notes
    assert check_encodable(replace(PLAIN, exif=block), "png") == ()
    layout, first = open_tiff(exif())
    end = first + 2 + 12 * layout.count.unpack_from(exif(), first)[0]
    second = bytes(2) + layout.offset.pack(0)
    block = exif()[:end] + layout.offset.pack(len(exif())) + exif()[end + 4 :] + second
    assert check_encodable(replace(PLAIN, exif=block), "tiff") == ("TIFF leaves out the preview in the EXIF",)


@pytest.mark.parametrize("format", ["png", "jpeg", "tiff", "webp"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_stripping_keeps_how_the_picture_looks_and_nothing_else(format: Format, orientation: int) -> None:
    source = save(pil("RGB"), "PNG", icc_profile=icc(), exif=PREFIX + exif(orientation), dpi=(300, 300))
    source = with_chunks(source, (b"gAMA", bytes(3) + b"\1"), (b"tEXt", b"Author\0somebody"))
    picture = replace(decode(source), xmp=b"<x/>")
    data = encode(picture, format, strip=True)
    stripped = decode(data)
    assert (stripped.icc, stripped.xmp) == (icc(), None)
    assert (stripped.exif is None) == (orientation == 1)
    if stripped.exif:
        tags = Image.Exif()
        tags.load(PREFIX + stripped.exif)
        assert dict(tags) == {274: 6}
    assert b"Maker" not in data and b"somebody" not in data
    assert [name for name, _ in stripped.extras] == (["gAMA"] if format == "png" else [])
    if format != "webp":
        assert stripped.dpi == pytest.approx((300, 300), rel=1e-4)


def test_orientation_is_found_in_both_byte_orders() -> None:
    little = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\x06\0\0\0\0\0\0\0"
    great = b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\x06\0\0\0\0\0\0"
    for block in (little, great):
        assert orientation_only(block) == block
        assert read_block(block[:12]) is None
    assert orientation_only(b"garbage") is None
