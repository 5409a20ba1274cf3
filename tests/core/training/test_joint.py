"""Joint training of D and G: the loss of an exact proximal map, both options, and resuming."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from alr_cli.core.priors.gradient_network import SCALE, GradientNetwork
from alr_cli.core.priors.unet import UNet
from alr_cli.core.training.denoising import CropSource
from alr_cli.core.training.joint import JointRecipe, JointTrainer
from tests.core.training.test_denoising import SMALL, pictures

RECIPE = JointRecipe(
    iterations=30, plain=4, batch_size=4, patch=16, warm_up=2, fall=10, lr=0.02, lr_ends=2e-3, share=0.5
)


def networks(explicit: bool = False) -> GradientNetwork:
    unets = [UNet(SMALL, torch.Generator().manual_seed(seed)) for seed in range(2)]
    return GradientNetwork(*unets, explicit=explicit)


def trainer(recipe: JointRecipe = RECIPE, explicit: bool = False) -> JointTrainer:
    return JointTrainer(networks(explicit), recipe, CropSource([pictures()], recipe.patch))


class Exact(nn.Module):
    """A network that computes a given function of its input z."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, z: Tensor, level: Tensor, dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
        return self.function(z), []


@pytest.mark.parametrize("true", [0.02, 0.1, 0.2])
@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.2])
@pytest.mark.parametrize("update", [True, False])
def test_the_second_term_vanishes_for_a_proximal_map_and_the_gradient_of_its_function(
    sigma: float, true: float, update: bool
) -> None:
    """For a Gaussian prior, phi(x) = ||x - m||^2 / (2 v), D(z) = (v z + s^2 m) / (v + s^2) and G(x) = (x - m)
    / v."""
    mean, variance = 0.4, 0.05
    one = trainer(replace(RECIPE, update=update))
    clean, noise = torch.rand(3, 1, 8, 8), torch.randn(3, 1, 8, 8)
    levels = [torch.full((3, 1, 1, 1), level) for level in (true, sigma)]
    one.of_denoiser.network = Exact(lambda z: sigma / (variance + sigma**2) * (sigma * z - mean))  # type: ignore[assignment]
    one.of_gradient.network = Exact(lambda z: SCALE / variance * (SCALE * z - mean))  # type: ignore[assignment]
    denoising, match = one._errors(clean, noise, *levels)
    least = one._errors(torch.zeros(3, 1, 8, 8), torch.zeros(3, 1, 8, 8), *levels)[1]
    assert float(match) < 2e-4 * max(sigma, true) ** -0.5 < float(denoising)
    assert float(least) < 2e-4 * max(sigma, true) ** -0.5
    one.of_gradient.network = Exact(lambda z: 1.2 * SCALE / variance * (SCALE * z - mean))  # type: ignore[assignment]
    assert float(one._errors(clean, noise, *levels)[1]) > 3 * float(match)


@pytest.mark.parametrize("explicit", [False, True])
def test_the_two_networks_learn_to_agree(explicit: bool) -> None:
    one = trainer(replace(RECIPE, iterations=200, plain=40), explicit)
    losses = [one.step().measures["loss"] for _ in range(200)]
    assert sum(losses[30:40]) < 0.9 * sum(losses[:10])
    assert sum(losses[-20:]) < 0.7 * sum(losses[40:60])


def test_a_fixed_denoiser_is_trained_only_before() -> None:
    one = trainer(replace(RECIPE, update=False))
    changed = []
    for _ in range(8):
        before = {name: value.clone() for name, value in one.of_denoiser.network.state_dict().items()}
        one.step()
        after = one.of_denoiser.network.state_dict()
        changed.append(any(not torch.equal(value, after[name]) for name, value in before.items()))
    assert changed == [True] * RECIPE.plain + [False] * (8 - RECIPE.plain)


def test_the_second_term_alone_moves_the_denoiser_if_it_may() -> None:
    one = trainer(replace(RECIPE, plain=0))
    one.step()
    before = one.of_denoiser.network.head.detach().clone()
    one.step()  # the levels are independent here, and delta is 0
    assert not torch.equal(one.of_denoiser.network.head, before)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("killed_at", [3, 9])
def test_stopping_and_resuming_changes_not_a_single_bit(killed_at: int, explicit: bool) -> None:
    straight, killed, resumed = (trainer(explicit=explicit) for _ in range(3))
    for _ in range(15):
        straight.step()
    for _ in range(killed_at):
        killed.step()
    resumed.restore_state(killed.state())
    for _ in range(15 - killed_at):
        resumed.step()
    expected, found = straight.state(), resumed.state()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.equal(value, found[name]), name


def test_the_start_is_not_modified() -> None:
    start = networks()
    before = {name: value.clone() for name, value in start.state_dict().items()}
    JointTrainer(start, replace(RECIPE, plain=0), CropSource([pictures()], RECIPE.patch)).step()
    assert all(torch.equal(value, before[name]) for name, value in start.state_dict().items())


def test_the_step_size_rises_at_the_beginning_of_both_stages_and_falls_at_the_end() -> None:
    factors = [RECIPE.lr_factor(step) for step in range(RECIPE.iterations)]
    assert factors[:6] == [0.5, 1.0, 1.0, 1.0, 0.5, 1.0]
    assert factors[-1] == pytest.approx(0.1)


def test_a_state_of_other_networks_is_refused() -> None:
    state = trainer().state()
    state["gradient.learned.head"] = state["gradient.learned.head"][:4]
    with pytest.raises(ValueError, match="belongs"):
        trainer().restore_state(state)
