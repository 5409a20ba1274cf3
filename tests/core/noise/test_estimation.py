"""Levels by brightness and correlations, estimated from pictures with known noise."""

import numpy as np
import pytest
import torch
from skimage import data
from skimage.transform import downscale_local_mean

from alr_cli.core.noise.estimation import estimate_noise
from alr_cli.core.noise.field import NoiseField
from alr_cli.core.noise.model import NoiseModel
from tests.core.noise.test_model import a_model
from tests.core.toys import seeded


def shades(height: int = 256, width: int = 256, channels: int = 3) -> np.ndarray:
    """Every brightness in every channel, with hardly any structure."""
    y, x = np.mgrid[:height, :width] / np.array([height, width]).reshape(2, 1, 1)
    return (0.05 + 0.9 * np.stack([x, y, 1 - x], axis=-1)[..., :channels]).astype(np.float32)


def photograph() -> np.ndarray:
    """Texture, edges and flat areas, (200, 300, 3), reduced so that its own noise is small."""
    return downscale_local_mean(data.coffee() / 255.0, (2, 2, 1)).astype(np.float32)


def with_noise(clean: np.ndarray, model: NoiseModel, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    batch = torch.from_numpy(clean.transpose(2, 0, 1))[None]
    return (
        NoiseField([model]).add(batch, scale * model.nominal, seeded(seed))[0][0].numpy().transpose(1, 2, 0)
    )


def found(noisy: np.ndarray) -> NoiseModel:
    model = estimate_noise(noisy)
    assert model is not None
    return model


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_the_levels_of_correlated_noise_are_found_at_every_brightness(channels: int, scale: float) -> None:
    truth = a_model(channels)
    estimate = found(with_noise(shades(channels=channels), truth, scale))
    np.testing.assert_allclose(estimate.sigma[:, 2:-2], scale * truth.sigma[:, 2:-2], rtol=0.17)
    assert estimate.level(shades(channels=channels)) == pytest.approx(
        scale * truth.level(shades(channels=channels)), rel=0.08
    )


def test_the_correlations_are_found() -> None:
    truth = a_model()
    estimate = found(with_noise(shades(), truth))
    np.testing.assert_allclose(estimate.correlation, truth.correlation, atol=0.12)


@pytest.mark.parametrize("sigma", [0.02, 0.1])
def test_white_noise_is_recognised(sigma: float) -> None:
    estimate = found(with_noise(shades(), NoiseModel.white(sigma, 3)))
    np.testing.assert_allclose(estimate.sigma, sigma, rtol=0.12)
    beyond = estimate.correlation.copy()
    beyond[range(3), range(3), 0, 0] = 0
    assert np.abs(beyond).max() < 0.08


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_noise_of_a_photograph_is_not_its_texture(scale: float) -> None:
    truth, clean = a_model(), photograph()
    estimate = found(with_noise(clean, truth, scale))
    assert estimate.level(clean) == pytest.approx(scale * truth.level(clean), rel=0.25)


def test_clipping_and_rounding_to_8_bits_change_little() -> None:
    truth, clean = a_model(), shades()
    noisy = np.rint(with_noise(clean, truth).clip(0, 1) * 255).astype(np.float32) / 255
    assert found(noisy).level(clean) == pytest.approx(truth.level(clean), rel=0.08)


def test_a_picture_without_noise_has_hardly_any() -> None:
    half = shades(256, 300)
    half[128:] = photograph()[:128]
    assert found(shades()).level(shades()) < 0.001
    assert found(half).level(half) < 0.006


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_picture_of_one_colour_has_none_or_cannot_tell(level: float) -> None:
    estimate = estimate_noise(np.full((64, 64, 3), level, np.float32))
    assert estimate is None if level in (0.0, 1.0) else estimate is not None
    if estimate is not None:
        assert estimate.sigma.max() < 1e-3


def test_masked_and_infinite_pixels_do_not_count() -> None:
    noisy = with_noise(shades(), NoiseModel.white(0.05, 3))
    mask = np.zeros(noisy.shape[:2], bool)
    mask[:100], noisy[:100] = True, 7.0
    noisy[200:, 200] = np.nan
    estimate = estimate_noise(noisy, mask)
    assert estimate is not None
    assert estimate.sigma[0, 8] == pytest.approx(0.05, rel=0.12)


@pytest.mark.parametrize("shape", [(8, 200, 3), (15, 15, 1), (20, 30, 3)])
def test_too_small_a_picture_cannot_tell(shape: tuple[int, int, int]) -> None:
    assert estimate_noise(np.random.default_rng(0).random(shape).astype(np.float32)) is None


def test_the_answer_is_the_same_every_time() -> None:
    noisy = with_noise(shades(), a_model())
    first, second = found(noisy), found(noisy)
    np.testing.assert_array_equal(first.sigma, second.sigma)
    np.testing.assert_array_equal(first.correlation, second.correlation)
