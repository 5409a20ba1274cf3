"""Unrolled descent: its steps are those of the formula, and those that were trained."""

import pytest
import torch

from alr_cli.core import problems
from alr_cli.core.defaults import choose
from alr_cli.core.energy import Energy
from alr_cli.core.named_tasks import named_task
from alr_cli.core.problems import Problem
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers import solve
from alr_cli.core.solvers.unrolled import Unrolled
from alr_cli.core.tasks import Deblurring, Upscaling
from alr_cli.errors import UsageError
from tests.core.energies import KERNEL, noise
from tests.core.priors.test_unrolled import prior
from tests.core.toys import Quadratic

Y = noise(2, 1, 8, 8)


def test_every_step_is_that_of_the_formula() -> None:
    problem, regularizer = problems.deblurring(Y, KERNEL, 0), Quadratic()
    pace = ((0.5, 0.3), (1.5, 0.0), (0.7, 2.0))
    seen: list[torch.Tensor] = []
    found = solve(
        Energy.of(problem, regularizer, 2.0),
        problem.start,
        Unrolled(regularizer, pace, 3),
        lambda record, x: seen.append(x.clone()),
    )
    x = problem.start
    for (size, weight), after in zip(pace, seen[1:], strict=True):
        misfit = problem.operator.adjoint(problem.operator.forward(x) - Y)
        x = x - size * (misfit + weight * regularizer.value_and_grad(x)[1])
        torch.testing.assert_close(after, x)
    assert (found.stop, len(found.history), found.history[-1].terms.known) == ("max_iter", 4, False)


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("task", ["upscale:2", "deblur:gaussian:5:1"])
def test_the_solver_takes_the_steps_of_the_training(task: str, explicit: bool) -> None:
    one, y = (
        prior(task, explicit=explicit),
        torch.rand(2, 1, 12, 16, generator=torch.Generator().manual_seed(1)),
    )
    problem: Problem = named_task(task).problem(y, 0, 0.0)
    regularizer = one.at(0.01)
    solver = choose(regularizer, problem, one.lam(0.01), 0.01)
    found = solve(Energy.of(problem, regularizer, one.lam(0.01)), problem.start, solver)
    with torch.no_grad():
        expected = one.network.restored(problem)
    torch.testing.assert_close(problem.crop(found.x), expected, rtol=1e-4, atol=1e-5)


def test_fewer_steps_and_another_lambda_are_possible() -> None:
    regularizer, problem = prior(steps=4).at(0.01), Upscaling(2).problem(Y.float(), 0, 0.0)
    solver = choose(regularizer, problem, 2.0 * 3, 0.01, SolverOptions(iterations=2))
    assert isinstance(solver, Unrolled)
    assert solver.iterations == 2
    assert [weight for _, weight in solver.pace] == pytest.approx([3 * w for _, w in regularizer.pace])


def test_other_weights_have_no_such_steps() -> None:
    with pytest.raises(UsageError, match="alr train --recipe unrolled"):
        choose(Quadratic(), Deblurring(KERNEL).problem(Y, 0, 0.0), 1.0, 0.01, SolverOptions("unrolled"))
