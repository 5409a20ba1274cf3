from dataclasses import replace

import numpy as np
import pytest

from alr_cli.bench import bundled
from alr_cli.bench.degradations import Observation
from alr_cli.bench.methods import tuned
from alr_cli.bench.studies import tuning
from tests.bench.scenes import DENOISE, cartoon


@pytest.mark.parametrize("start", [0.03, 0.2, 1.0])
def test_tuning_finds_the_best_share_of_the_truth_from_any_start(start: float) -> None:
    def restore(observation: Observation, value: float) -> np.ndarray:
        return observation.clean + np.float32(0.1 * np.log(value / 0.2) + 0.01)

    best, score = tuning.tune(restore, (DENOISE,), [("a", cartoon())], start)
    assert best == pytest.approx(0.2 * np.exp(-0.1), rel=0.1)
    assert score > 35


def test_tuning_never_ends_below_the_best_it_has_seen() -> None:
    seen: dict[float, float] = {}

    def rough(observation: Observation, value: float) -> np.ndarray:
        error = 0.05 + 0.02 * abs(np.log(value)) + 0.01 * np.sin(40 * np.log(value))
        seen[value] = -error
        return observation.clean - np.float32(error)

    best, _ = tuning.tune(rough, (DENOISE,), [("a", cartoon())], 0.3)
    assert best == max(seen, key=lambda value: seen[value])


@pytest.mark.parametrize("shape", [(9, 9, 3), (20, 7, 1), (5, 30, 3)])
def test_the_centre_is_cropped_and_small_pictures_stay(shape: tuple[int, int, int]) -> None:
    pixels = np.arange(np.prod(shape)).reshape(shape)
    cut = bundled.middle(pixels, 9)
    assert cut.shape == (min(9, shape[0]), min(9, shape[1]), shape[2])
    assert cut[0, 0, 0] == pixels[(shape[0] - cut.shape[0]) // 2, (shape[1] - cut.shape[1]) // 2, 0]


@pytest.mark.parametrize("name", bundled.NAMES)
def test_the_bundled_pictures_are_there_without_a_download(name: str) -> None:
    pixels = bundled.read(name)
    assert pixels.shape == (256, 256, 3) and pixels.dtype == np.float32
    assert 0 <= pixels.min() < 0.2 and 0.8 < pixels.max() <= 1


def test_gray_is_luma() -> None:
    assert tuning.gray(np.ones((2, 2, 3), np.float32)) == pytest.approx(1)


def test_settings_of_a_group_are_tuned_together() -> None:
    def restore(observation: Observation, value: float) -> np.ndarray:
        best = 0.1 if observation.setting.sigma == 0.1 else 0.4
        return observation.clean - np.float32(min(0.2, 0.01 * np.exp(np.log(value / best) ** 2)))

    best, _ = tuning.tune(restore, (DENOISE, replace(DENOISE, sigma=0.2)), [("a", cartoon())], 0.3)
    assert best == pytest.approx(0.2, rel=0.1)  # their geometric mean: both PSNR are parabolas


def test_every_tuned_method_has_its_curves() -> None:
    for each in tuning.TUNED:
        for channels in (1, 3):
            curve = tuned.CURVES[tuned.kind(each.method, each.groups[0][0], channels)]
            assert [sigma for sigma, _ in curve.points] == pytest.approx(
                [group[0].sigma for group in each.groups], rel=1e-3
            )
