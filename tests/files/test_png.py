"""PNG: preserved chunks, checks before libpng reads the pixels, animations, damage."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from alr_cli.errors import InputError
from alr_cli.files.pictures import check_encodable, decode, encode
from tests.files.seeds import PREFIX, chunk, exif, pil, plain_png, ramp, save, seed_files, with_chunks

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(kind: int, bits: int, rows: list[bytes], *more: tuple[bytes, bytes], width: int = 4) -> bytes:
    """A PNG made by hand. `more` are chunks between header and pixels."""
    header = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *more, (b"IDAT", pixels), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*part) for part in parts)


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    found, offset = [], 8
    while offset < len(data):
        length, name = struct.unpack_from(">I4s", data, offset)
        found.append((name, data[offset + 8 : offset + 8 + length]))
        offset += 12 + length
    return found


@pytest.mark.parametrize(
    ("bits", "row", "levels"),
    [(1, b"\xa0", [255, 0, 255, 0]), (2, b"\x1b", [0, 85, 170, 255]), (4, b"\x0f\x12", [0, 255, 17, 34])],
)
def test_gray_below_8_bits_becomes_8_bits_with_a_note(bits: int, row: bytes, levels: list[int]) -> None:
    picture = decode(png(0, bits, [row]))
    assert np.rint(picture.pixels.ravel() * 255).tolist() == levels
    assert picture.notes == (f"{bits}-bit gray expanded to 8 bits",)


PALETTE = bytes(range(9))


@pytest.mark.parametrize(
    ("data", "shape", "alpha", "note"),
    [
        (png(3, 8, [b"\0\1\2\1"], (b"PLTE", PALETTE)), (1, 4, 3), None, "palette expanded to RGB"),
        (
            png(3, 8, [b"\0\1\2\1"], (b"PLTE", PALETTE), (b"tRNS", b"\x80\x40")),
            (1, 4, 3),
            [128, 64, 255, 64],
            "palette expanded to RGBA",
        ),
        (
            png(0, 8, [b"\0\1\2\3"], (b"tRNS", b"\0\2")),
            (1, 4, 1),
            [255, 255, 0, 255],
            "transparent colour turned into an alpha channel",
        ),
        (
            png(2, 8, [bytes(range(12))], (b"tRNS", b"\0\3\0\4\0\5")),
            (1, 4, 3),
            [255, 0, 255, 255],
            "transparent colour turned into an alpha channel",
        ),
        (
            png(2, 16, [bytes(range(24))], (b"tRNS", bytes(range(6)))),
            (1, 4, 3),
            [0, 65535, 65535, 65535],
            "transparent colour turned into an alpha channel",
        ),
    ],
)
def test_palettes_and_transparent_colours_keep_their_transparency(
    data: bytes, shape: tuple[int, ...], alpha: list[int] | None, note: str
) -> None:
    picture = decode(data)
    assert picture.shape == shape
    assert picture.notes == (note,)
    full = 65535 if picture.depth == "uint16" else 255
    assert (None if picture.alpha is None else np.rint(picture.alpha.ravel() * full).tolist()) == alpha


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 9), (24, 37)])
def test_interlaced_pictures_are_read(mode: str, size: tuple[int, int]) -> None:
    """Pillow cannot write Adam7, so the passes are made here."""
    image = pil(mode).crop((0, 0, size[1], size[0]))
    samples = np.asarray(image)
    samples = samples.reshape(*samples.shape[:2], -1)
    height, width = size
    stream = b""
    steps = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    for left, top, across, down in steps:
        part = samples[top::down, left::across]
        if part.size == 0:
            continue
        for row in part:
            packed = np.packbits(row.ravel()) if mode == "1" else row
            stream += b"\0" + (packed.astype(">u2") if mode == "I;16" else packed.astype("u1")).tobytes()
    bits, kind = {"1": (1, 0), "L": (8, 0), "P": (8, 3), "RGB": (8, 2), "RGBA": (8, 6), "I;16": (16, 0)}[mode]
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 1)
    palette = [(b"PLTE", bytes(image.getpalette() or []))] if mode == "P" else []
    parts = [(b"IHDR", header), *palette, (b"IDAT", zlib.compress(stream)), (b"IEND", b"")]
    picture = decode(SIGNATURE + b"".join(chunk(*part) for part in parts))
    flat = image.convert("RGB") if mode == "P" else image.convert("L") if mode == "1" else image
    wanted = np.asarray(flat).reshape(height, width, -1)
    full = 65535 if mode == "I;16" else 255
    assert np.array_equal(np.rint(picture.pixels * full), wanted[..., : picture.channels])


KEPT = [
    (b"cICP", b"\x09\x10\x00\x01"),
    (b"gAMA", struct.pack(">I", 100000)),
    (b"cHRM", bytes(range(32))),
    (b"sRGB", b"\0"),
    (b"tEXt", b"Comment\0hello"),
    (b"zTXt", b"Long\0\0" + zlib.compress(b"x" * 1000)),
    (b"iTXt", b"Title\0\0\0de\0Titel\0Sonne"),
    (b"prVt", b"private and safe to copy"),
]


@pytest.mark.parametrize("depth", [8, 16])
def test_colour_and_text_chunks_are_kept(depth: int) -> None:
    plain = save(pil("RGB"), "PNG") if depth == 8 else bytes(imagecodecs.png_encode(ramp(3, "uint16")))
    again = chunks_of(encode(decode(with_chunks(plain, *KEPT)), "png"))
    assert set(KEPT) <= set(again)
    names = [name for name, _ in again]
    assert max(names.index(name) for name, _ in KEPT) < names.index(b"IDAT")
    assert names[0] == b"IHDR" and names[-1] == b"IEND"


def test_xmp_travels_to_every_format_that_has_it() -> None:
    packet = "<x:xmpmeta>größe</x:xmpmeta>".encode()
    picture = decode(with_chunks(save(pil("RGB"), "PNG"), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet)))
    assert picture.xmp == packet
    for format in ("png", "jpeg", "tiff", "webp"):
        assert decode(encode(picture, format)).xmp == packet  # type: ignore[arg-type]


def test_chunks_that_are_outdated_or_unsafe_are_dropped_and_the_unsafe_named() -> None:
    data = with_chunks(
        save(pil("RGB"), "PNG"),
        (b"sBIT", b"\5\6\5"),
        (b"tIME", bytes(7)),
        (b"caBX", b"signature"),
        (b"bKGD", bytes(6)),
    )
    picture = decode(data + b"tail")
    assert picture.notes == ("PNG chunks that cannot be kept: 4 bytes after the end, bKGD, caBX",)
    assert not {b"sBIT", b"tIME", b"caBX", b"bKGD"} & {name for name, _ in chunks_of(encode(picture, "png"))}


def test_other_formats_say_that_png_chunks_are_left_out_unless_they_only_say_srgb() -> None:
    plain = save(pil("RGB"), "PNG")
    srgb = [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 45455))]
    assert check_encodable(decode(with_chunks(plain, *srgb)), "tiff") == ()
    notes = check_encodable(decode(with_chunks(plain, *KEPT)), "tiff")
    assert notes == (
        "TIFF leaves out cHRM data, cICP data, gAMA data, iTXt data, prVt data, tEXt data, zTXt data",
    )


def test_an_animation_is_refused_until_a_frame_is_chosen() -> None:
    data = seed_files()["apng"]
    with pytest.raises(InputError, match=r"it holds 3 frames; choose one with --page \(1 to 3\)"):
        decode(data)
    for page, shift in ((1, 0), (2, 5), (3, 9)):
        picture = decode(data, page=page)
        assert np.array_equal(np.rint(picture.pixels * 255), np.roll(ramp(3), shift, axis=1))
    for page in (0, 4, -1):
        with pytest.raises(InputError, match=f"page {page} was asked for"):
            decode(data, page=page)
    assert len(chunks_of(encode(decode(data, page=2), "png"))) == 3


def test_an_animation_with_a_picture_for_old_viewers_counts_it_as_a_page() -> None:
    first, second = (Image.fromarray(np.roll(ramp(1)[..., 0], shift, axis=1)) for shift in (0, 7))
    data = save(first, "PNG", save_all=True, append_images=[second, first], default_image=True)
    with pytest.raises(InputError, match="it holds 3 frames"):
        decode(data)
    assert np.array_equal(np.rint(decode(data, page=2).pixels * 255), np.roll(ramp(1), 7, axis=1))


def test_a_16_bit_animation_gives_its_first_frame_only() -> None:
    deep = bytes(imagecodecs.apng_encode(np.stack([ramp(3, "uint16")] * 2)))
    assert decode(deep, page=1).depth == "uint16"
    with pytest.raises(InputError, match="16-bit animations cannot be taken out"):
        decode(deep, page=2)


def test_16_bit_colour_is_written_as_the_specification_says() -> None:
    for channels in (1, 2, 3, 4):
        samples = ramp(channels, "uint16")
        encoded = encode(decode(bytes(imagecodecs.png_encode(samples))), "png")
        assert np.array_equal(plain_png(encoded), samples)


def test_an_exif_with_the_prefix_of_jpeg_is_understood() -> None:
    data = with_chunks(save(pil("RGB"), "PNG"), (b"eXIf", PREFIX + exif()))
    assert decode(data).exif == exif()


def test_a_resolution_without_a_unit_is_kept_as_it_is() -> None:
    aspect = (b"pHYs", struct.pack(">IIB", 2, 1, 0))
    picture = decode(with_chunks(save(pil("L"), "PNG"), aspect))
    assert picture.dpi is None
    assert aspect in chunks_of(encode(picture, "png"))


def test_a_resolution_comes_back_to_the_pixel_per_metre() -> None:
    for per_metre in (2834, 2835, 3937, 11811, 1, 2**31 - 1):
        exact = (b"pHYs", struct.pack(">IIB", per_metre, 1000, 1))
        assert exact in chunks_of(encode(decode(with_chunks(save(pil("L"), "PNG"), exact)), "png"))


def test_the_written_profile_is_whole() -> None:
    picture = decode(save(pil("L"), "PNG", icc_profile=b"profile" * 999))
    with Image.open(io.BytesIO(encode(picture, "png"))) as image:
        assert image.info["icc_profile"] == b"profile" * 999


def test_a_png_of_an_iphone_app_is_not_called_damaged() -> None:
    data = save(pil("RGB"), "PNG")
    with pytest.raises(
        InputError, match=r"\(CgBI\), which is not supported; convert it with Xcode"
    ) as caught:
        decode(data[:8] + chunk(b"CgBI", b"\x50\0\x20\x02") + data[8:])
    assert "damaged" not in str(caught.value)
