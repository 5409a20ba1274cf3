"""Solving batches: reasons for stopping, and pixels that stay fixed."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.energy import Energy
from alr_cli.core.operators.pixels import Mask
from alr_cli.core.priors.local import LocalRegularizer
from alr_cli.core.solvers.base import Record, solve
from tests.core.energies import (
    HEIGHT,
    OPERATORS,
    SHAPE,
    WIDTH,
    Method,
    critic_energy,
    noise,
    quadratic,
    solver,
    some_pixels,
    staircase,
)
from tests.core.toys import Linear, Quadratic, a_critic

METHODS: list[Method] = ["adam", "gd", "nmapg"]  # fourier has a file of its own
LINE_SEARCHES: list[Method] = ["gd", "nmapg"]


# --- batches ---


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_gives_what_each_picture_gives_alone(method: Method) -> None:
    lam = torch.tensor([0.02, 0.3, 1.5], dtype=torch.float64)
    operator = OPERATORS["blur"]
    y = noise(3, 1, *SHAPE) * torch.tensor([1.0, 0.01, 3.0]).reshape(3, 1, 1, 1)
    start = torch.full_like(y, 0.3)
    together = solve(quadratic(operator, y, lam), start, solver(method, 60, 1e-6))
    ended = set()
    for n in range(3):
        alone = solve(
            quadratic(operator, y[n : n + 1], lam[n : n + 1]), start[n : n + 1], solver(method, 60, 1e-6)
        )
        torch.testing.assert_close(together.x[n], alone.x[0], rtol=0, atol=1e-12)
        for both, single in zip(together.history, alone.history, strict=False):
            torch.testing.assert_close(both.terms.energy[n], single.terms.energy[0], rtol=1e-10, atol=0)
            torch.testing.assert_close(both.change[n], single.change[0], rtol=1e-6, atol=1e-12)
        ended.add(alone.history[-1].iteration)
    assert together.history[-1].iteration == max(ended)
    assert method == "adam" or len(ended) > 1  # they did not all stop together


@pytest.mark.parametrize("method", LINE_SEARCHES)
@pytest.mark.parametrize("make", [lambda: critic_energy(3, "silu"), lambda: staircase(3)])
def test_nonconvex_and_kinked_pictures_do_not_disturb_each_other(
    make: Callable[[], tuple[Energy, Tensor]], method: Method
) -> None:
    energy, start = make()
    together = solve(energy, start, solver(method, 40, 0.0))
    data = energy.data
    assert isinstance(data, SquaredError)
    for n in range(3):
        y = SquaredError(data.y[n : n + 1])
        single = Energy(energy.operator, y, energy.regularizer, energy.lam, energy.size)
        alone = solve(single, start[n : n + 1], solver(method, 40, 0.0))
        torch.testing.assert_close(together.x[n], alone.x[0], rtol=0, atol=1e-6)


# --- why it stopped ---


class Cliff(Linear):
    """Decreases forever. Below `edge` its value or its gradient is not a number."""

    def __init__(self, what: str, edge: float) -> None:
        super().__init__(slope=1.0)
        self.what, self.edge = what, edge

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = super().value_and_grad(x)
        if float(x.mean()) < self.edge:
            return (value * torch.nan, gradient) if self.what == "value" else (value, gradient * torch.inf)
        return value, gradient


def falling(what: str, edge: float) -> Energy:
    nothing_seen = Mask(torch.zeros(SHAPE))
    return Energy(
        nothing_seen, SquaredError(torch.zeros(1, 1, *SHAPE)), Cliff(what, edge), 1.0, HEIGHT * WIDTH
    )


@pytest.mark.parametrize(
    ("method", "what"), [("adam", "value"), ("adam", "gradient"), ("gd", "gradient"), ("nmapg", "gradient")]
)
def test_non_finite_numbers_leave_the_last_finite_picture(method: Method, what: str) -> None:
    energy = falling(what, -1.3)
    solution = solve(energy, torch.zeros(1, 1, *SHAPE), solver(method, 200, 0.0))
    assert solution.stop == "non_finite"
    terms, gradient = energy.value_and_grad(solution.x)
    assert bool(torch.isfinite(solution.x).all()) and bool(torch.isfinite(gradient).all())
    torch.testing.assert_close(terms.energy, solution.history[-1].terms.energy)
    assert -1.3 <= float(solution.x.mean()) < 0


@pytest.mark.parametrize("method", LINE_SEARCHES)
def test_a_line_search_backs_away_from_a_bad_value(method: Method) -> None:
    solution = solve(falling("value", -1.3), torch.zeros(1, 1, *SHAPE), solver(method, 200, 0.0))
    assert solution.stop == "converged"
    assert float(solution.x.mean()) == pytest.approx(-1.3, abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_a_start_that_is_nan_is_returned(method: Method) -> None:
    start = torch.full((1, 1, *SHAPE), torch.nan)
    solution = solve(quadratic(OPERATORS["identity"], torch.zeros(1, 1, *SHAPE)), start, solver(method))
    assert solution.stop == "non_finite" and solution.history == []
    assert bool(torch.isnan(solution.x).all())


@pytest.mark.parametrize("method", METHODS)
def test_a_small_update_is_convergence(method: Method) -> None:
    energy = quadratic(OPERATORS["identity"], noise(1, 1, *SHAPE))
    solution = solve(energy, torch.zeros(1, 1, *SHAPE).double(), solver(method, 2000, 2e-3))
    assert solution.stop == "converged"
    assert float(solution.history[-1].change) <= 2e-3 < float(solution.history[-2].change)


@pytest.mark.parametrize("method", METHODS)
def test_the_minimiser_itself_is_convergence(method: Method) -> None:
    class Nothing(Quadratic):
        def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x.new_zeros(x.shape[0]), torch.zeros_like(x)

    y = noise(1, 1, *SHAPE)
    energy = Energy(OPERATORS["identity"], SquaredError(y), Nothing(), 1.0, HEIGHT * WIDTH)
    solution = solve(energy, y, solver(method))
    assert solution.stop == "converged" and torch.equal(solution.x, y)
    assert solution.history[-1].iteration == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("max_iter", [0, 1, 7])
def test_max_iter_counts_steps_and_the_history_begins_at_the_start(method: Method, max_iter: int) -> None:
    energy = quadratic(OPERATORS["blur"], noise(2, 1, *SHAPE))
    start = torch.zeros(2, 1, *SHAPE).double()
    seen: list[Record] = []
    solution = solve(energy, start, solver(method, max_iter, 0.0), lambda record, x: seen.append(record))
    assert solution.stop == "max_iter"
    assert [record.iteration for record in solution.history] == list(range(max_iter + 1))
    assert seen == solution.history
    torch.testing.assert_close(solution.history[0].terms.energy, energy.value_and_grad(start)[0].energy)
    torch.testing.assert_close(solution.history[-1].terms.energy, energy.value_and_grad(solution.x)[0].energy)
    assert bool((solution.history[0].change == 0).all())
    assert bool((start == 0).all())  # the caller's start is left alone


# --- particulars ---


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_held_pixels_are_returned_bit_for_bit(method: Method, dtype: torch.dtype) -> None:
    critic = a_critic(width=8, depth=3, dtype=dtype)
    holes = ~some_pixels(14, 15)
    y = noise(2, 1, 14, 15, dtype=dtype)
    problem = problems.inpainting(y, holes, critic.patch - 1, exact=True)
    regularizer = LocalRegularizer(critic)
    energy = Energy(problem.operator, SquaredError(problem.y), regularizer, 0.5, problem.pixels, problem.free)
    solution = solve(energy, problem.start, solver(method, 25))
    assert torch.equal(problem.crop(solution.x)[..., ~holes], y[..., ~holes])
    moved = (problem.crop(solution.x) - problem.crop(problem.start))[..., holes]
    assert bool((moved != 0).all())


def test_adam_steps_shrink_exponentially() -> None:
    """With a constant gradient, Adam's step equals its step size."""
    solution = solve(falling("value", -torch.inf), torch.zeros(1, 1, *SHAPE).double(), solver("adam"))
    sizes = [float(record.change) for record in solution.history[1:]]
    assert len(sizes) == 50
    np.testing.assert_allclose(sizes, 0.1 * 0.03 ** (np.arange(50) / 49), rtol=1e-6)


MAKERS: dict[str, Callable[[], Energy]] = {
    "a mask that hides everything": lambda: Energy(
        Mask(torch.zeros(SHAPE)), SquaredError(torch.zeros(1, 1, *SHAPE)), Quadratic(), 1.0, HEIGHT * WIDTH
    ),
    "no regularizer": lambda: quadratic(OPERATORS["blur"], torch.zeros(1, 1, *SHAPE), lam=0.0),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MAKERS)
def test_degenerate_energies_are_minimised_too(name: str, method: Method) -> None:
    solution = solve(MAKERS[name](), noise(1, 1, *SHAPE, dtype=torch.float32), solver(method, 300))
    assert solution.stop != "non_finite"
    first, last = solution.history[0].terms.energy, solution.history[-1].terms.energy
    assert float(last) < 0.02 * float(first)
