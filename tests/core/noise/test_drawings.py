"""Text, diagrams and dithered pictures are distinguished from photographs."""

import numpy as np
import pytest
from skimage import data
from skimage.util import random_noise

from alr_cli.core.noise.drawings import is_drawing


def text(smooth: bool) -> np.ndarray:
    page = data.page() / 255.0
    bilevel = (page > 0.6).astype(np.float32)
    if not smooth:
        return bilevel[..., None]
    return np.asarray(bilevel[:190, :384].reshape(95, 2, 192, 2).mean(axis=(1, 3)), np.float32)[..., None]


def dither() -> np.ndarray:
    camera = data.camera()[::2, ::2] / 255.0
    return (camera > np.random.default_rng(0).random(camera.shape)).astype(np.float32)[..., None]


def pixel_art() -> np.ndarray:
    small = np.random.default_rng(1).choice(8, (32, 32, 3)) / 7.0
    return np.kron(small, np.ones((8, 8, 1))).astype(np.float32)


DRAWINGS = {
    "text": text(False),
    "anti-aliased text": text(True),
    "dither": dither(),
    "pixel art": pixel_art(),
    "few shades": np.rint(data.camera()[::2, ::2, None] / 255.0 * 7).astype(np.float32) / 7,
}
PHOTOGRAPHS = {
    "gray": (data.camera()[..., None] / 255.0).astype(np.float32),
    "colour": (data.coffee() / 255.0).astype(np.float32),
    "blown sky": np.concatenate([np.ones((300, 300, 3)), data.coffee()[:300, :300] / 255.0]).astype(
        np.float32
    ),
    "noisy text": random_noise(text(False), var=0.04, rng=0).astype(np.float32),
    "flat and noisy": random_noise(np.full((64, 64, 1), 0.5), var=1e-5, rng=0).astype(np.float32),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_drawings_are_recognised(name: str) -> None:
    assert is_drawing(DRAWINGS[name])


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_photographs_are_not_drawings(name: str) -> None:
    assert not is_drawing(PHOTOGRAPHS[name])


def test_what_is_unknown_does_not_count() -> None:
    picture = PHOTOGRAPHS["gray"].copy()
    hole = np.zeros(picture.shape[:2], bool)
    hole[:, :450] = True
    picture[hole] = np.nan
    assert not is_drawing(picture)
    picture[:, 450:] = 0.5
    assert is_drawing(np.nan_to_num(picture, nan=0.123), hole)
