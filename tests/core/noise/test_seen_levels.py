"""The level that the network sees, relative to that which the rules found."""

import numpy as np
import pytest

from alr_cli.core.noise.seen_levels import WEAKEST, SeenLevels
from alr_cli.core.noise.variation import Parts

PARTS = Parts(
    np.array([0.2, 0.8]), np.array([[0.02, 0.04], [0.01, 0.01], [0.01, 0.02]]), np.ones((3, 16, 16))
)
BRIGHTNESS = np.array([0.2, 0.5, 0.8])


def seen(levels: np.ndarray, weights: np.ndarray) -> SeenLevels:
    return SeenLevels(BRIGHTNESS, np.log(np.hypot(levels, WEAKEST)), np.tile(weights, (3, 1)))


def found() -> np.ndarray:
    return np.stack([np.interp(BRIGHTNESS, PARTS.brightness, each) for each in PARTS.levels])


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.5])
def test_it_is_what_the_network_sees_more(factor: float) -> None:
    factors = factor * np.array([1.0, 1.1, 0.9])
    relative = seen(factors[:, None] * found(), np.full(3, 1 / 3)).relative_to(PARTS)
    np.testing.assert_allclose(relative, factors, rtol=0.08)


def test_only_cells_with_weight_count() -> None:
    levels = np.array([1.0, 1.0, 3.0]) * found()
    relative = seen(levels, np.array([0.5, 0.5, 0.0])).relative_to(PARTS)
    np.testing.assert_allclose(relative, 1, rtol=1e-6)
    np.testing.assert_allclose(seen(levels, np.array([0, 0, 1])).mean, levels[:, 2], rtol=1e-6)


def test_what_is_not_seen_counts_as_nothing() -> None:
    nothing = seen(np.zeros((3, 3)), np.full(3, 1 / 3))
    assert nothing.relative_to(PARTS).max() < 0.1
    np.testing.assert_allclose(nothing.mean, 0, atol=1e-8)
