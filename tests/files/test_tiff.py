"""TIFF: every arrangement of samples compared with tifffile, pages, descriptive tags, refusals by name."""

import io
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from alr_cli.errors import InputError
from alr_cli.files.pictures import decode, encode
from tests.files.seeds import PREFIX, exif, palette_tiff, pil, ramp, save, tiff


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "zstd"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_arrangement_of_samples_is_read(dtype: str, compression: str | None, order: str) -> None:
    for planar in ("contig", "separate"):
        for tile in (None, (16, 32)):
            for big in (False, True):
                for predictor in (False, True) if compression in ("zlib", "lzw", "zstd") else (False,):
                    samples = ramp(4, dtype)
                    data = tiff(
                        samples if planar == "contig" else np.moveaxis(samples, -1, 0).copy(),
                        photometric="rgb",
                        planarconfig=planar,
                        extrasamples=["unassalpha"],
                        byteorder=order,
                        compression=compression,
                        predictor=predictor,
                        tile=tile,
                        bigtiff=big,
                    )
                    picture = decode(data)
                    full = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
                    assert picture.depth == dtype
                    assert np.abs(picture.pixels - samples[..., :3] / np.float32(full)).max() < 1e-7
                    assert picture.alpha is not None
                    assert np.abs(picture.alpha - samples[..., 3] / np.float32(full)).max() < 1e-7


@pytest.mark.parametrize("shape", [(3, 4, 3), (4, 3, 3), (3, 3, 3), (2, 3, 4), (1, 3, 3)])
def test_axes_follow_the_tags_and_not_the_shape(shape: tuple[int, int, int]) -> None:
    samples = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    extra = ["unassalpha"] * (shape[2] - 3)
    for planar in ("contig", "separate"):
        stored = samples if planar == "contig" else np.moveaxis(samples, -1, 0).copy()
        picture = decode(tiff(stored, photometric="rgb", planarconfig=planar, extrasamples=extra))
        assert np.array_equal(np.rint(picture.pixels * 255), samples[..., :3])


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 10, 12, 14])
def test_unusual_integers_are_scaled_to_their_own_maximum(bits: int) -> None:
    numbers = (ramp(1, "uint16")[..., 0] >> (16 - bits)).astype(np.uint8 if bits <= 8 else np.uint16)
    stored = numbers.astype(bool) if bits == 1 else numbers
    picture = decode(tiff(stored, photometric="minisblack", bitspersample=bits))
    assert np.abs(picture.pixels[..., 0] - numbers / (2**bits - 1)).max() < 1e-7
    assert picture.notes == (f"{bits}-bit samples are written back as {8 if bits < 8 else 16}-bit",)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_floats_are_read_with_a_note(dtype: str) -> None:
    picture = decode(tiff(ramp(3, "float32").astype(dtype), photometric="rgb"))
    assert picture.depth == "float32"
    assert np.allclose(picture.pixels, ramp(3, "float32"), atol=1e-3)
    assert picture.notes == (f"{dtype[5:]}-bit samples are written back as 32-bit",)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16"])
def test_min_is_white_is_inverted(dtype: str) -> None:
    samples = ramp(1)[..., 0] > 100 if dtype == "bool" else ramp(1, dtype)[..., 0]
    picture = decode(tiff(samples, photometric="miniswhite"))
    full = 1 if dtype == "bool" else np.iinfo(dtype).max
    assert np.abs(picture.pixels[..., 0] - (1 - samples.astype(float) / full)).max() < 1e-6
    assert "MinIsWhite inverted: it is written back as MinIsBlack" in picture.notes


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("factor", [257, 256, 251, 1])
def test_palettes_are_expanded(factor: int, bits: int, compression: str | None) -> None:
    """16-bit palettes, and 8-bit palettes that were multiplied by 257, by 256 or not at all."""
    rng = np.random.default_rng(bits)
    colours = rng.integers(0, 256, (3, 2**bits))
    colours[:, -1] = 255
    data = palette_tiff(ramp(1)[..., 0] >> (8 - bits), colours * factor, bits, compression)
    picture = decode(data)
    depth, full = ("uint16", 65535) if factor == 251 else ("uint8", 255)
    wanted = np.moveaxis(colours[:, ramp(1)[..., 0] >> (8 - bits)], 0, -1) * (251 if factor == 251 else 1)
    assert picture.depth == depth
    assert np.array_equal(np.rint(picture.pixels * full), wanted)
    assert picture.notes == ("palette expanded to RGB",)


def test_fax_compression_is_read() -> None:
    wanted = np.asarray(pil("1").convert("L"))
    for name in ("group3", "group4", "tiff_ccitt"):
        picture = decode(save(pil("1"), "TIFF", compression=name))
        assert np.array_equal(picture.pixels[..., 0] * 255, wanted)


