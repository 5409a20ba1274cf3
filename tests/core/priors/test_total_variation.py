"""TV: its gradient, and its value in known cases."""

import pytest
import torch

from alr_cli.core.priors.total_variation import TotalVariation


@pytest.mark.parametrize("shape", [(1, 1, 2, 2), (2, 3, 5, 7), (1, 3, 2, 9)])
def test_the_gradient_is_the_derivative_of_the_value(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    regularizer = TotalVariation(channels=shape[1], eps=0.1)
    _, gradient = regularizer.value_and_grad(x)
    direction = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    step = 1e-6
    above, _ = regularizer.value_and_grad(x + step * direction)
    below, _ = regularizer.value_and_grad(x - step * direction)
    slope = (gradient * direction).sum(dim=(1, 2, 3))
    assert torch.allclose((above - below) / (2 * step), slope, rtol=1e-6, atol=1e-9)


def test_flat_pictures_have_no_variation_and_a_ramp_its_slope() -> None:
    regularizer = TotalVariation(channels=1, eps=1e-6)
    flat = torch.full((1, 1, 6, 6), 0.3, dtype=torch.float64)
    value, gradient = regularizer.value_and_grad(flat)
    assert value.item() == pytest.approx(0, abs=1e-7) and not gradient.any()
    ramp = (0.1 * torch.arange(6, dtype=torch.float64)).expand(1, 1, 6, 6)
    assert regularizer.value_and_grad(ramp)[0].item() == pytest.approx(25 * 0.1, abs=1e-4)


def test_equal_channels_cost_the_root_of_their_number() -> None:
    plane = torch.rand((1, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    one, _ = TotalVariation(channels=1, eps=1e-6).value_and_grad(plane)
    three, _ = TotalVariation(channels=3, eps=1e-6).value_and_grad(plane.expand(1, 3, 8, 8))
    assert three.item() == pytest.approx(3**0.5 * one.item(), rel=1e-4)
