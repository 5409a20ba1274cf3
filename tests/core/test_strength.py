"""The expected error, estimated from the noisy picture alone, compared with the true error."""

import numpy as np
import pytest

from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.white import add_gaussian_noise
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.strength import best_strength, choose_strength, expected_error
from tests.core.noise.test_estimation import shades, with_noise
from tests.core.noise.test_model import a_model
from tests.core.restoring import weights
from tests.core.toys import smoothness_critic


def smoothed(pixels: np.ndarray) -> np.ndarray:
    """A linear restoration: the mean of a pixel and its right neighbour."""
    return 0.5 * (pixels + np.roll(pixels, 1, axis=1)).astype(np.float32)


def test_the_expected_error_of_a_linear_restoration_is_the_true_one() -> None:
    """E ||S y - x||^2 / N = ||S x - x||^2 / N + sigma^2 / 2."""
    clean, sigma = shades(), 0.1
    noisy = add_gaussian_noise(clean, sigma, seed=1)
    noise = add_gaussian_noise(np.zeros_like(clean), sigma, seed=2)
    truth = float(np.mean((smoothed(clean) - clean) ** 2)) + sigma**2 / 2
    assert expected_error(smoothed, noisy, noise, sigma**2) == pytest.approx(truth, rel=0.03)


def test_correlated_noise_is_seen_through_its_own_covariance() -> None:
    clean, model = shades(), a_model()
    noisy = with_noise(clean, model, seed=1)
    noise = with_noise(clean, model, seed=2) - clean
    variance = float(np.mean(noise**2))
    truth = float(np.mean((smoothed(noisy) - clean) ** 2))
    assert expected_error(smoothed, noisy, noise, variance) == pytest.approx(truth, rel=0.1)
    white = add_gaussian_noise(np.zeros_like(clean), variance**0.5, seed=2)
    assert expected_error(smoothed, noisy, white, variance) < 0.8 * truth


@pytest.mark.parametrize("best", [0.33, 0.6, 0.9, 1.0, 1.3, 2.0, 3.0])
def test_the_best_strength_is_where_the_parabola_is_lowest(best: float) -> None:
    assert best_strength(lambda strength: (np.log(strength / best)) ** 2 + 3.0) == pytest.approx(best)


@pytest.mark.parametrize(("slope", "end"), [(1.0, 0.25), (-1.0, 4.0)])
def test_an_end_of_the_range_can_be_the_best(slope: float, end: float) -> None:
    assert best_strength(lambda strength: slope * np.log(strength)) == pytest.approx(end)


def test_few_strengths_are_tried() -> None:
    tried: list[float] = []
    best_strength(lambda strength: tried.append(strength) or (np.log(strength / 1.1)) ** 2)  # type: ignore[func-returns-value]
    assert len(tried) == len(set(tried)) == 3


@pytest.mark.parametrize("model", [None, NoiseModel.white(0.1, 1)], ids=["white", "model"])
def test_the_chosen_strength_is_near_that_of_the_least_true_error(model: NoiseModel | None) -> None:
    clean = shades(64, 64, channels=1)
    noisy = add_gaussian_noise(clean, 0.1, seed=1)
    restorer = Restorer(weights(smoothness_critic()), Settings(max_iter=15, precision="float32"))

    def error(strength: float) -> float:
        return float(np.mean((restorer.denoise(noisy, 0.1, strength=strength).pixels - clean) ** 2))

    chosen = choose_strength(restorer, noisy, 0.1, model)
    assert error(chosen) <= 1.1 * min(error(strength) for strength in (0.5, 1.0, 2.0))
