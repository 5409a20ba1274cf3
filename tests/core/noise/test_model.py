"""Noise models: levels by brightness, correlations, and what is refused."""

import json

import numpy as np
import pytest

from alr_cli.core.noise.model import KNOTS, LAGS, NoiseModel, pooled


def a_model(channels: int = 3, scale: float = 1.0) -> NoiseModel:
    """Levels that rise and fall with brightness, and correlated neighbours and channels."""
    lags = np.arange(LAGS)
    space = 0.6 ** np.add.outer(lags, lags)
    colours = np.full((channels, channels), 0.4) + 0.6 * np.eye(channels)
    levels = 0.01 + 0.03 * np.sin(np.pi * np.linspace(0, 1, KNOTS))
    sigma = scale * np.stack([levels * (1 + 0.2 * channel) for channel in range(channels)])
    return NoiseModel(sigma, colours[..., None, None] * space)


def test_levels_are_linear_between_the_knots() -> None:
    model = a_model(2)
    at = 3.25 / (KNOTS - 1)
    expected = 0.75 * model.sigma[:, 3] + 0.25 * model.sigma[:, 4]
    np.testing.assert_allclose(model.sigma_at(np.full((1, 1, 2), at))[0, 0], expected)


@pytest.mark.parametrize(("brightness", "knot"), [(0.0, 0), (1.0, -1), (-0.3, 0), (1.2, -1)])
def test_beyond_the_range_the_levels_stay_what_they_are_at_its_ends(brightness: float, knot: int) -> None:
    model = a_model()
    np.testing.assert_allclose(model.sigma_at(np.full((1, 1, 3), brightness))[0, 0], model.sigma[:, knot])


def test_the_level_of_a_picture_is_a_root_mean_square() -> None:
    model = a_model(1)
    picture = np.array([[[0.0], [0.5]]])
    expected = np.sqrt((model.sigma[0, 0] ** 2 + model.sigma[0, KNOTS // 2] ** 2) / 2)
    assert model.level(picture) == pytest.approx(expected)
    assert NoiseModel.white(0.1, 3).nominal == pytest.approx(0.1)
    assert model.scaled(3).level(picture) == pytest.approx(3 * expected)


@pytest.mark.parametrize("height", [1, 127, 128, 300, 1000])
def test_the_level_of_a_picture_of_any_height_is_that_of_all_its_pixels(height: int) -> None:
    rng = np.random.default_rng(0)
    model = NoiseModel(
        rng.random((3, KNOTS)), np.eye(3)[..., None, None] * np.eye(LAGS)[0, :, None] * np.eye(LAGS)[0]
    )
    picture = rng.random((height, 7, 3)) ** 2
    assert model.level(picture) == pytest.approx(np.sqrt(np.mean(model.sigma_at(picture) ** 2)), rel=1e-12)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_model_survives_json_to_four_digits(channels: int) -> None:
    model = a_model(channels, scale=0.123456)
    again = NoiseModel.from_dict(json.loads(json.dumps(model.as_dict())))
    np.testing.assert_allclose(again.sigma, model.sigma, rtol=1e-3)
    np.testing.assert_allclose(again.correlation, model.correlation, atol=1e-4)


def test_white_noise_has_one_level_and_no_correlation() -> None:
    model = NoiseModel.white(0.1, 3)
    assert model.level(np.random.default_rng(0).random((4, 5, 3))) == pytest.approx(0.1)
    assert np.count_nonzero(model.correlation) == 3


def test_the_spread_is_how_much_a_channel_depends_on_brightness() -> None:
    even = NoiseModel.white(0.1, 3)
    levels = even.sigma.copy()
    levels[1] *= np.sqrt(even.brightness)
    assert even.spread == 1.0
    assert NoiseModel(levels, even.correlation).spread == pytest.approx((0.875 / 0.125) ** 0.5)


def test_a_pool_averages_variances_and_correlations() -> None:
    model = pooled([a_model(), a_model(scale=3.0)])
    np.testing.assert_allclose(model.sigma, np.sqrt(5) * a_model().sigma)
    np.testing.assert_allclose(model.correlation, a_model().correlation)


@pytest.mark.parametrize(
    ("sigma", "correlation"),
    [
        (np.full((1, 5), np.nan), np.ones((1, 1, 1, 1))),
        (np.full((1, 5), -0.1), np.ones((1, 1, 1, 1))),
        (np.full((1, 1), 0.1), np.ones((1, 1, 1, 1))),
        (np.full((3, 5), 0.1), np.ones((1, 1, 4, 4))),
        (np.full((1, 5), 0.1), np.ones((1, 1, 4, 3))),
        (np.full((1, 5), 0.1), np.full((1, 1, 2, 2), 1.5)),
        (np.full((1, 5), 0.1), np.full((1, 1, 2, 2), 0.5)),
        (np.full((1, 5), 0.1), np.full((1, 1, 2, 2), np.nan)),
    ],
)
def test_invalid_models_are_refused(sigma: np.ndarray, correlation: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"noise|correlation"):
        NoiseModel(sigma, correlation)


def test_neighbours_of_white_noise_are_not_correlated() -> None:
    assert NoiseModel.white(0.1, 3).neighbours == 0
    model = NoiseModel.white(0.1, 2)
    model.correlation[0, 0, 0, 1], model.correlation[1, 1, 1, 0] = 0.8, 0.4
    assert model.neighbours == pytest.approx(0.3)


def test_noise_loses_its_correlation_and_keeps_its_levels() -> None:
    model = a_model().uncorrelated()
    np.testing.assert_array_equal(model.sigma, a_model().sigma)
    assert model.neighbours == 0
    assert np.count_nonzero(model.correlation) == 3
