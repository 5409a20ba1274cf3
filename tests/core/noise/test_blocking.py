"""The blocks of strongly compressed pictures are detected, and averaging removes them."""

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from alr_cli.core.noise.blocking import VISIBLE, blockiness, shrunk


def saved(picture: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


@pytest.mark.parametrize("picture", [data.coffee(), data.chelsea()], ids=["coffee", "chelsea"])
def test_strong_compression_is_visible_and_weak_is_not(picture: np.ndarray) -> None:
    assert blockiness(saved(picture, 40)) > VISIBLE
    assert blockiness(saved(picture, 97)) < VISIBLE
    assert blockiness(picture) < VISIBLE


def test_averaging_makes_the_blocks_vanish() -> None:
    assert blockiness(shrunk(saved(data.coffee(), 40), 2)) < VISIBLE


def test_the_type_of_the_pixels_does_not_matter() -> None:
    picture = saved(data.chelsea(), 60)
    assert blockiness(picture) == pytest.approx(blockiness(picture.astype(np.float32) / 255), rel=1e-4)


@pytest.mark.parametrize("picture", [np.zeros((100, 100, 3), np.uint8), np.zeros((20, 300, 1), np.float32)])
def test_constant_and_tiny_pictures_have_no_blocks(picture: np.ndarray) -> None:
    assert blockiness(picture) == 1.0


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shrinking_averages(dtype: type) -> None:
    picture = np.arange(5 * 7 * 3).reshape(5, 7, 3).astype(dtype)
    small = shrunk(picture, 2)
    assert small.shape == (2, 3, 3) and small.dtype == dtype
    expected = picture[2:4, 4:6].astype(float).mean(axis=(0, 1))
    np.testing.assert_allclose(small[1, 2], np.rint(expected) if dtype is np.uint8 else expected)
    assert shrunk(picture, 1) is picture
