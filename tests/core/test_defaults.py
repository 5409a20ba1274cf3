"""The default solver of a problem, and its number of steps."""

import numpy as np
import pytest
import torch

from alr_cli.core import problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.defaults import choose, descend
from alr_cli.core.priors.local import LocalRegularizer
from alr_cli.core.problems import Problem
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solver_parameters import SOLVERS
from alr_cli.core.solvers.plug_and_play import PlugAndPlay
from alr_cli.errors import UsageError
from tests.core.toys import Quadratic, a_critic, seeded, some_experts

Y = torch.rand(1, 1, 20, 20, generator=seeded())


def adam_steps(problem: Problem, sigma: float) -> int:
    return choose(LocalRegularizer(a_critic()), problem, 0.1, sigma).iterations


def test_steps_grow_with_the_noise_and_blurs_take_more() -> None:
    denoising = problems.denoising(Y, 4)
    steps = [adam_steps(denoising, sigma) for sigma in (0.01, 0.06, 0.1, 0.15, 0.2, 0.4)]
    assert steps == [30, 30, 50, 75, 100, 100]
    assert adam_steps(problems.deblurring(Y, np.ones((3, 3)) / 9, 4), 0.01) == 100
    assert adam_steps(problems.inpainting(Y, Y[0, 0] > 0.5, 4), 0.0) == 100


@pytest.mark.parametrize(
    "name", sorted(set(SOLVERS) - {"admm", "direct", "pnp-adam", "pnp-pgd", "splitting", "unrolled"})
)  # not for experts
def test_solver_options_are_used(name: str) -> None:
    solver = choose(
        LocalRegularizer(some_experts()), problems.denoising(Y, 13), 0.1, 0.1, SolverOptions(name, 7, 0.25)
    )
    assert (solver.name, solver.iterations, solver.tol) == (name, 7, 0.25)


class Weighted(Quadratic):
    """A quadratic of whose gradient a quarter is used."""

    def gradient_weight(self, problem: Problem) -> float:
        return 0.25


def test_a_gradient_that_needs_another_weight_has_it_in_every_descent() -> None:
    problem, data = problems.denoising(Y, 0), SquaredError(Y)
    found = [
        descend(problem, data, regularizer, lam, PlugAndPlay(5, 0.0, 0.1)).x
        for regularizer, lam in ((Weighted(), 0.8), (Quadratic(), 0.2), (Quadratic(), 0.8))
    ]
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])


def test_an_unknown_solver_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="fourier, adam, gd, nmapg"):
        choose(LocalRegularizer(a_critic()), problems.denoising(Y, 14), 0.1, 0.1, SolverOptions("newton"))
