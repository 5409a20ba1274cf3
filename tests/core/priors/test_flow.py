"""||f(x)||^2 as a regularizer: its gradient, its value, and the pictures it refuses."""

import pytest
import torch

from alr_cli.core.priors.flow import FlowPrior, FlowRegularizer
from alr_cli.errors import WeightsError
from tests.core.flows import TINY, a_flow, waves


@pytest.mark.parametrize("volume", [0.0, 1.0])
def test_the_gradient_is_that_of_the_value(volume: float) -> None:
    regularizer = FlowRegularizer(a_flow().double(), volume)
    x = torch.rand(2, 1, 8, 8, dtype=torch.float64)
    _, gradient = regularizer.value_and_grad(x)
    for _ in range(5):
        direction = torch.randn_like(x)
        ahead, behind = (regularizer.value_and_grad(x + step * direction)[0] for step in (1e-6, -1e-6))
        slope = (gradient * direction).sum(dim=(1, 2, 3))
        torch.testing.assert_close((ahead - behind) / 2e-6, slope, rtol=1e-6, atol=1e-5)


def test_with_the_volume_it_is_the_likelihood_up_to_a_constant() -> None:
    flow, random = a_flow().double(), torch.Generator().manual_seed(1)
    x = waves(4, TINY, random).double()
    values, _ = FlowRegularizer(flow).value_and_grad(x)
    constants = values + 2 * flow.log_likelihood(x)
    torch.testing.assert_close(constants, constants[:1].expand(4))


def test_without_the_volume_it_is_the_square_of_the_latent() -> None:
    regularizer, x = FlowRegularizer(a_flow(), volume=0.0), torch.rand(3, 1, 8, 8)
    values, _ = regularizer.value_and_grad(x)
    torch.testing.assert_close(values, regularizer.latent(x).square().sum(dim=1))


def test_noise_costs_more_than_what_it_was_added_to() -> None:
    x = waves(20, TINY, torch.Generator().manual_seed(2))
    regularizer = FlowRegularizer(a_flow())
    noisy = x + 0.1 * torch.randn(x.shape, generator=torch.Generator().manual_seed(3))
    assert (regularizer.value_and_grad(noisy)[0] > regularizer.value_and_grad(x)[0]).all()


@pytest.mark.parametrize("shape", [(8, 9), (16, 16), (7, 8)])
def test_a_picture_of_another_size_is_refused_with_the_size(shape: tuple[int, int]) -> None:
    with pytest.raises(WeightsError, match=rf"8 x 8 pixels, and this one has {shape[1]} x {shape[0]}"):
        FlowRegularizer(a_flow()).value_and_grad(torch.rand(1, 1, *shape))


def test_a_prior_is_what_its_description_says() -> None:
    prior = FlowPrior(a_flow(), (0.01, 0.2), lambda sigma: sigma**2, volume=0.5)
    fields = dict(prior.description)
    assert fields.pop("kind") == FlowPrior.kind
    built = FlowPrior.described(fields, prior.sigma_range, prior.lam)
    assert built.volume == 0.5
    assert all(parameter.is_meta for parameter in built.network.parameters())
    built.network.load_state_dict(prior.network.state_dict(), assign=True)
    x = torch.rand(1, 1, 8, 8)
    assert torch.equal(built.at(0.1).value_and_grad(x)[0], prior.at(0.1).value_and_grad(x)[0])


@pytest.mark.parametrize("wrong", [{"volume": 2.0}, {"size": 9}, {"width": "64"}, {"nonsense": 1}])
def test_invalid_descriptions_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        FlowPrior.described({**TINY.as_dict(), **wrong}, (0.01, 0.2), lambda sigma: sigma)
