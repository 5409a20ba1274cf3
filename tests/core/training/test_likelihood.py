"""Maximum likelihood: the bits decrease, resuming is exact, and pictures are dequantised."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from alr_cli.core.priors.glow import GlowArchitecture
from alr_cli.core.training.likelihood import (
    LikelihoodRecipe,
    LikelihoodTrainer,
    bits_per_dimension,
    dequantised,
)

TINY = GlowArchitecture(channels=1, size=8, levels=2, steps=2, width=8)
RECIPE = LikelihoodRecipe(iterations=60, batch_size=32, lr=1e-2, warmup=5, seed=3)


def edges(count: int = 600, seed: int = 0) -> Tensor:
    """(count, 1, 8, 8) uint8, with one straight edge each, which no linear filter predicts."""
    random = torch.Generator().manual_seed(seed)
    angle, offset = 6.3 * torch.rand(count, generator=random), 4 * torch.rand(count, generator=random) - 2
    row, column = torch.meshgrid(torch.arange(8) - 3.5, torch.arange(8) - 3.5, indexing="ij")
    distance = angle.cos()[:, None, None] * row + angle.sin()[:, None, None] * column + offset[:, None, None]
    return (255 * torch.sigmoid(3 * distance)).round().to(torch.uint8)[:, None]


def test_training_lowers_the_bits_of_pictures_never_seen() -> None:
    trainer = LikelihoodTrainer(TINY, RECIPE, edges())
    before = bits_per_dimension(trainer.trained().network, edges(200, seed=9))
    while not trainer.done:
        trainer.step()
    assert bits_per_dimension(trainer.trained().network, edges(200, seed=9)) < before - 0.25


@pytest.mark.parametrize("change", [{}, {"bfloat16": True, "mirror": False}])
def test_stopping_and_resuming_changes_not_a_single_bit(change: dict[str, bool]) -> None:
    recipe = replace(RECIPE, iterations=8, **change)
    straight = LikelihoodTrainer(TINY, recipe, edges())
    killed = LikelihoodTrainer(TINY, recipe, edges())
    progress = [straight.step() for _ in range(8)]
    for _ in range(4):
        killed.step()
    resumed = LikelihoodTrainer(TINY, recipe, edges())
    resumed.restore_state(killed.state())
    assert [resumed.step() for _ in range(4)] == progress[4:]
    assert all(torch.equal(value, straight.state()[name]) for name, value in resumed.state().items())


def test_a_state_of_another_flow_is_refused() -> None:
    trainer = LikelihoodTrainer(TINY, RECIPE, edges(20))
    other = LikelihoodTrainer(replace(TINY, width=4), RECIPE, edges(20))
    with pytest.raises((KeyError, ValueError, RuntimeError)):
        trainer.restore_state(other.state())


def test_a_dequantised_picture_rounds_back_to_itself() -> None:
    k = torch.randint(256, (50, 3, 8, 8)).float()
    x = dequantised(k, torch.Generator().manual_seed(0))
    assert torch.equal((255 * x).round().clamp(0, 255), k)
    assert abs(float((255 * x - k).mean())) < 0.01


def test_only_eight_bit_pictures_have_bits_per_dimension() -> None:
    with pytest.raises(ValueError, match="eight-bit"):
        LikelihoodTrainer(TINY, RECIPE, torch.rand(10, 1, 8, 8))


def test_the_step_size_rises_and_decays_to_zero() -> None:
    assert RECIPE.lr_at(0) < RECIPE.lr_at(4) > RECIPE.lr_at(30) > RECIPE.lr_at(59) > 0
