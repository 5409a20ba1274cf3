"""The line searches: convergence, descent, and agreement with algorithm 4 line by line."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core.energy import Energy, Terms
from alr_cli.core.operators.protocol import LinearOperator
from alr_cli.core.solvers.base import solve
from alr_cli.core.solvers.line_search import GradientDescent
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
    staircase,
)
from tests.core.toys import Quadratic

METHODS: list[Method] = ["adam", "gd", "nmapg"]  # fourier has a file of its own
LINE_SEARCHES: list[Method] = ["gd", "nmapg"]


def minimiser(operator: LinearOperator, y: Tensor, lam: float) -> Tensor:
    """The minimiser of the quadratic energy by dense linear algebra: (2 A'A + lam H) x = 2 A'y + lam w
    centre."""
    size = HEIGHT * WIDTH
    basis = torch.eye(size, dtype=torch.float64).reshape(size, 1, HEIGHT, WIDTH)
    a = operator.forward(basis).reshape(size, -1).numpy().T
    regularizer = Quadratic()
    matrix = 2 * a.T @ a + lam * regularizer.hessian(HEIGHT, WIDTH)
    right = 2 * a.T @ y.reshape(-1).numpy() + lam * regularizer.weight * regularizer.centre
    return torch.from_numpy(np.linalg.solve(matrix, right)).reshape(1, 1, HEIGHT, WIDTH)


# --- the minimiser ---


@pytest.mark.parametrize(
    ("method", "max_iter", "tol", "distance", "name"),
    [
        *(("gd", 400, 1e-9, 1e-6, name) for name in OPERATORS),
        *(("nmapg", 400, 1e-9, 1e-6, name) for name in OPERATORS),
        *(("adam", 1000, 0.0, 1e-3, name) for name in ("identity", "valid blur")),
    ],
)
def test_every_method_reaches_the_minimiser_of_a_quadratic(
    method: Method, max_iter: int, tol: float, distance: float, name: str
) -> None:
    operator = OPERATORS[name]
    y = noise(1, 1, *operator.output_shape)
    solution = solve(
        quadratic(operator, y), torch.zeros(1, 1, *SHAPE).double(), solver(method, max_iter, tol)
    )
    expected = minimiser(operator, y, 0.2)
    assert (solution.x - expected).square().mean().sqrt() < distance
    assert solution.stop == ("max_iter" if method == "adam" else "converged")


@pytest.mark.parametrize("method", LINE_SEARCHES)
def test_single_precision_comes_close_and_stops(method: Method) -> None:
    operator = OPERATORS["blur"]
    y = noise(1, 1, *SHAPE)
    solution = solve(quadratic(operator, y.float()), torch.zeros(1, 1, *SHAPE), solver(method, 500, 0.0))
    assert solution.x.dtype == torch.float32
    assert solution.stop == "converged"  # no step lowers the energy measurably any more
    assert (solution.x - minimiser(operator, y, 0.2)).square().mean().sqrt() < 1e-3


@pytest.mark.parametrize("method", LINE_SEARCHES)
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_scale_of_the_energy_does_not_matter(method: Method, scale: float) -> None:
    class Scaled(Energy):
        def value_and_grad(self, x: Tensor) -> tuple[Terms, Tensor]:
            terms, gradient = super().value_and_grad(x)
            return Terms(scale * terms.energy, terms.data, terms.regularizer), scale * gradient

    y = noise(1, 1, *SHAPE)
    energy = quadratic(OPERATORS["blur"], y)
    scaled = Scaled(energy.operator, energy.data, energy.regularizer, energy.lam, energy.size)
    solution = solve(scaled, torch.zeros(1, 1, *SHAPE).double(), solver(method, 400, 1e-9))
    assert (solution.x - minimiser(OPERATORS["blur"], y, 0.2)).abs().max() < 1e-5


# --- descent ---


@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("lam", [0.01, 0.3, 3.0])
def test_no_gd_step_raises_the_energy_of_any_picture(lam: float, activation: str) -> None:
    energy, start = critic_energy(3, activation, lam)
    history = solve(energy, start, solver("gd", 40, 0.0)).history
    energies = torch.stack([record.terms.energy for record in history])
    changes = torch.stack([record.change for record in history])
    assert len(history) > 5
    assert bool((energies.diff(dim=0) <= 0).all())
    assert bool((energies.diff(dim=0)[changes[1:] > 0] < 0).all())


@pytest.mark.parametrize("lam", [0.01, 3.0])
def test_a_step_that_does_not_adapt_is_halved_but_never_grows(lam: float) -> None:
    energy, start = critic_energy(3, "silu", lam)
    points: list[Tensor] = []
    fixed = GradientDescent(20, tol=0.0, adapts=False)
    history = solve(energy, start, fixed, lambda record, x: points.append(x.clone())).history
    energies = torch.stack([record.terms.energy for record in history])
    assert bool((energies.diff(dim=0) < 0).all())
    steps = torch.stack(
        [
            (after - before).flatten(1).norm(dim=1) / energy.value_and_grad(before)[1].flatten(1).norm(dim=1)
            for before, after in itertools.pairwise(points)
        ]
    )
    halvings = torch.log2(energy.natural_step / steps)
    assert float((halvings - halvings.round()).abs().max()) < 1e-2
    assert bool((halvings.round() >= 0).all()) and bool((halvings.round().diff(dim=0) >= 0).all())


@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("lam", [0.01, 0.3, 3.0])
def test_nmapg_stays_below_the_running_mean_of_its_energies(lam: float, activation: str) -> None:
    """F(x_{k+1}) <= c_k (Li and Lin 2015, algorithm 4), with c and q as they define them, eta = 0.8."""
    energy, start = critic_energy(3, activation, lam)
    energies = torch.stack(
        [record.terms.energy for record in solve(energy, start, solver("nmapg", 40, 0.0)).history]
    )
    for picture in energies.T.tolist():
        c, q = picture[0], 1.0
        for value in picture[1:]:
            assert value <= c
            c, q = (0.8 * q * c + value) / (0.8 * q + 1), 0.8 * q + 1


@pytest.mark.parametrize("method", METHODS)
def test_every_method_lowers_the_energy_of_a_critic(method: Method) -> None:
    energy, start = critic_energy(2, "relu")
    history = solve(energy, start, solver(method, 60)).history
    first, last = history[0].terms.energy, history[-1].terms.energy
    assert bool((last < first - 0.2 * first.abs()).all()), (first, last)


# --- algorithm 4, line by line ---


class Recorded(Energy):
    """An energy that records its arguments and values."""

    def __init__(self, energy: Energy) -> None:
        super().__init__(
            energy.operator, energy.data, energy.regularizer, energy.lam, energy.size, energy.free
        )
        self.asked: list[tuple[Tensor, float, Tensor]] = []

    def value_and_grad(self, x: Tensor) -> tuple[Terms, Tensor]:
        terms, gradient = super().value_and_grad(x)
        self.asked.append((x, float(terms.energy[0]), gradient))
        return terms, gradient


def is_a_step(begin: Tensor, gradient: Tensor, end: Tensor) -> bool:
    """Whether end = begin - alpha * gradient for some alpha > 0."""
    step = begin - end
    alpha = float((step * gradient).sum() / gradient.square().sum())
    return alpha > 0 and float((step - alpha * gradient).norm()) <= 1e-9 * float(step.norm())


DESCENTS: dict[str, Callable[[], tuple[Energy, Tensor]]] = {
    "kinks": lambda: critic_energy(1, "relu", 0.3),
    "strong kinks": lambda: critic_energy(1, "relu", 3.0),
    "nearly flat": lambda: critic_energy(1, "silu", 0.01),
    "smooth": lambda: critic_energy(1, "silu", 0.3),
    "staircase": lambda: staircase(1),
    "ill-conditioned": lambda: (
        quadratic(OPERATORS["blur"], noise(1, 1, *SHAPE), 0.001),
        torch.zeros(1, 1, *SHAPE).double(),
    ),
}


@pytest.mark.parametrize("name", DESCENTS)
def test_nmapg_evaluates_and_chooses_as_algorithm_4(name: str) -> None:
    """First y_k, then steps from y_k until one is accepted as z_{k+1}. If z_{k+1} is not below c_k, steps
    from
    x_k follow until one is accepted as v_{k+1}. The lower of the two is x_{k+1}."""
    plain, start = DESCENTS[name]()
    energy = Recorded(plain)
    boundaries: list[int] = []
    history = solve(
        energy, start, solver("nmapg", 40, 0.0), lambda *_: boundaries.append(len(energy.asked))
    ).history
    values = [float(record.terms.energy[0]) for record in history]

    z = x = x_before = start
    x_gradient = energy.asked[0][2]
    t_before, t, c, q = 0.0, 1.0, values[0], 1.0
    fallbacks = 0
    for k in range(1, len(history)):
        asked = energy.asked[boundaries[k - 1] : boundaries[k]]
        y, y_value, y_gradient = energy.asked[0] if k == 1 else asked.pop(0)  # y_1 = x_1: known already
        expected = x + t_before / t * (z - x) + (t_before - 1) / t * (x - x_before)
        torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)

        fast = [entry for entry in asked if is_a_step(y, y_gradient, entry[0])]
        slow = asked[len(fast) :]
        assert [id(entry) for entry in fast] == [id(entry) for entry in asked[: len(fast)]]
        assert all(is_a_step(x, x_gradient, entry[0]) for entry in slow)
        z, z_value, z_gradient = fast[-1]
        assert z_value < max(y_value, c) and all(value >= max(y_value, c) for _, value, _ in fast[:-1])
        if slow:
            fallbacks += 1
            v, v_value, v_gradient = slow[-1]
            assert z_value >= c > v_value and all(value >= c for _, value, _ in slow[:-1])
        else:
            assert z_value < c
        x_before = x
        x, value, x_gradient = (
            (v, v_value, v_gradient) if slow and v_value < z_value else (z, z_value, z_gradient)
        )
        assert values[k] == value
        t_before, t = t, (np.sqrt(4 * t * t + 1) + 1) / 2
        c, q = (0.8 * q * c + value) / (0.8 * q + 1), 0.8 * q + 1
    assert len(history) == 41
    assert (fallbacks > 0) == (name == "staircase")  # the table takes both branches


@pytest.mark.parametrize(("method", "per_iteration"), [("adam", 1.0), ("gd", 2.0), ("nmapg", 2.7)])
def test_an_iteration_costs_few_gradients(method: Method, per_iteration: float) -> None:
    plain, start = critic_energy(1, "silu")
    energy = Recorded(plain)
    solution = solve(energy, start, solver(method, 30, 0.0))
    iterations = solution.history[-1].iteration
    assert iterations == 30
    assert len(energy.asked) <= 1 + per_iteration * iterations
