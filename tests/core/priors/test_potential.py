"""The potential: gradient, scaling with the noise, and blocks."""

import pytest
import torch

from alr_cli.core.priors import blocks
from alr_cli.core.priors.orientations import Turned, turned
from alr_cli.core.priors.potential import PotentialPrior
from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.priors.unet import UNet, UNetArchitecture

RANGE = (0.01, 0.4)


def prior(channels: int = 1, widths: tuple[int, ...] = (8, 12)) -> PotentialPrior:
    architecture = UNetArchitecture(channels, widths, (1,) * len(widths))
    unet = UNet(architecture, torch.Generator().manual_seed(0)).double()
    return PotentialPrior(unet, RANGE, lambda sigma: 1.0)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


EXACT = Arithmetic(precision=torch.float64)


@pytest.mark.parametrize("sigma", [0.003, 0.05, 0.3])
@pytest.mark.parametrize("shape", [(16, 24), (15, 22), (7, 5)])
def test_the_gradient_is_the_slope_of_the_value(shape: tuple[int, int], sigma: float) -> None:
    regularizer = prior(3).at(sigma, EXACT)
    x, direction = random(2, 3, *shape), random(2, 3, *shape, seed=1) - 0.5
    _, gradient = regularizer.value_and_grad(x)
    step = 1e-6 * sigma
    ahead, behind = (regularizer.value_and_grad(x + t * direction)[0] for t in (step, -step))
    slope = (gradient * direction).flatten(1).sum(1)
    assert bool((slope.abs() > 1e-6).all())
    torch.testing.assert_close((ahead - behind) / (2 * step), slope, rtol=1e-4, atol=1e-7)


def test_the_energy_scales_as_the_noise_does() -> None:
    x = random(1, 1, 16, 24)
    value, gradient = prior().at(0.05, EXACT).value_and_grad(x)
    scaled, scaled_gradient = prior().at(0.15, EXACT).value_and_grad(3 * x)
    torch.testing.assert_close(scaled, 9 * value)
    torch.testing.assert_close(scaled_gradient, 3 * gradient)


def test_denoising_is_one_gradient_step_and_without_noise_returns_the_picture() -> None:
    y = random(1, 1, 16, 24)
    step = prior().at(0.05, EXACT).value_and_grad(y)[1]
    torch.testing.assert_close(prior().at(0.05, EXACT).denoise(y), y - step)
    assert torch.equal(prior().at(0.0, EXACT).denoise(y), y)
    least = (prior().at(RANGE[0], EXACT).denoise(y) - y).abs().max()
    assert float((prior().at(RANGE[0] / 10, EXACT).denoise(y) - y).abs().max()) == pytest.approx(
        float(least) / 100
    )


def test_noise_of_one_level_is_a_case_of_levels_that_differ_between_pixels() -> None:
    y, regularizer = random(2, 1, 15, 22), prior().at(0.05, EXACT)
    torch.testing.assert_close(
        regularizer.with_levels(torch.ones(1, 1, 15, 22)).denoise(y), regularizer.denoise(y)
    )


@pytest.mark.parametrize("shape", [(16, 24), (15, 22)])
def test_the_gradient_is_the_slope_of_the_value_for_levels_that_differ(shape: tuple[int, int]) -> None:
    levels = 0.5 + random(2, 1, *shape, seed=2)
    regularizer = prior(3).at(0.05, EXACT).with_levels(levels)
    x, direction = random(2, 3, *shape), random(2, 3, *shape, seed=1) - 0.5
    _, gradient = regularizer.value_and_grad(x)
    ahead, behind = (regularizer.value_and_grad(x + t * direction)[0] for t in (5e-8, -5e-8))
    slope = (gradient * direction).flatten(1).sum(1)
    torch.testing.assert_close((ahead - behind) / 1e-7, slope, rtol=1e-4, atol=1e-7)


def test_levels_are_turned_with_the_picture() -> None:
    y, levels = random(1, 1, 16, 24), 0.5 + random(1, 1, 16, 24, seed=2)
    regularizer = prior().at(0.05, EXACT)
    seen = Turned(regularizer.with_levels(levels), 3).denoise(y)
    expected = regularizer.with_levels(turned(levels, 3)).denoise(turned(y, 3))
    torch.testing.assert_close(turned(seen, 3), expected)


def test_each_block_sees_the_levels_of_its_own_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "HALO", 64)
    y, levels = random(1, 1, 40, 56), 0.5 + random(1, 1, 40, 56, seed=2)
    whole = prior().at(0.05, EXACT).with_levels(levels).denoise(y)
    tiled = prior().at(0.05, Arithmetic(24, torch.float64)).with_levels(levels).denoise(y)
    torch.testing.assert_close(tiled, whole)


@pytest.mark.parametrize("tile", [8, 24, 40])
def test_blocks_that_see_twice_the_reach_are_exact(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one = prior(widths=(8,))
    monkeypatch.setattr(blocks, "HALO", 2 * one.network.architecture.reach)
    x = random(2, 1, 61, 90)
    value, gradient = one.at(0.05, EXACT).value_and_grad(x)
    tiled, tiled_gradient = one.at(0.05, Arithmetic(tile, torch.float64)).value_and_grad(x)
    torch.testing.assert_close(tiled, value)
    torch.testing.assert_close(tiled_gradient, gradient)


def test_a_prior_survives_its_description() -> None:
    one = prior()
    described = one.description
    assert described.pop("kind") == PotentialPrior.kind
    other = PotentialPrior.described(described, RANGE, lambda sigma: 1.0)
    other.network.load_state_dict(one.network.state_dict(), assign=True)
    y = random(1, 1, 16, 24)
    assert torch.equal(one.at(0.1, EXACT).denoise(y), other.at(0.1, EXACT).denoise(y))


def test_a_copy_on_a_device_leaves_the_prior_alone() -> None:
    one = prior()
    copy = one.to(torch.device("cpu"))
    with torch.no_grad():
        copy.network.head.zero_()
    assert bool((one.network.head != 0).any())
