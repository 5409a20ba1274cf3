"""The filters of one scale: hand-written gradients, and windows as channels."""

import pytest
import torch
from torch import Tensor

from alr_cli.core.priors.experts import Experts, ExpertsArchitecture
from alr_cli.core.priors.filter_bank import (
    add_channels_to_rows,
    rows_as_channels,
    summed,
    without_negligible,
)
from alr_cli.files.weights import load_weights
from tests.core.toys import seeded, some_experts, two_pictures

SCALES = [0, 3]  # filters at the third scale: none, or some


@pytest.mark.parametrize("wide", [1, 10, 100])
@pytest.mark.parametrize("shape", [(28, 28), (30, 28), (37, 34), (46, 49)])
@pytest.mark.parametrize("coarser", SCALES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_gradient_by_hand_is_that_of_autograd(
    channels: int, coarser: int, shape: tuple[int, int], wide: int
) -> None:
    critic, x = some_experts(channels, coarser), two_pictures(channels, *shape)
    value, gradient = critic.summed(torch.float64)(x, wide)
    leaf = x.clone().requires_grad_(True)
    scores = critic(leaf).sum((1, 2, 3))
    (expected,) = torch.autograd.grad(scores.sum(), leaf)
    torch.testing.assert_close(value, scores.detach(), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("coarser", SCALES)
@pytest.mark.parametrize("channels", [1, 3])
def test_dense_filters_on_one_grid_have_their_own_gradient(channels: int, coarser: int) -> None:
    critic, x = some_experts(channels, coarser), two_pictures(channels, 44, 36)
    banks = critic.banks(torch.float64, dense=True)
    leaf = x.clone().requires_grad_(True)
    scores = sum(
        (torch.log1p(bank.responses(bank.seen(leaf)).square()).sum((2, 3)) * bank.weights).sum(1)
        for bank in banks
    )
    assert isinstance(scores, Tensor)
    (expected,) = torch.autograd.grad(scores.sum(), leaf)
    value, gradient = summed(banks, critic.stride, x, 8)
    torch.testing.assert_close(value, scores.detach(), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-9)


def test_negligible_filters_are_left_out_without_changing_the_gradient() -> None:
    critic, x = some_experts(3, 0), two_pictures(3, 44, 36)
    with torch.no_grad():
        critic.get_parameter("log_coarse")[1:].sub_(20)
        critic.get_parameter("log_fine")[:3].sub_(20)
    banks = critic.banks(torch.float64)
    kept = without_negligible(banks)
    assert [len(bank.weights) for bank in kept] == [len(banks[0].weights) - 3, 1]
    _, expected = summed(banks, critic.stride, x, 100)
    _, gradient = summed(kept, critic.stride, x, 100)
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


def test_filters_of_equal_strength_are_all_kept() -> None:
    """At initialisation all filters of a scale have the same weight, and none is negligible."""
    banks = Experts(ExpertsArchitecture.usual(3)).banks()
    kept = without_negligible(banks)
    assert [len(bank.weights) for bank in kept] == [len(bank.weights) for bank in banks]


def test_the_shipped_colour_filters_lose_half_of_the_coarse_ones() -> None:
    network = load_weights("color-tuned").prior.network
    assert isinstance(network, Experts)
    fine, coarse = (len(bank.weights) for bank in without_negligible(network.banks()))
    assert fine == network.architecture.fine
    assert network.architecture.coarse / 4 < coarse < 0.6 * network.architecture.coarse


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("side", [1, 4, 7])
def test_a_channel_holds_the_row_as_many_pixels_further_right(side: int, dilation: int) -> None:
    x = torch.rand(2, 3, 5, 17, generator=seeded(4))
    windows = rows_as_channels(x, side, dilation)
    width = 17 - dilation * (side - 1)
    assert windows.shape == (2, 3 * side, 5, width)
    for d in range(side):
        assert torch.equal(windows[:, 3 * d : 3 * d + 3], x[..., dilation * d : dilation * d + width])


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("side", [1, 4, 7])
def test_adding_channels_to_rows_is_the_adjoint(side: int, dilation: int) -> None:
    x = torch.rand(2, 3, 5, 17, generator=seeded(5), dtype=torch.float64)
    windows = rows_as_channels(x, side, dilation)
    other = torch.rand(windows.shape, generator=seeded(6), dtype=torch.float64)
    back = torch.zeros_like(x)
    add_channels_to_rows(other, back, dilation)
    assert float((windows * other).sum()) == pytest.approx(float((x * back).sum()))
