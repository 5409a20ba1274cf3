"""A variance that is linear in brightness, fitted to levels."""

import numpy as np
import pytest

from alr_cli.core.noise.linear_variance import LinearVariance

BRIGHTNESS = np.linspace(0.1, 0.8, 12)
SIGMA = np.sqrt(0.001 + 0.02 * BRIGHTNESS)


def test_a_line_is_found_in_spite_of_two_levels_of_texture() -> None:
    textured = SIGMA.copy()
    textured[[3, 7]] *= 2.0
    found = LinearVariance.of(textured, BRIGHTNESS)
    assert found is not None
    np.testing.assert_allclose(found.coefficients, [0.001, 0.02], rtol=0.05)
    assert found.unexplained < 0.01
    model = found.model(3)
    np.testing.assert_allclose(model.sigma_at(np.full((1, 1, 3), 0.5)), np.sqrt(0.011), rtol=0.02)


@pytest.mark.parametrize("slope", [-1.0, 0.0, 1.0])
def test_the_spread_is_that_of_the_line(slope: float) -> None:
    variance = 0.01 * (1 + slope * (BRIGHTNESS - 0.45))
    found = LinearVariance.of(np.sqrt(variance), BRIGHTNESS)
    assert found is not None
    inside = np.sqrt(variance[1:-1])
    assert found.spread == pytest.approx(inside.max() / inside.min())


def test_levels_of_texture_are_no_line() -> None:
    found = LinearVariance.of(0.02 * (1 + np.arange(12) % 3), BRIGHTNESS)
    assert found is not None and found.unexplained > 0.2


@pytest.mark.parametrize("sigma", [SIGMA[:4], np.append(SIGMA[:7], 0.0)])
def test_too_few_levels_or_none_say_nothing(sigma: np.ndarray) -> None:
    assert LinearVariance.of(sigma, BRIGHTNESS[: len(sigma)]) is None
