"""Training a potential: it learns, its schedule is a trapezium, and resuming is exact."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.training.denoising import CropSource, DenoisingRecipe, DenoisingTrainer
from alr_cli.core.training.learner import pace

SMALL = UNetArchitecture(1, (8, 12), (1, 1))
RECIPE = DenoisingRecipe(iterations=30, batch_size=4, patch=16, warm_up=2, fall=10, lr=0.02, lr_ends=2e-3)


def pictures(count: int = 3) -> list[np.ndarray]:
    """Smooth waves, which a small network distinguishes from noise after few steps."""
    down, across = np.mgrid[:40, :48]
    waves = [np.sin(down / (3 + n)) * np.cos(across / (4 + n)) for n in range(count)]
    return [np.round(127.5 + 120 * wave)[..., None].astype(np.uint8) for wave in waves]


def trainer(recipe: DenoisingRecipe) -> DenoisingTrainer:
    start = UNet(SMALL, torch.Generator().manual_seed(0))
    return DenoisingTrainer(start, recipe, CropSource([pictures()], recipe.patch))


def mean_loss(one: DenoisingTrainer, steps: int) -> float:
    return sum(one.step().measures["loss"] for _ in range(steps)) / steps


@pytest.mark.parametrize(("gradient", "share"), [(False, 0.5), (True, 0.8)])
def test_both_losses_fall(gradient: bool, share: float) -> None:
    one = trainer(replace(RECIPE, iterations=150, gradient=gradient))
    first = mean_loss(one, 10)
    mean_loss(one, 130)
    assert mean_loss(one, 10) < share * first


@pytest.mark.parametrize("change", [{}, {"gradient": False}, {"bfloat16": True}])
def test_stopping_and_resuming_changes_not_a_single_bit(change: dict[str, bool]) -> None:
    recipe = replace(RECIPE, **change)
    straight, killed, resumed = trainer(recipe), trainer(recipe), trainer(recipe)
    mean_loss(straight, 20)
    mean_loss(killed, 10)
    resumed.restore_state(killed.state())
    mean_loss(resumed, 10)
    expected, found = straight.state(), resumed.state()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name


def test_the_start_is_not_modified() -> None:
    start = UNet(SMALL, torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in start.state_dict().items()}
    DenoisingTrainer(start, RECIPE, CropSource([pictures()], RECIPE.patch)).step()
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())


def test_the_step_size_rises_stays_and_falls() -> None:
    factors = [pace(RECIPE, step) for step in range(RECIPE.iterations)]
    assert factors[:2] == [0.5, 1.0]
    assert set(factors[2:20]) == {1.0}
    assert np.allclose(np.diff(factors[20:]), -0.1)


def test_a_state_of_another_potential_is_refused() -> None:
    state = trainer(RECIPE).state()
    state["learned.head"] = state["learned.head"][:4]
    with pytest.raises(ValueError, match="belongs"):
        trainer(RECIPE).restore_state(state)


def test_each_folder_is_as_likely_as_the_other() -> None:
    dark, bright = [np.zeros((20, 20, 1), np.uint8)] * 9, [np.full((20, 20, 1), 255, np.uint8)]
    source = CropSource([dark, bright], 8)
    pair = source.draw(replace(RECIPE, batch_size=400, patch=8), torch.Generator().manual_seed(0))
    assert 0.4 < float(pair.clean.mean()) < 0.6


def test_noise_has_the_level_that_the_map_says() -> None:
    recipe = replace(RECIPE, batch_size=500, uneven=1.0, rare=0.2)
    pair = CropSource([pictures()], 16).draw(recipe, torch.Generator().manual_seed(0))
    assert float((pair.noise / pair.level).std()) == pytest.approx(1.0, abs=0.01)
    torch.testing.assert_close(pair.level.mean((1, 2, 3)), torch.ones(500))
    assert float(pair.level.min()) >= 0.4
    assert float(pair.sigma.min()) >= 1 / 255
    assert float(pair.sigma.max()) <= recipe.sigma_rare
    assert float((pair.sigma > recipe.sigma_high).float().mean()) == pytest.approx(0.2, abs=0.06)


def test_levels_are_of_three_kinds() -> None:
    recipe = DenoisingRecipe(batch_size=4000, patch=4, rare=0.15, faint=0.2, sigma_low=0.004)
    source = CropSource([pictures()], recipe.patch)
    sigma = source.draw(recipe, torch.Generator().manual_seed(0)).sigma.flatten()
    assert float((sigma > recipe.sigma_high).float().mean()) == pytest.approx(0.15, abs=0.02)
    usual = 0.65 * recipe.sigma_faint / recipe.sigma_high
    assert float((sigma < recipe.sigma_faint).float().mean()) == pytest.approx(0.2 + usual, abs=0.02)
    assert float(sigma.min()) >= 0.004
    assert float(sigma.max()) <= recipe.sigma_rare


def test_a_picture_smaller_than_a_crop_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 64"):
        CropSource([pictures()], 64)
