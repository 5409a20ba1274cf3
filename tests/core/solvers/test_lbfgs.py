"""L-BFGS reaches known minimisers, never increases the energy, and treats each picture separately."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from alr_cli.core.energy import Terms
from alr_cli.core.solvers.base import solve
from alr_cli.core.solvers.lbfgs import Lbfgs


@dataclass(frozen=True)
class Toy:
    """A test objective: Rosenbrock's function, or a quadratic of condition 10,000."""

    rosenbrock: bool
    least: float = -100.0
    natural_step: float = 1.0
    size: float = 1.0

    def value_and_grad(self, x: Tensor) -> tuple[Terms, Tensor]:
        leaf = x.detach().requires_grad_(True)
        if self.rosenbrock:
            odd, even = leaf[:, ::2], leaf[:, 1::2]
            value = (100 * (even - odd**2) ** 2 + (1 - odd) ** 2).sum(dim=1)
        else:
            value = (torch.logspace(-2, 2, leaf.shape[1], dtype=x.dtype) * (leaf - 1) ** 2).sum(dim=1)
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
        value = value.detach()
        return Terms(value, value, torch.zeros_like(value)), gradient

    def project(self, x: Tensor) -> None:
        x.clamp_(min=self.least)


def start(count: int = 3) -> Tensor:
    return 2 * torch.randn(count, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("rosenbrock", [False, True])
def test_it_finds_the_minimiser(rosenbrock: bool) -> None:
    solution = solve(Toy(rosenbrock), start(), Lbfgs(400, 1e-12))
    assert solution.stop == "converged"
    assert (solution.x - 1).abs().max() < 1e-4


@pytest.mark.parametrize("rosenbrock", [False, True])
def test_no_energy_ever_rises(rosenbrock: bool) -> None:
    history = solve(Toy(rosenbrock), start(), Lbfgs(60)).history
    energies = torch.stack([record.terms.energy for record in history])
    assert (energies.diff(dim=0) <= 0).all()


def test_each_picture_of_a_batch_is_solved_separately() -> None:
    together = solve(Toy(True), start(), Lbfgs(30, 0.0)).x
    alone = [solve(Toy(True), part, Lbfgs(30, 0.0)).x for part in torch.split(start(), 1)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_it_respects_the_constraints() -> None:
    assert (solve(Toy(False, least=1.5), start(), Lbfgs(50)).x >= 1.5).all()
