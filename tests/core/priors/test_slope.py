"""A gradient that a U-Net computes: both forms, and which priors have one."""

import pytest
import torch

from alr_cli.core.priors.gradient_network import GradientNetwork, GradientPrior
from alr_cli.core.priors.potential import PotentialPrior
from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.priors.slope import HasSlope, Slope
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from tests.core.toys import a_critic, deep

EXACT = Arithmetic(precision=torch.float64)


def unet(seed: int = 0) -> UNet:
    return UNet(UNetArchitecture(1, (4, 8), (1, 1)), torch.Generator().manual_seed(seed)).double()


def random() -> torch.Tensor:
    return torch.rand(2, 1, 16, 24, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("scale", [0.02, 0.3])
def test_the_explicit_form_is_the_gradient_of_half_the_squared_norm_of_the_free_one(scale: float) -> None:
    x = random().requires_grad_()
    free, explicit = (Slope(unet(), kind, scale)(x, torch.float64) for kind in (False, True))
    (expected,) = torch.autograd.grad(0.5 * free.square().sum(), x)
    torch.testing.assert_close(explicit, expected)


@pytest.mark.parametrize("explicit", [False, True])
def test_a_gradient_network_has_a_multiple_of_its_gradient(explicit: bool) -> None:
    prior = GradientPrior(GradientNetwork(unet(), unet(1), explicit), (0.01, 0.2), lambda sigma: 2.0)
    x, slope = random(), prior.slope
    found = slope(x, torch.float64)
    torch.testing.assert_close(prior.at(slope.scale, EXACT).value_and_grad(x)[1], found)


def test_a_potential_has_its_gradient_at_one_level() -> None:
    prior = PotentialPrior(unet(), (0.01, 0.2), lambda sigma: 2.0)
    x, slope = random(), prior.slope
    torch.testing.assert_close(prior.at(slope.scale, EXACT).value_and_grad(x)[1], slope(x, torch.float64))


def test_a_critic_has_none() -> None:
    assert not isinstance(deep(a_critic()), HasSlope)
