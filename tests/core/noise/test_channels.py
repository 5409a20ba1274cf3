"""The channels of a picture have different noise."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from alr_cli.core.noise.channels import noise_by_channel
from alr_cli.core.noise.finding import Kind, find_noise
from alr_cli.core.noise.variation import Variation
from tests.core.noise.test_estimation import shades

LEVELS = np.array([9.0, 4.0, 6.0]) / 255
BLUE = np.array([0.3, 0.5, 1.0])


def noise(levels: np.ndarray, side: int = 256) -> np.ndarray:
    """Independent noise (H, W, 3) of the channels, blurred by a pixel."""
    white = np.random.default_rng(0).standard_normal((side, side, 3))
    smooth = gaussian_filter(white, (1, 1, 0))
    return levels * smooth / smooth.std()


def as_file(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(255 * pixels.clip(0, 1)) / 255, np.float32)


def sky() -> np.ndarray:
    """A blue ramp, whose channels are never equally bright."""
    return shades(channels=1).clip(0.1, 0.85) * BLUE


def test_each_channel_has_its_own_level() -> None:
    found = find_noise(as_file(sky() + noise(LEVELS)))
    assert found.kind is Kind.CORRELATED
    assert found.model is not None
    levels = np.sqrt(np.mean(found.model.sigma_at(sky()) ** 2, axis=(0, 1)))
    assert levels == pytest.approx(LEVELS, rel=0.2)


def test_texture_of_one_colour_does_not_count_as_noise_of_a_channel() -> None:
    """Threads of red vary more than the noise, and hide the levels of the channels."""
    level = np.full(3, 5 / 255)
    pixels = sky() + noise(level)
    seen = Variation.of(as_file(pixels), None)
    assert seen is not None
    rng = np.random.default_rng(1)
    threads = gaussian_filter(rng.standard_normal(pixels.shape[:2]), 1)
    pixels[..., 0] += 4 * level[0] * threads / threads.std()
    textured = Variation.of(as_file(pixels), None)
    assert textured is not None
    model = noise_by_channel(textured, seen.parts)
    assert model.sigma_at(sky()).mean() == pytest.approx(level[0], rel=0.25)
    assert model.middle_levels.max() < 1.4 * model.middle_levels.min()
