"""A guess of missing pixels: it counts as much as it is certain, and known pixels stay."""

import numpy as np
import pytest
import torch

from alr_cli.core import problems
from alr_cli.core.likelihood import data_term_of
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.tasks import Guess, Inpainting
from alr_cli.files.weights import load_weights
from tests.core.restoring import SETTINGS, restorer, scene

SHAPE = (30, 34)
MISSING = np.zeros(SHAPE, bool)
MISSING[8:15, 10:20] = True
WIDE = Settings(device="cpu", precision="float32", max_iter=60)


def restored(name: str, y: np.ndarray, task: Inpainting) -> np.ndarray:
    """By the toy, which Adam minimises, or by the splitting of a wide prior."""
    one = restorer(y.shape[2], SETTINGS) if name == "toy" else Restorer(load_weights(name), WIDE)
    return one.restore(y, task, 0.0).pixels


def guess(clean: np.ndarray, off: float, deviation: float) -> Guess:
    return Guess(clean + np.float32(off), np.full(SHAPE, deviation, np.float32))


@pytest.mark.parametrize("name", ["toy", "color-tuned", "color-wide", "gray-wide"])
@pytest.mark.parametrize("channels", [1, 3])
def test_known_pixels_stay_and_a_certain_guess_is_kept(name: str, channels: int) -> None:
    clean = scene(*SHAPE, channels)
    y = np.where(MISSING[..., None], np.float32(0), clean)
    x = restored(name, y, Inpainting(MISSING, guess(clean, 0.1, 1e-4)))
    assert np.array_equal(x[~MISSING], y[~MISSING])
    np.testing.assert_allclose(x[MISSING], clean[MISSING] + 0.1, atol=0.01)


@pytest.mark.parametrize("name", ["toy", "gray-wide"])
def test_a_guess_counts_less_the_less_certain_it_is(name: str) -> None:
    clean = np.full((*SHAPE, 1), 0.5, np.float32)
    y = np.where(MISSING[..., None], np.float32(0), clean)
    errors = [
        np.abs(restored(name, y, Inpainting(MISSING, guess(clean, 0.2, s))) - clean)[MISSING].mean()
        for s in (0.001, 0.05, 0.2, np.inf)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.15 and errors[-1] < 0.02


def test_where_nothing_is_known_a_guess_changes_nothing() -> None:
    clean = scene(*SHAPE)
    y = np.where(MISSING[..., None], np.float32(0), clean)
    nothing = Guess(np.full_like(clean, 7.0), np.full(SHAPE, np.inf, np.float32))
    found = restored("gray-wide", y, Inpainting(MISSING, nothing))
    np.testing.assert_allclose(found, restored("gray-wide", y, Inpainting(MISSING)), atol=1e-5)


def test_parts_of_a_picture_get_their_part_of_the_guess() -> None:
    clean = np.random.default_rng(0).random((90, 90, 3)).astype(np.float32)
    missing = np.zeros((90, 90), bool)
    missing[5, 5] = missing[80, 70] = True
    deviation = np.random.default_rng(1).random((90, 90)).astype(np.float32)
    parts = Inpainting(missing, Guess(clean, deviation)).parts(0.0, 6)
    assert parts is not None and len(parts) == 2
    for box, task in parts:
        assert isinstance(task, Inpainting) and task.guess is not None
        assert np.array_equal(task.guess.pixels, clean[box])
        assert np.array_equal(task.guess.deviation, deviation[box])


def test_with_noise_elsewhere_a_guess_is_not_used() -> None:
    y = torch.rand(1, 1, *SHAPE, generator=torch.Generator().manual_seed(0))
    task = Inpainting(MISSING, guess(scene(*SHAPE), 0.0, 0.1))
    assert task.problem(y, 4, 0.05).deviation is None
    assert task.problem(y, 4, 0.0).deviation is not None


@pytest.mark.parametrize(("batch", "channels"), [((1, 3), 3), ((3, 1), 3), ((1, 3), 1), ((1, 1), 3)])
def test_a_guess_has_the_planes_of_the_observation(batch: tuple[int, int], channels: int) -> None:
    pixels = np.random.default_rng(0).random((*SHAPE, channels)).astype(np.float32)
    planes = Guess(pixels, np.ones(SHAPE, np.float32)).planes(torch.zeros(*batch, *SHAPE))
    assert planes.shape == (*batch, *SHAPE)
    found = planes.reshape(-1, *SHAPE).numpy()
    expected = pixels.mean(axis=2) if len(found) < channels else pixels[..., -1]
    np.testing.assert_allclose(found[-1], expected, atol=1e-6)


def test_the_data_term_is_the_likelihood_of_the_guess() -> None:
    y = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    moving = torch.zeros(12, 12, dtype=torch.bool)
    moving[3:6, 4:9] = True
    problem = problems.retouching(y, moving, torch.full((12, 12), 0.5), 0)
    value, gradient = data_term_of(problem, 0.0, True, 0.2).value_and_grad(y + 0.1)
    assert float(value) == pytest.approx(15 * (0.2 * 0.1 / 0.5) ** 2, rel=1e-4)
    assert torch.equal(gradient[0, 0] != 0, moving)
