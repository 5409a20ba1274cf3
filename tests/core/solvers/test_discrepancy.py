"""The rule that stops a descent once it fits the observation as well as the true picture does."""

import pytest
import torch

from alr_cli.core import problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.defaults import choose
from alr_cli.core.energy import Energy
from alr_cli.core.priors.total_variation import TotalVariation
from alr_cli.core.problems import Problem
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers.base import Solution, solve
from alr_cli.core.solvers.discrepancy import Discrepancy
from alr_cli.core.solvers.line_search import GradientDescent

SIGMA = 0.1


def problem(pictures: int = 1) -> Problem:
    """Noisy pictures, and a start that is far from them."""
    y = 0.5 + SIGMA * torch.randn(pictures, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    y[1:] += 0.5
    return Problem(problems.denoising(y, 0).operator, y, lambda: torch.zeros_like(y), (12, 12))


def stopped(of: Problem, discrepancy: float | None) -> Solution:
    regularizer = TotalVariation(1)
    asked = SolverOptions("adam", iterations=60, discrepancy=discrepancy)
    solver = choose(regularizer, of, 0.01, SIGMA, asked)
    return solve(Energy.of(of, regularizer, 0.01, SquaredError(of.y)), of.start, solver)


@pytest.mark.parametrize("times", [0.5, 1.0, 2.0])
def test_it_stops_at_the_first_point_within_so_many_times_the_noise(times: float) -> None:
    found = stopped(problem(), times)
    residuals = [float(record.terms.data) ** 0.5 for record in found.history]
    assert found.stop == "discrepancy" and residuals[-1] <= times * SIGMA
    assert all(value > times * SIGMA for value in residuals[:-1])


def test_what_is_out_of_reach_changes_nothing() -> None:
    plain, watched = stopped(problem(), None), stopped(problem(), 1e-6)
    assert watched.stop == plain.stop != "discrepancy" and torch.equal(watched.x, plain.x)


def test_a_picture_that_fits_already_is_left_as_it_is() -> None:
    found = stopped(problem(), 20.0)
    assert (found.stop, len(found.history)) == ("discrepancy", 1)
    assert torch.equal(found.x, torch.zeros(1, 1, 12, 12))


def test_every_picture_of_a_batch_stops_for_itself() -> None:
    both = problem(2)
    together = stopped(both, 1.0).x
    for index in range(2):
        y = both.y[index : index + 1]
        alone = Problem(both.operator, y, lambda y=y: torch.zeros_like(y), (12, 12))  # type: ignore[misc]
        assert torch.allclose(together[index : index + 1], stopped(alone, 1.0).x, atol=1e-6)


def test_the_solver_keeps_its_name_and_limits() -> None:
    of = GradientDescent(iterations=7, tol=0.5)
    watched = Discrepancy(of, 1.0)
    assert (watched.name, watched.iterations, watched.tol, watched.compares) == ("gd", 7, 0.5, True)
