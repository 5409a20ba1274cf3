"""Reading and writing every mode of every format, checked by other decoders."""

import io
from dataclasses import replace
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from alr_cli.errors import OutputError
from alr_cli.files.pictures import FORMATS, Depth, Format, Picture, check_encodable, decode, encode
from tests.files.seeds import PREFIX, SIZE, exif, icc, pil, plain_png, ramp, save, tiff, with_chunks

ICC, EXIF = icc(), exif()
MODES = (
    "1",
    "L",
    "LA",
    "P",
    "P+tRNS",
    "RGB",
    "RGBA",
    "I;16",
    "LA16",
    "RGB16",
    "RGBA16",
    "gray float",
    "RGB float",
)
DEEP = {"I;16": 1, "LA16": 2, "RGB16": 3, "RGBA16": 4}
FLOAT = {"gray float": 1, "RGB float": 3}


def source(format: Format, mode: str, metadata: bool = False) -> bytes | None:
    """A file written by another encoder, or None if the format does not have this mode."""
    tags: dict[str, Any] = {"icc_profile": ICC, "exif": PREFIX + EXIF, "dpi": (300, 150)} if metadata else {}
    channels = DEEP.get(mode) or FLOAT.get(mode)
    if channels:
        samples = ramp(channels, "uint16" if mode in DEEP else "float32")
        if format == "tiff":
            return _tiff(samples, metadata)
        if mode in FLOAT or format not in ("png", "pnm") or (format == "pnm" and channels in (2, 4)):
            return None
        if format == "pnm":
            kind = 5 if channels == 1 else 6
            return f"P{kind} {SIZE[1]} {SIZE[0]} 65535\n".encode() + samples.astype(">u2").tobytes()
        png = bytes(imagecodecs.png_encode(samples))
        donor = save(pil("RGB"), "PNG", **tags)
        return png[:33] + donor[33 : donor.index(b"IDAT") - 4] + png[33:]
    image = pil(mode)
    held = {
        "png": MODES,
        "jpeg": ("L", "RGB"),
        "tiff": ("1", "L", "LA", "P", "RGB", "RGBA"),
        "webp": ("RGB", "RGBA"),
        "bmp": ("1", "L", "P", "RGB"),
        "pnm": ("1", "L", "RGB"),
    }
    if mode not in held[format]:
        return None
    options = {"webp": {"lossless": True, "exact": True}, "jpeg": {"quality": 95, "subsampling": 0}}
    name = {"pnm": "PPM"}.get(format, format.upper())
    return save(image, name, **options.get(format, {}), **(tags if format not in ("bmp", "pnm") else {}))


def _tiff(samples: NDArray[Any], metadata: bool) -> bytes:
    channels = samples.shape[2]
    more: dict[str, Any] = {}
    if metadata:
        tags = [(274, 3, 1, 6, False), (271, 2, 6, "Maker", False)]
        more = {"iccprofile": ICC, "resolution": (300, 150), "resolutionunit": 2, "extratags": tags}
    return tiff(
        samples[..., 0] if channels == 1 else samples,
        photometric="minisblack" if channels < 3 else "rgb",
        planarconfig=None if channels == 1 else "contig",
        extrasamples=["unassalpha"] if channels in (2, 4) else None,
        **more,
    )


