"""The comparison of solvers, on one tiny picture."""

import numpy as np
import pytest
import torch

from alr_cli.bench.studies import descents
from alr_cli.files.weights import load_weights
from tests.conftest import scene


def a_trial(name: str) -> descents.Trial:
    pixels = scene(40, 40, sigma=0.0).astype(np.float32)
    weights = load_weights(name)
    return descents.Trial(torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None], weights, torch.float32)


@pytest.fixture(scope="module")
def trial() -> descents.Trial:
    return a_trial("color-paper")


@pytest.mark.parametrize("name", ["color-paper", "color-tuned"])
def test_every_solver_gains_and_stays_within_its_budget(name: str) -> None:
    trial = a_trial(name)
    before = trial.psnr(trial.problem.start)
    found = descents.curves(trial, (8, 16))
    assert found.keys() == descents._STYLES.keys() - ({"fourier"} if name == "color-paper" else set())
    for name, curve in found.items():
        assert curve[-1][1] > before + 1, name
        spent = [count for count, _ in curve]
        assert spent == sorted(spent)
        assert spent[-1] <= 16 + 25, name  # a line search, or the steps at half the resolution, may end later
    assert descents.draw(found).startswith(b"\x89PNG")


def test_the_energy_is_that_of_denoise(trial: descents.Trial) -> None:
    from alr_cli.core.restore import Restorer
    from alr_cli.core.settings import Settings

    y = trial.y[0].numpy().transpose(1, 2, 0)
    restored = Restorer(trial.weights, Settings(max_iter=10, tile=0, precision="float32")).denoise(y, 0.1)
    [(_, score)] = trial.adam([10])
    error = np.mean((restored.pixels.clip(0, 1) - trial.clean[0].numpy().transpose(1, 2, 0)) ** 2)
    assert score == pytest.approx(-10 * np.log10(error), abs=1e-3)
