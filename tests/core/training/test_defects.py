"""Training a detector: it learns to find defects, keeps what its start knows, and resumes exactly."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from alr_cli.core.defects.detector import Seen
from alr_cli.core.defects.drawing import MEASURED, damaged
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.training.defects import (
    DefectRecipe,
    DefectTrainer,
    first_network,
    rounded_blocks,
    scanned,
    surprise,
)
from alr_cli.core.training.denoising import CropSource
from tests.core.training.test_denoising import pictures

SMALL = UNetArchitecture(3, (8, 12), (1, 1))
RECIPE = DefectRecipe(
    iterations=60,
    batch_size=4,
    patch=32,
    warm_up=2,
    fall=20,
    lr=0.03,
    lr_ends=1e-3,
    ema=0.9,
    fewest=800,
    most=3000,
    look_alike=0.0,
    noisy=0.0,
    compressed=0.0,
)


def waves() -> list[np.ndarray]:
    return [np.repeat(picture, 3, axis=2) for picture in pictures()]


def trainer(recipe: DefectRecipe = RECIPE) -> DefectTrainer:
    start = first_network(UNet(SMALL, torch.Generator().manual_seed(0)), 0)
    return DefectTrainer(start, recipe, CropSource([waves()], recipe.patch))


def test_defective_pixels_get_higher_odds_than_others() -> None:
    one = trainer(replace(RECIPE, iterations=240))
    for _ in range(one.iterations):
        one.step()
    detector, gaps = one.trained(), []
    for seed, picture in enumerate(waves()):
        made = damaged(picture.astype(np.float32) / 255, 6, MEASURED, np.random.default_rng(seed))
        seen = detector.look(torch.from_numpy(made.pixels).permute(2, 0, 1)[None], (0,))
        odds = seen.odds[0].numpy()
        gaps.append(odds[made.defective].mean() - odds[~made.defective].mean())
    assert min(gaps) > 0.3


@pytest.mark.parametrize("spread", [0.02, 0.2])
def test_the_true_change_and_its_spread_surprise_least(spread: float) -> None:
    random = torch.Generator().manual_seed(0)
    change = torch.randn(1, 3, 40, 40, generator=random)
    missed = spread * torch.randn(1, 3, 40, 40, generator=random)

    def mean(guess: torch.Tensor, deviation: float) -> float:
        seen = Seen(torch.zeros(1, 40, 40), guess, torch.full((1, 40, 40), deviation))
        return float(surprise(seen, change).mean())

    at_spread = mean(change + missed, spread)
    assert at_spread < min(mean(change + missed, factor * spread) for factor in (0.7, 1.4))
    assert mean(change, spread) < at_spread < mean(change + missed + 0.1, spread)


def test_a_training_that_was_stopped_continues_exactly() -> None:
    straight, first = trainer(), trainer()
    for _ in range(4):
        straight.step()
    for _ in range(2):
        first.step()
    second = trainer()
    second.restore_state(first.state())
    for _ in range(2):
        second.step()
    found, expected = second.state(), straight.state()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_all_layers_but_the_last_are_those_of_the_start() -> None:
    start = UNet(SMALL, torch.Generator().manual_seed(3))
    begun = first_network(start, 0)
    for name, value in begun.state_dict().items():
        assert torch.equal(value, start.state_dict()[name]) == (name != "tail"), name


@pytest.mark.parametrize("part", ["soft", "gray", "noisy", "compressed"])
def test_scans_are_soft_gray_noisy_or_compressed(part: str) -> None:
    plain = dict.fromkeys(("soft", "gray", "noisy", "compressed"), 0.0)
    quiet = replace(RECIPE, clean=1.0, **plain)
    crop = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
    same = scanned(crop, quiet, np.random.default_rng(0))
    assert np.abs(same.pixels - crop).max() <= 0.5 / 255 + 1e-6 and not same.defective.any()
    other = scanned(crop, replace(quiet, **{part: 1.0}), np.random.default_rng(0))
    assert np.abs(other.pixels - crop).max() > 2 / 255 and not other.defective.any()
    assert np.array_equal(other.below, other.pixels)
    assert (np.ptp(other.pixels, axis=2) == 0).all() == (part == "gray")


def test_nothing_in_a_gray_scan_has_a_colour() -> None:
    crop = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    dusty = replace(RECIPE, clean=0.0, look_alike=0.0, gray=1.0, noisy=1.0, compressed=1.0, fewest=3000)
    made = scanned(crop, dusty, np.random.default_rng(3))
    assert made.defective.any()
    for pixels in (made.pixels, made.below):
        assert pixels.shape == crop.shape and (np.ptp(pixels, axis=2) == 0).all()


def test_below_the_defects_a_scan_has_the_same_noise() -> None:
    crop = np.full((32, 32, 3), 0.5, np.float32)
    dusty = replace(RECIPE, clean=0.0, soft=0.0, gray=0.0, noisy=1.0, noises=(0.05, 0.05), fewest=3000)
    made = scanned(crop, dusty, np.random.default_rng(2))
    assert made.defective.any() and not made.defective.all()
    changed = np.abs(made.pixels - made.below).max(axis=2)
    assert changed[made.defective].mean() > 0.05 and np.median(changed[~made.defective]) == 0
    assert made.below.std() > 0.03


def test_look_alikes_are_no_defects() -> None:
    crop = np.full((32, 32, 3), 0.5, np.float32)
    made = scanned(crop, replace(RECIPE, look_alike=1.0, gray=0.0), np.random.default_rng(1))
    assert not made.defective.any() and np.ptp(made.pixels) > 0.1


@pytest.mark.parametrize("step", [0.01, 0.1])
def test_rounding_changes_cosines_by_at_most_half_a_step(step: float) -> None:
    crop = np.random.default_rng(0).random((16, 24, 3)).astype(np.float32)
    change = rounded_blocks(crop, step) - crop
    assert 0 < np.sqrt((change**2).mean()) < 2.3 * step / 2