def independent(data: bytes, format: Format) -> NDArray[Any]:
    """(H, W, channels) as another decoder reads the file, with palettes expanded, in the file's numbers."""
    if format == "tiff":
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[0]
            samples = page.asarray()
            if page.photometric == 3:
                samples = np.moveaxis(page.colormap[:, samples] // 256, 0, -1).astype(np.uint8)
    elif format == "png" and data[24] == 16:
        samples = plain_png(data)
    elif data[:2] in (b"P5", b"P6") and b"65535" in data[:20]:
        samples = np.frombuffer(data[data.index(b"65535") + 6 :], ">u2").reshape(*SIZE, -1).astype(np.uint16)
    else:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode == "P":
                image = image.convert("RGBA" if image.has_transparency_data else "RGB")
            samples = np.asarray(image.convert("L") if image.mode == "1" else image)
    if samples.dtype == bool:
        samples = samples * np.uint8(255)
    return samples.reshape(*samples.shape[:2], -1)


CASES = [(format, mode) for format in FORMATS for mode in MODES if source(format, mode) is not None]


@pytest.mark.parametrize(("format", "mode"), CASES)
def test_samples_survive_in_their_own_format(format: Format, mode: str) -> None:
    data = source(format, mode)
    assert data is not None
    before = independent(data, format)
    after = independent(encode(decode(data), format), format)
    assert after.dtype == before.dtype
    if format == "jpeg":
        assert np.abs(after.astype(float) - before).max() <= 3
    else:
        assert np.array_equal(after, before)


@pytest.mark.parametrize(("format", "mode"), CASES)
def test_pixels_are_the_stored_numbers_on_zero_to_one(format: Format, mode: str) -> None:
    data = source(format, mode)
    assert data is not None
    picture, samples = decode(data), independent(data, format)
    full = {"uint8": 255, "uint16": 65535, "float32": 1}[picture.depth]
    assert picture.depth == samples.dtype.name
    assert picture.pixels.dtype == np.float32
    assert picture.shape == (*SIZE, samples.shape[2] - (picture.alpha is not None))
    assert np.abs(picture.pixels - samples[..., : picture.channels] / full).max() < 1e-7
    if picture.alpha is not None:
        assert np.abs(picture.alpha - samples[..., -1] / full).max() < 1e-7
        assert picture.alpha.shape == SIZE
    assert (picture.alpha is not None) == (mode in ("LA", "P+tRNS", "RGBA", "LA16", "RGBA16"))


@pytest.mark.parametrize(
    ("format", "mode"), [case for case in CASES if case[0] in ("png", "jpeg", "tiff", "webp")]
)
def test_profile_exif_and_resolution_survive_in_their_own_format(format: Format, mode: str) -> None:
    data = source(format, mode, metadata=True)
    assert data is not None
    picture = decode(data)
    again = encode(picture, format)
    assert picture.icc == ICC
    assert picture.exif is not None
    assert (decode(again).icc, decode(again).exif, decode(again).dpi) == (
        picture.icc,
        picture.exif,
        picture.dpi,
    )
    if format == "tiff" and mode in (*DEEP, *FLOAT):  # Pillow does not open all of these
        with tifffile.TiffFile(io.BytesIO(again)) as file:
            tags = file.pages[0].tags
            assert (tags[34675].value, tags[274].value, tags[271].value) == (ICC, 6, "Maker")
            assert (tags[282].value, tags[283].value, tags[296].value) == ((300, 1), (150, 1), 2)
        return
    with Image.open(io.BytesIO(again)) as image, Image.open(io.BytesIO(data)) as original:
        assert image.info["icc_profile"] == ICC
        assert image.getexif()[274] == 6
        assert dict(image.getexif().get_ifd(34665)) == dict(original.getexif().get_ifd(34665)) != {}
        assert dict(image.getexif().get_ifd(34853)) == dict(original.getexif().get_ifd(34853)) != {}
        if format != "webp":  # there the resolution is part of the EXIF
            assert image.info["dpi"] == pytest.approx((300, 150), rel=1e-4)


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_becomes_every_format_or_is_refused_for_a_reason(mode: str, target: Format) -> None:
    data = source("png", mode) or source("tiff", mode)
    assert data is not None
    picture = decode(data)
    depths = {"png": 2, "tiff": 3, "pnm": 2}
    too_deep = ("uint8", "uint16", "float32").index(picture.depth) >= depths.get(target, 1)
    no_alpha = picture.alpha is not None and target in ("jpeg", "bmp", "pnm")
    if too_deep or no_alpha:
        with pytest.raises(
            OutputError, match=r"--depth \d+ or write" if too_deep else "--drop-alpha or write"
        ):
            check_encodable(picture, target)
        with pytest.raises(OutputError):
            encode(picture, target)
        picture = replace(picture, notes=())
        encoded = encode(picture, target, depth="uint8", drop_alpha=True)
    else:
        encoded = encode(picture, target)
    back = decode(encoded)
    assert back.format == target
    wanted = picture.pixels if target != "webp" else np.broadcast_to(picture.pixels, back.shape)
    level = 0.5 / 255 if (too_deep or no_alpha) and picture.depth != "uint8" else 0
    if target == "jpeg":
        samples = np.rint(picture.pixels * 255).astype(np.uint8)
        image = Image.fromarray(samples[..., 0] if picture.channels == 1 else samples)
        wanted = decode(save(image, "JPEG", quality=95, subsampling=0)).pixels
        level = 0
    assert np.abs(back.pixels - wanted).max() <= level + 1e-6
    if picture.alpha is not None and target in ("png", "tiff", "webp"):
        assert back.alpha is not None
        assert np.abs(back.alpha - picture.alpha).max() <= level + 1e-6


@pytest.mark.parametrize("format", ["png", "tiff", "pnm"])
@pytest.mark.parametrize("depth", ["uint8", "uint16"])
def test_every_number_of_a_depth_survives(format: Format, depth: Depth) -> None:
    numbers = np.arange(np.iinfo(depth).max + 1)
    side = int(np.sqrt(numbers.size))
    pixels = (numbers / numbers[-1]).astype(np.float32).reshape(side, side, 1)
    picture = decode(encode(Picture(pixels, depth, "png"), format))
    assert np.array_equal(np.rint(picture.pixels.ravel() * numbers[-1]), numbers)
    assert np.array_equal(decode(encode(picture, format)).pixels, picture.pixels)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (3, 5), (4, 4), (2, 3), (17, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_and_misleading_shapes_survive(format: Format, shape: tuple[int, int], channels: int) -> None:
    pixels = np.full((*shape, channels), 0.2, np.float32)
    back = decode(encode(Picture(pixels, "uint8", "png"), format))
    assert back.pixels.shape == (*shape, 3 if format == "webp" else channels)
    assert np.abs(back.pixels - 0.2).max() < 1 / 255


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_picture_gives_the_same_bytes(format: Format) -> None:
    data = source(format, "RGB", metadata=True)
    assert data is not None
    assert encode(decode(data), format) == encode(decode(data), format)
    assert b"tifffile" not in encode(decode(data), format)


def test_restored_pixels_are_rounded_to_nearest_and_clamped() -> None:
    values = np.array(
        [[-0.5, 0.0, 0.4999 / 255, 0.5001 / 255, 254.4 / 255, 254.6 / 255, 1.0, 7.0]], np.float32
    )
    back = decode(encode(Picture(values[..., None], "uint8", "png"), "png"))
    assert np.rint(back.pixels[0, :, 0] * 255).tolist() == [0, 0, 0, 1, 254, 255, 255, 255]


@pytest.mark.parametrize(
    ("depth", "name"), [("uint16", "uint16"), ("float32", "float32"), ("uint8", "uint8")]
)
def test_a_chosen_depth_is_written(depth: Depth, name: str) -> None:
    picture = decode(source("png", "RGBA") or b"")
    samples = independent(encode(picture, "tiff", depth=depth), "tiff")
    factor = {"uint8": 1, "uint16": 257, "float32": np.float32(1 / 255)}[depth]
    assert samples.dtype.name == name
    assert np.allclose(samples, ramp(4) * np.float64(factor), rtol=1e-6)


def test_restored_pixels_take_the_place_of_the_old_ones() -> None:
    picture = decode(source("png", "RGBA", metadata=True) or b"")
    restored = picture.with_pixels(picture.pixels[::-1].astype(np.float64))
    back = decode(encode(restored, "png"))
    assert np.array_equal(back.pixels, picture.pixels[::-1])
    assert back.alpha is not None and picture.alpha is not None
    assert np.array_equal(back.alpha, picture.alpha)
    assert (back.icc, back.exif, back.dpi) == (picture.icc, picture.exif, picture.dpi)
    with pytest.raises(ValueError, match="restored pixels"):
        picture.with_pixels(picture.pixels[:-1])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("alpha", [False, True])
def test_arrays_of_any_memory_layout_are_written(format: Format, alpha: bool) -> None:
    pixels = np.random.default_rng(0).random((12, 20, 3), np.float32)
    mask = pixels[..., 0].copy() if alpha else None
    expected = encode(Picture(pixels, "uint8", format, alpha=mask), format, drop_alpha=True)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).transpose(1, 2, 0)  # as torch has it
    every_second = np.repeat(pixels, 2, axis=1)[:, ::2]
    for layout in (planes, np.asfortranarray(pixels), every_second, pixels[::-1].copy()[::-1]):
        assert not layout.flags.c_contiguous
        picture = Picture(layout, "uint8", format, alpha=None if mask is None else np.asfortranarray(mask))
        assert encode(picture, format, drop_alpha=True) == expected


def test_pixels_that_are_not_finite_are_only_written_to_floats() -> None:
    picture = Picture(np.full((2, 2, 1), np.nan, np.float32), "uint8", "png")
    with pytest.raises(OutputError, match="not finite"):
        encode(picture, "png")
    assert np.isnan(tifffile.imread(io.BytesIO(encode(picture, "tiff", depth="float32")))).all()


def test_a_picture_between_formats_keeps_profile_exif_and_resolution() -> None:
    picture = decode(source("jpeg", "RGB", metadata=True) or b"")
    for format in ("png", "tiff", "webp", "png", "jpeg"):
        picture = decode(encode(picture, format))  # type: ignore[arg-type]
        with Image.open(io.BytesIO(encode(picture, picture.format))) as image:
            assert image.getexif()[274] == 6
            assert image.getexif().get_ifd(34853)[1] == "N"
            assert image.getexif().get_ifd(34665)[33434] == 0.005
            assert image.info["icc_profile"] == ICC


def test_chunks_can_be_added_to_a_test_file() -> None:
    """Checks the helper that other tests use."""
    data = with_chunks(save(pil("L"), "PNG"), (b"tEXt", b"Comment\0hello"))
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        assert image.info["Comment"] == "hello"
