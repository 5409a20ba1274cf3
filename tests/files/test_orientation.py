"""Pictures are processed as they are displayed, and stay in their files as they were stored."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageOps

from alr_cli.files.orientation import as_stored, orientation_of, upright
from alr_cli.files.pictures import FORMATS, Format, check_encodable, decode, encode
from tests.files.seeds import PREFIX, exif, pil, ramp, save

TAGGED: tuple[Format, ...] = ("png", "jpeg", "tiff", "webp")
LOSSLESS = {"webp": {"lossless": True, "exact": True}, "jpeg": {"quality": 95, "subsampling": 0}}


def stored(format: Format, orientation: int, mode: str = "RGB") -> bytes:
    block = PREFIX + exif(orientation)
    return save(pil(mode), format.upper(), exif=block, **LOSSLESS.get(format, {}))


def seen(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", TAGGED)
def test_pixels_are_as_viewers_show_them(format: Format, orientation: int) -> None:
    picture = decode(stored(format, orientation))
    assert np.array_equal(np.rint(picture.pixels * 255), seen(stored(format, orientation)))
    assert picture.shape[:2] == ((24, 37) if orientation < 5 else (37, 24))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", TAGGED)
def test_stored_pixels_keep_their_order(format: Format, orientation: int) -> None:
    data = stored(format, orientation)
    picture = decode(data)
    for strip in (False, True):
        again = encode(picture, format, strip=strip)
        with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(again)) as after:
            assert after.size == before.size
            assert after.getexif().get(274, 1) == orientation
            distance = np.abs(np.asarray(after).astype(int) - np.asarray(before)).max()
            assert distance <= (3 if format == "jpeg" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("target", FORMATS)
def test_the_displayed_picture_is_the_same_in_every_format(target: Format, orientation: int) -> None:
    data = stored("png", orientation)
    distance = np.abs(seen(encode(decode(data), target)).astype(int) - seen(data)).max()
    assert distance <= (16 if target == "jpeg" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_alpha_and_an_uneven_resolution_turn_with_the_picture(orientation: int) -> None:
    data = stored("tiff", orientation, "RGBA")
    picture = replace(decode(data), dpi=(300.0, 150.0))
    assert picture.alpha is not None
    assert picture.alpha.shape == picture.shape[:2]
    back = as_stored(picture)
    assert back.alpha is not None
    assert np.array_equal(np.rint(back.alpha * 255), ramp(4)[..., 3])
    assert back.dpi == ((300.0, 150.0) if orientation < 5 else (150.0, 300.0))
    assert upright(back).dpi == picture.dpi
    assert decode(encode(picture, "tiff")).dpi == picture.dpi
    assert check_encodable(picture, "tiff") == ()


@pytest.mark.parametrize("orientation", [0, 9, 255])
def test_an_orientation_without_a_meaning_turns_nothing(orientation: int) -> None:
    assert orientation_of(exif(orientation)) == 1
    picture = decode(stored("png", orientation))
    assert np.array_equal(np.rint(picture.pixels * 255), ramp(3))
    assert picture.exif is not None and decode(encode(picture, "png")).exif == picture.exif
    assert orientation_of(None) == orientation_of(b"broken") == 1
