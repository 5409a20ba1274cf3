"""Splitting: F falls at each step, known minimisers are reached, and a step that is far too long is
shortened."""

from itertools import islice, pairwise

import pytest
import torch

from alr_cli.core.operators.downsample import box
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.proximal import Held, LeastSquares, Observed, Proximable
from alr_cli.core.solvers.splitting import Accelerated, Composite, ProximalGradient


class Quadratic:
    """g = 1/2 ||w x||^2, whose minimiser with f is known."""

    def __init__(self, weight: torch.Tensor) -> None:
        self.weight = weight

    def value_and_grad(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return 0.5 * (self.weight * x).square().flatten(1).sum(1), self.weight**2 * x


class Learned:
    """A potential of random weights at sigma = 0.1: not convex, and its gradient is far from Lipschitz with
    1."""

    def __init__(self) -> None:
        architecture = UNetArchitecture(1, (8, 12), (1, 1))
        self.unet = UNet(architecture, torch.Generator().manual_seed(0)).double()

    def value_and_grad(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            r, slopes = self.unet(x / 0.1, torch.ones_like(x), x.dtype)
            gradient = self.unet.transposed(r, slopes, x.dtype)
        return 0.005 * r.square().flatten(1).sum(1), 0.1 * gradient


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


Y, SMALL = random(2, 1, 16, 16), random(2, 1, 8, 8)
KNOWN = (random(1, 1, 16, 16, seed=2) < 0.3).double()
DATA: dict[str, Proximable] = {
    "denoising": Observed(Y),
    "inpainting": Held(Y, KNOWN),
    "upscaling": LeastSquares(box((16, 16), 2), SMALL, tol=1e-12),
}
SOLVERS: dict[str, ProximalGradient | Accelerated] = {
    "plain": ProximalGradient(),
    "accelerated": Accelerated(),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("data", DATA)
def test_the_objective_falls_at_every_step(data: str, solver: str) -> None:
    objective = Composite(DATA[data], Learned(), 0.5)
    start = DATA[data].prox(random(2, 1, 16, 16, seed=3), torch.ones(2, dtype=torch.float64))
    positions = list(islice(SOLVERS[solver].run(objective, start), 25))
    for before, after in pairwise(positions):
        assert bool((after.value <= before.value * (1 + 1e-6)).all())
    assert bool((positions[-1].value < 0.9 * positions[0].value).all())


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_known_minimiser_is_reached(solver: str) -> None:
    weight = 0.1 + random(1, 1, 16, 16, seed=4)
    lam = torch.tensor([0.5, 2.0], dtype=torch.float64)
    *_, last = islice(
        SOLVERS[solver].run(Composite(Observed(Y), Quadratic(weight), lam), torch.zeros_like(Y)), 150
    )
    torch.testing.assert_close(last.x, Y / (1 + lam.reshape(-1, 1, 1, 1) * weight**2), rtol=1e-5, atol=1e-6)


def test_a_step_that_is_too_long_is_shortened() -> None:
    solver = ProximalGradient(tau=50.0)
    objective = Composite(Held(Y, KNOWN), Quadratic(torch.tensor(1.0, dtype=torch.float64)), 1.0)
    positions = list(islice(solver.run(objective, Y), 5))
    assert bool((positions[1].tau < 2.0).all())
    assert bool((positions[-1].value < positions[0].value).all())
