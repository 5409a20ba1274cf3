"""Algorithm 1: exact resuming, the schedule, and the sources of batches."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core.noise.field import NoiseField
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.priors.critic import Architecture
from alr_cli.core.training.adversarial import Recipe, SyntheticNoise, Trainer
from alr_cli.core.training.patches import PatchSource
from alr_cli.core.training.stepwise import Progress
from alr_cli.files.weights import CHECKPOINT, read_tensors, write_tensors
from tests.core.toys import seeded

RECIPE = Recipe(iterations=200, batch_size=8, sigma_low=0.05, sigma_high=0.3, seed=3)


def pictures(channels: int, first: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(first)
    return [random.integers(0, 256, (20 + n, 25, channels)).astype(np.uint8) for n in range(3)]


def a_trainer(recipe: Recipe = RECIPE, channels: int = 1, width: int = 4) -> Trainer:
    architecture = Architecture(channels, width)
    clean, other = (PatchSource(pictures(channels, n), architecture.patch) for n in (0, 1))
    return Trainer(architecture, recipe, SyntheticNoise(clean, other, recipe))


def steps(trainer: Trainer, count: int) -> list[Progress]:
    return [trainer.step() for _ in range(count)]


@pytest.mark.parametrize(
    ("channels", "half", "change"),
    [
        (1, 25, {}),
        (3, 15, {"ema": 0.99}),
        (1, 15, {"bfloat16": True}),
        (3, 25, {"bfloat16": True, "ema": 0.9, "normalise": True, "log_sigma": True, "one_sided": True}),
    ],
)
def test_stopping_and_resuming_changes_not_a_single_bit(
    channels: int, half: int, change: dict[str, Any], tmp_path: Path
) -> None:
    recipe = replace(RECIPE, iterations=2 * half, **change)
    straight = a_trainer(recipe, channels)
    progress = steps(straight, 2 * half)

    killed = a_trainer(recipe, channels)
    steps(killed, half)
    write_tensors(tmp_path / "run.checkpoint", killed.state(), {"recipe": recipe.as_dict()}, CHECKPOINT)
    del killed
    state, metadata = read_tensors(tmp_path / "run.checkpoint", CHECKPOINT)
    resumed = a_trainer(Recipe.from_dict(metadata["recipe"]), channels)
    resumed.restore_state(state)
    assert resumed.step_count == half and not resumed.done
    assert steps(resumed, half) == progress[half:]

    expected, found = straight.state(), resumed.state()
    assert expected.keys() == found.keys() and resumed.done
    assert [name for name in expected if not torch.equal(expected[name], found[name])] == []
    for one, other in zip(
        straight.trained().network.parameters(), resumed.trained().network.parameters(), strict=True
    ):
        assert torch.equal(one, other)


def test_a_state_is_a_snapshot() -> None:
    trainer = a_trainer()
    steps(trainer, 2)
    state = trainer.state()
    copies = {name: value.clone() for name, value in state.items()}
    steps(trainer, 2)
    assert all(torch.equal(value, copies[name]) for name, value in state.items())


def test_a_run_can_be_saved_before_its_first_step() -> None:
    fresh, restored = a_trainer(), a_trainer(replace(RECIPE, seed=4))
    restored.restore_state(fresh.state())
    assert steps(restored, 2) == steps(fresh, 2)


def without(name: str) -> Any:
    return lambda state: {key: value for key, value in state.items() if key != name}


@pytest.mark.parametrize(
    "damage",
    [
        without("step"),
        without("generator"),
        without("critic.layers.0.weight"),
        lambda state: state | {"critic.layers.9.extra": torch.zeros(1)},
        lambda state: state | {"critic.layers.0.weight": torch.zeros(2, 2)},
        lambda state: state | {"adam.0.exp_avg": torch.zeros(2, 2)},
        lambda state: state | {"adam.99.exp_avg": torch.zeros(1)},
        lambda state: state | {"adam.x.exp_avg": torch.zeros(1)},
        lambda state: state | {"adam.0": torch.zeros(1)},
        lambda state: state | {"average.layers.0.weight": torch.zeros(1)},
        lambda state: state | {"generator": torch.zeros(3)},
        lambda state: state | {"step": torch.zeros(2)},
    ],
)
def test_a_state_that_does_not_fit_is_refused(damage: Any) -> None:
    trainer = a_trainer()
    steps(trainer, 1)
    with pytest.raises((KeyError, ValueError, RuntimeError)):
        a_trainer().restore_state(damage(trainer.state()))


@pytest.mark.parametrize(("lr", "lr_final"), [(1e-3, 1e-4), (1e-3, 1e-3), (1e-4, 1e-2)])
@pytest.mark.parametrize("iterations", [2, 3, 1000])
def test_the_learning_rate_decays_exponentially_from_end_to_end(
    iterations: int, lr: float, lr_final: float
) -> None:
    recipe = Recipe(iterations=iterations, lr=lr, lr_final=lr_final)
    rates = [recipe.lr_at(step) for step in range(iterations)]
    assert rates[0] == pytest.approx(lr) and rates[-1] == pytest.approx(lr_final)
    np.testing.assert_allclose(np.diff(np.log(rates)), np.log(lr_final / lr) / (iterations - 1), atol=1e-12)


def test_a_single_step_is_taken_with_the_first_rate() -> None:
    assert Recipe(iterations=1).lr_at(0) == 1e-3


def test_the_optimiser_follows_the_schedule_and_the_run_ends() -> None:
    recipe = replace(RECIPE, iterations=4, lr=1e-3, lr_final=1e-6)
    trainer = a_trainer(recipe)
    progress = steps(trainer, 4)
    assert [step.lr for step in progress] == pytest.approx([1e-3, 1e-4, 1e-5, 1e-6])
    assert [step.step for step in progress] == [1, 2, 3, 4]
    assert trainer.done and trainer.optimiser.param_groups[0]["lr"] == pytest.approx(1e-6)


def test_the_defaults_are_the_papers() -> None:
    recipe = Recipe()
    assert (recipe.iterations, recipe.batch_size, recipe.mu) == (100_000, 32, 5.0)
    assert (recipe.lr, recipe.lr_final) == (1e-3, 1e-4)
    assert (recipe.sigma_low, recipe.sigma_high) == (0.05, 0.30)
    assert not (recipe.one_sided or recipe.log_sigma or recipe.normalise or recipe.ema)


def test_a_recipe_is_data_and_what_is_missing_takes_its_default() -> None:
    recipe = replace(RECIPE, mu=2.0, ema=0.9)
    assert Recipe.from_dict(recipe.as_dict()) == recipe
    assert Recipe.from_dict({"mu": 2.0}) == Recipe(mu=2.0)


def test_a_recipe_with_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="dropout"):
        Recipe.from_dict(RECIPE.as_dict() | {"dropout": 0.5})


@pytest.mark.parametrize("log_sigma", [False, True])
def test_synthetic_noise_has_the_levels_of_the_recipe(log_sigma: bool) -> None:
    recipe = replace(RECIPE, log_sigma=log_sigma)
    flat = PatchSource([np.full((30, 30, 3), 0.5, np.float32)], 15)
    batch = SyntheticNoise(flat, flat, recipe).batch(3000, seeded(5))
    assert bool((batch.clean == 0.5).all()) and batch.length is not None
    sigma = batch.length / (3 * 15 * 15) ** 0.5
    measured = (batch.noisy - 0.5).flatten(1).square().mean(dim=1).sqrt()
    torch.testing.assert_close(measured, sigma, rtol=0.15, atol=0)
    assert sigma.min() >= 0.05 and sigma.max() <= 0.3
    middle = (0.05 * 0.3) ** 0.5 if log_sigma else 0.175
    assert float(sigma.median()) == pytest.approx(middle, rel=0.05)


def test_one_level_of_noise_is_a_range_too() -> None:
    recipe = replace(RECIPE, sigma_low=0.1, sigma_high=0.1)
    flat = PatchSource([np.zeros((15, 15, 1), np.float32)], 15)
    length = SyntheticNoise(flat, flat, recipe).batch(5, seeded(6)).length
    torch.testing.assert_close(length, torch.full((5,), 0.1 * 15))


def test_noise_can_be_made_as_a_model_says() -> None:
    rising = NoiseModel(np.linspace(0, 1, 5)[None], NoiseModel.white(1, 1).correlation)
    recipe = Recipe(sigma_low=0.1, sigma_high=0.1)
    dark, bright = (PatchSource([np.full((20, 20, 1), value, np.float32)], 15) for value in (0.25, 0.75))
    deviations = []
    for other in (dark, bright):
        batch = SyntheticNoise(dark, other, recipe, NoiseField([rising])).batch(600, seeded(7))
        assert bool((batch.clean == 0.25).all())
        deviations.append(float(batch.noisy.std()))
        assert batch.length is not None
        torch.testing.assert_close(batch.length, torch.full((600,), 15 * deviations[-1]), rtol=0.01, atol=0)
    assert deviations[1] == pytest.approx(3 * deviations[0], rel=0.02)


def test_the_seed_decides_everything() -> None:
    torch.manual_seed(1)
    first = steps(a_trainer(), 3)
    torch.manual_seed(2)
    assert steps(a_trainer(), 3) == first
    assert steps(a_trainer(replace(RECIPE, seed=4)), 3) != first


def test_training_tells_noisy_patches_from_clean_ones() -> None:
    recipe = replace(RECIPE, iterations=200, lr=3e-3, lr_final=3e-3)
    smooth = [np.full((30, 30, 1), value, np.float32) for value in (0.2, 0.5, 0.8)]
    source = PatchSource(smooth, 15)
    trainer = Trainer(Architecture(1, 8), recipe, SyntheticNoise(source, source, recipe))
    progress = steps(trainer, 200)
    assert np.mean([step.measures["wasserstein"] for step in progress[-20:]]) > 1.0
    assert 0.8 < np.mean([step.measures["gradient_norm"] for step in progress[-20:]]) < 1.5
    batch = trainer.source.batch(200, seeded(8))
    critic = trainer.trained().network
    with torch.no_grad():
        noisy, clean = (critic(z).flatten() for z in (batch.noisy, batch.clean))
    assert float((noisy > clean).double().mean()) > 0.9


def _distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return float(sum((one[name] - other[name]).square().sum() for name in one)) ** 0.5


def test_the_moving_average_lags_behind_and_is_what_is_shipped() -> None:
    trainer = a_trainer(replace(RECIPE, ema=0.5, lr=1e-2))
    start = {name: value.clone() for name, value in trainer.critic.state_dict().items()}
    steps(trainer, 1)
    first = {name: value.clone() for name, value in trainer.critic.state_dict().items()}
    # decay min(0.5, 1/10) at the first step: nine tenths of the way from the start to the new weights
    for name, value in trainer.trained().network.state_dict().items():
        torch.testing.assert_close(value, 0.1 * start[name] + 0.9 * first[name])
    steps(trainer, 20)
    assert _distance(dict(trainer.trained().network.state_dict()), dict(trainer.critic.state_dict())) > 0


def test_without_a_moving_average_the_last_weights_are_shipped() -> None:
    trainer = a_trainer()
    steps(trainer, 2)
    shipped = trainer.trained().network
    assert _distance(dict(shipped.state_dict()), dict(trainer.critic.state_dict())) == 0
    steps(trainer, 1)
    assert _distance(dict(shipped.state_dict()), dict(trainer.critic.state_dict())) > 0  # a copy
