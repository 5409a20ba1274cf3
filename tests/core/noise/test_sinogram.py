import math

import numpy as np
import pytest

from alr_cli.core.noise.sinogram import estimate_centre, estimate_noise
from alr_cli.core.operators.geometry import Geometry
from tests.core.operators.scans import chords

ANGLES = np.arange(60) * math.pi / 60


def scan(centre: float | None = None, angles: np.ndarray = ANGLES) -> np.ndarray:
    return chords(Geometry((64, 64), tuple(angles), 96, centre=centre), (5.0, -8.0), (20.0, 13.0))


@pytest.mark.parametrize("sigma", [0.1, 0.5, 3.0])
def test_white_noise_is_measured_beside_a_projection(sigma: float) -> None:
    noise = sigma * np.random.default_rng(0).standard_normal(scan().shape)
    assert 0.97 * sigma < estimate_noise(scan() + noise) < 1.2 * sigma


@pytest.mark.parametrize(("shape", "low"), [((50, 2), 0.6), ((50, 3), 0.6), ((400, 1), None)])
def test_few_detectors_give_an_estimate_too(shape: tuple[int, int], low: float | None) -> None:
    estimate = estimate_noise(np.random.default_rng(0).standard_normal(shape))
    assert estimate == 0 if low is None else estimate > low


@pytest.mark.parametrize("centre", [47.5, 47.0, 44.25, 50.8])
def test_the_axis_is_found_to_a_tenth_of_a_detector_in_noise(centre: float) -> None:
    noisy = scan(centre) + 0.5 * np.random.default_rng(1).standard_normal(scan().shape)
    found = estimate_centre(noisy, ANGLES)
    assert found is not None
    assert found[0] == pytest.approx(centre, abs=max(0.1, 3 * found[1])) and found[1] < 0.2


def test_an_undetermined_axis_is_not_guessed() -> None:
    assert estimate_centre(scan()[:7], ANGLES[:7]) is None
    assert estimate_centre(np.random.default_rng(2).standard_normal((60, 96)), ANGLES) is None
    few = ANGLES / 20
    assert estimate_centre(scan(angles=few), few) is None