def test_premultiplied_alpha_is_divided_out_and_looks_the_same() -> None:
    samples = ramp(4).astype(float)
    premultiplied = np.rint(samples * [1, 1, 1, 0] * samples[..., 3:] / 255 + samples * [0, 0, 0, 1])
    data = tiff(premultiplied.astype(np.uint8), photometric="rgb", extrasamples=["assocalpha"])
    picture = decode(data)
    assert "premultiplied alpha divided out" in picture.notes
    back = decode(encode(picture, "tiff"))
    assert back.alpha is not None
    shown = np.rint(back.pixels * back.alpha[..., None] * 255)
    assert np.abs(shown - premultiplied[..., :3]).max() <= 1
    assert decode(encode(back, "tiff")).notes == ()


def test_pages_are_chosen_by_number_from_1() -> None:
    pages = np.stack([ramp(1)[..., 0], 255 - ramp(1)[..., 0]])
    data = tiff(pages, photometric="minisblack")
    with pytest.raises(InputError, match=r"it holds 2 pages; choose one with --page \(1 to 2\)"):
        decode(data)
    for page in (1, 2):
        assert np.array_equal(np.rint(decode(data, page=page).pixels[..., 0] * 255), pages[page - 1])
    with pytest.raises(InputError, match="page 3 was asked for, but it holds 2 pages, counted from 1"):
        decode(data, page=3)
    assert len(tifffile.TiffFile(io.BytesIO(encode(decode(data, page=2), "tiff"))).pages) == 1


def test_a_reduced_copy_behind_the_page_is_no_page_of_its_own() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(ramp(3), photometric="rgb", metadata=None)
        writer.write(ramp(3)[::4, ::4].copy(), photometric="rgb", subfiletype=1, metadata=None)
    picture = decode(file.getvalue())
    assert picture.shape == (24, 37, 3)
    assert picture.notes == ("1 reduced-size copies of the page cannot be kept",)
    assert decode(file.getvalue(), page=2).shape == (6, 10, 3)


def test_floats_stay_unchanged_with_a_note_on_their_range() -> None:
    samples = ramp(3, "float32") * 1.5 - 0.25
    picture = decode(tiff(samples, photometric="rgb"))
    assert np.array_equal(picture.pixels, samples)
    assert picture.notes == ("values outside [0,1]: min -0.25, max 1.25",)
    assert np.array_equal(tifffile.imread(io.BytesIO(encode(picture, "tiff"))), samples)


def test_nan_is_refused_unless_it_is_allowed_and_infinity_always() -> None:
    samples = ramp(3, "float32")
    samples[2, 3] = np.nan
    data = tiff(samples, photometric="rgb")
    with pytest.raises(InputError, match="3 of its values are NaN; fill them with alr inpaint"):
        decode(data)
    picture = decode(data, allow_nan=True)
    assert np.array_equal(picture.pixels, samples, equal_nan=True)
    assert picture.notes == ("3 values are NaN",)
    samples[0, 0] = np.inf
    for allowed in (False, True):
        with pytest.raises(InputError):
            decode(tiff(samples, photometric="rgb"), allow_nan=allowed)
    with pytest.raises(InputError, match="infinite"):
        decode(tiff(np.full((2, 2), 1e300), photometric="minisblack"))


def test_descriptive_tags_of_all_kinds_are_kept_bit_for_bit() -> None:
    tags: list[tuple[Any, ...]] = [
        (270, 2, 0, "a description", False),
        (33432, 2, 0, "somebody", False),
        (33550, 12, 3, (0.5, 0.5, 0.0), False),  # GeoTIFF
        (65000, 7, 5, b"\0\1\2\3\4", False),
        (65001, 3, 2, (7, 8), False),
    ]
    data = tiff(ramp(3), photometric="rgb", extratags=tags, byteorder=">")
    with tifffile.TiffFile(io.BytesIO(encode(decode(data), "tiff"))) as file:
        kept = file.pages[0].tags
        assert file.byteorder == ">"
        assert (kept[270].value, kept[33432].value) == ("a description", "somebody")
        assert (kept[33550].value, kept[65000].value, kept[65001].value) == (
            (0.5, 0.5, 0.0),
            b"\0\1\2\3\4",
            (7, 8),
        )


def test_exif_directories_are_kept_through_tiff() -> None:
    data = save(pil("RGB"), "TIFF", exif=PREFIX + exif())
    again = encode(decode(data), "tiff")
    for before, after in ((data, again), (again, encode(decode(again), "tiff"))):
        with Image.open(io.BytesIO(before)) as first, Image.open(io.BytesIO(after)) as second:
            for directory in (34665, 34853):
                known = dict(first.getexif().get_ifd(directory))
                assert known == dict(second.getexif().get_ifd(directory)) != {}
            assert second.getexif()[274] == 6
            assert np.array_equal(np.asarray(first), np.asarray(second))


def test_a_resolution_per_centimetre_is_understood() -> None:
    data = tiff(ramp(3), photometric="rgb", resolution=(100, 50), resolutionunit="CENTIMETER")
    picture = decode(data)
    assert picture.dpi == (254.0, 127.0)
    assert decode(encode(picture, "tiff")).dpi == (254.0, 127.0)
    assert decode(tiff(ramp(3), photometric="rgb")).dpi is None
