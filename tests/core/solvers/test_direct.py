"""One gradient step of a denoising regularizer; a few steps if pixels are clipped."""

import pytest
import torch

from alr_cli.core import problems
from alr_cli.core.coloured_noise import ColouredNoise
from alr_cli.core.data_terms import ClippedGaussian, SquaredError, UnevenGaussian
from alr_cli.core.defaults import minimise
from alr_cli.core.energy import Energy
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.priors.orientations import ROTATIONS, Turned, turned
from alr_cli.core.priors.potential import PotentialPrior
from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.priors.total_variation import TotalVariation
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers.base import solve
from alr_cli.core.solvers.direct import Direct
from alr_cli.errors import UsageError

SIGMA = 0.2


class Smooths:
    """R = |grad x|^2 / 8 on a torus, whose gradient step takes the mean of the neighbours."""

    channels, margin = 1, 0

    def value_and_grad(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        gradient = x - sum(x.roll(by, axis) for by in (-1, 1) for axis in (-1, -2)) / 4
        return 0.5 * (x * gradient).sum((1, 2, 3)), gradient

    def denoise(self, y: torch.Tensor, share: float = 1.0) -> torch.Tensor:
        return y - share * self.value_and_grad(y)[1]


def noisy(clipped: bool = False) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    y = 0.9 + SIGMA * torch.randn(2, 1, 32, 32, generator=generator)
    return y.clamp(0, 1) if clipped else y


def test_one_step_converges_and_reports_it() -> None:
    y = noisy()
    fast = SolverOptions(fast=True)
    found = minimise(problems.denoising(y, 0), SquaredError(y), Smooths(), 2.0, SIGMA, fast)
    torch.testing.assert_close(found.x, Smooths().denoise(y))
    assert (found.stop, found.history[-1].iteration) == ("converged", 1)
    data = (found.x - y).square().mean((1, 2, 3))
    torch.testing.assert_close(found.history[-1].terms.data, data)
    assert not found.history[-1].terms.known


@pytest.mark.parametrize("lam", [0.5, 1.0])
def test_lambda_scales_the_step(lam: float) -> None:
    y = noisy()
    found = minimise(problems.denoising(y, 0), SquaredError(y), Smooths(), lam, SIGMA)
    torch.testing.assert_close(found.x, Smooths().denoise(y, lam / 2))


def test_clipped_pixels_rise_to_their_expected_values() -> None:
    y = noisy(clipped=True)
    problem = problems.denoising(y, 0)
    plain = minimise(problem, SquaredError(y), Smooths(), 2.0, SIGMA).x
    aware = minimise(problem, ClippedGaussian(y, SIGMA), Smooths(), 2.0, SIGMA)
    assert 1 < aware.history[-1].iteration <= 10
    assert abs(float(aware.x.mean()) - 0.9) < 0.3 * abs(float(plain.mean()) - 0.9)


def test_it_is_the_default_for_a_potential() -> None:
    unet = UNet(UNetArchitecture(1, (8,), (1,)), torch.Generator().manual_seed(0))
    regularizer = PotentialPrior(unet, (0.01, 0.4), lambda sigma: 2.0).at(SIGMA, Arithmetic())
    y = noisy()
    found = minimise(problems.denoising(y, 0), SquaredError(y), regularizer, 2.0, SIGMA)
    expected = sum(Turned(regularizer, side).denoise(y) for side in ROTATIONS) / 4
    torch.testing.assert_close(found.x, expected)


def test_fast_denoising_sees_one_orientation() -> None:
    unet = UNet(UNetArchitecture(1, (8,), (1,)), torch.Generator().manual_seed(0))
    regularizer = PotentialPrior(unet, (0.01, 0.4), lambda sigma: 2.0).at(SIGMA, Arithmetic())
    y, fast = noisy(), SolverOptions(fast=True)
    found = minimise(problems.denoising(y, 0), SquaredError(y), regularizer, 2.0, SIGMA, fast)
    torch.testing.assert_close(found.x, regularizer.denoise(y))


class MovesRight(Smooths):
    """A denoiser with a preferred direction: it takes the left neighbour of each pixel."""

    def denoise(self, y: torch.Tensor, share: float = 1.0) -> torch.Tensor:
        return y + share * (y.roll(1, -1) - y)


@pytest.mark.parametrize("lam", [1.0, 2.0])
def test_four_rotations_have_no_preferred_direction(lam: float) -> None:
    y = noisy()
    found = minimise(problems.denoising(y, 0), SquaredError(y), MovesRight(), lam, SIGMA)
    torch.testing.assert_close(found.x, Smooths().denoise(y, lam / 2))
    assert (found.stop, found.history[-1].iteration) == ("converged", 4)


@pytest.mark.parametrize(("limit", "stop"), [(20, "converged"), (2, "max_iter")])
def test_clipped_pixels_settle_before_the_picture_is_turned(limit: int, stop: str) -> None:
    y = noisy(clipped=True)
    objective = Energy.of(problems.denoising(y, 0), Smooths(), 2.0, ClippedGaussian(y, SIGMA))
    upright, turned = (
        solve(objective, y, Direct(Smooths(), iterations=limit, sides=sides)) for sides in ((0,), ROTATIONS)
    )
    assert upright.stop == turned.stop == stop
    assert len(turned.history) == len(upright.history) + 3
    torch.testing.assert_close(turned.x, upright.x)  # this denoiser has no preferred direction


def test_a_regularizer_that_does_not_denoise_is_refused() -> None:
    y = noisy()
    with pytest.raises(UsageError, match="denoises in one step"):
        minimise(
            problems.denoising(y, 1), SquaredError(y), TotalVariation(1), 1.0, SIGMA, SolverOptions("direct")
        )


class Adapts(Smooths):
    """As Smooths, but smooths less where there is less noise."""

    def __init__(self, relative: torch.Tensor | float = 1.0) -> None:
        self.relative = relative

    def with_levels(self, relative: torch.Tensor) -> "Adapts":
        return Adapts(relative)

    def turned(self, side: int) -> "Adapts":
        return Adapts(turned(self.relative, side)) if isinstance(self.relative, torch.Tensor) else self

    def denoise(self, y: torch.Tensor, share: float = 1.0) -> torch.Tensor:
        return y - share * self.relative * self.value_and_grad(y)[1]


def uneven(y: torch.Tensor) -> ColouredNoise:
    deviation = torch.linspace(0.4, 1.6, y.shape[-1]).expand_as(y)
    return ColouredNoise(NoiseModel.white(SIGMA, 1), deviation / deviation.square().mean().sqrt())


def test_levels_that_differ_between_pixels_are_turned_with_the_picture() -> None:
    y = noisy()
    noise = uneven(y)
    problem = problems.denoising(y, 0, noise)
    found = minimise(problem, UnevenGaussian(y, noise.deviation, SIGMA), Adapts(), lam=2.0, sigma=SIGMA)
    torch.testing.assert_close(found.x, Adapts(noise.deviation).denoise(y))
    assert (found.stop, found.history[-1].iteration) == ("converged", 4)


def test_clipped_pixels_rise_further_where_there_is_more_noise() -> None:
    y = torch.ones(1, 1, 32, 32)
    noise = uneven(y)
    data = UnevenGaussian(y, noise.deviation, SIGMA, clipped=True)
    x = minimise(problems.denoising(y, 0, noise), data, Adapts(), 2.0, SIGMA).x
    left, right = x[..., 8].mean(), x[..., 24].mean()
    assert 1 < float(left) < float(right)
