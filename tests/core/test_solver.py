"""The descents: do they reach the minimiser, keep their promises, and stop for the right reason?"""

from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.energy import Energy, SquaredError, Terms
from alr_cli.core.kernels import parse_kernel
from alr_cli.core.operators import Compose, Convolution, Crop, Downsample, Identity, LinearOperator, Mask
from alr_cli.core.regularizer import LocalRegularizer
from alr_cli.core.solver import Method, Record, solve
from tests.core.toys import Linear, Quadratic, a_critic, seeded, smoothness_critic

METHODS: list[Method] = list(get_args(Method))
LINE_SEARCHES: list[Method] = ["gd", "nmapg"]
HEIGHT, WIDTH = 8, 9
KERNEL = parse_kernel("gaussian:3:1")


def noise(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 7) -> Tensor:
    return torch.rand(*shape, generator=seeded(seed), dtype=dtype)


def some_pixels(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    return torch.rand(height, width, generator=seeded(8)) < 0.6


SHAPE = (HEIGHT, WIDTH)
OPERATORS: dict[str, LinearOperator] = {
    "identity": Identity(SHAPE),
    "blur": Convolution(KERNEL, SHAPE, "circular"),
    "valid blur": Convolution(KERNEL, SHAPE, "valid"),
    "mask": Mask(some_pixels()),
    "downsampling": Downsample(2, KERNEL, SHAPE, "reflect"),
    "crop": Crop(SHAPE, 2),
    "blur of a crop": Compose(Convolution(KERNEL, (HEIGHT - 2, WIDTH - 2), "reflect"), Crop(SHAPE, 1)),
}


def quadratic(operator: LinearOperator, y: Tensor, lam: float | Tensor = 0.2, **how: float) -> Energy:
    pixels = operator.input_shape[0] * operator.input_shape[1]
    return Energy(operator, SquaredError(y), Quadratic(**how), lam, pixels)


def minimiser(operator: LinearOperator, y: Tensor, lam: float) -> Tensor:
    """Of the quadratic energy, by dense linear algebra: (2 A'A + lam H) x = 2 A'y + lam w centre."""
    size = HEIGHT * WIDTH
    basis = torch.eye(size, dtype=torch.float64).reshape(size, 1, HEIGHT, WIDTH)
    a = operator.forward(basis).reshape(size, -1).numpy().T
    regularizer = Quadratic()
    matrix = 2 * a.T @ a + lam * regularizer.hessian(HEIGHT, WIDTH)
    right = 2 * a.T @ y.reshape(-1).numpy() + lam * regularizer.weight * regularizer.centre
    return torch.from_numpy(np.linalg.solve(matrix, right)).reshape(1, 1, HEIGHT, WIDTH)


# --- the minimiser ---


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize(
    ("method", "max_iter", "tol", "distance"),
    [("gd", 400, 1e-9, 1e-6), ("nmapg", 400, 1e-9, 1e-6), ("adam", 1000, 0.0, 1e-3)],
)
def test_every_method_reaches_the_minimiser_of_a_quadratic(
    method: Method, max_iter: int, tol: float, distance: float, name: str
) -> None:
    operator = OPERATORS[name]
    y = noise(1, 1, *operator.output_shape)
    solution = solve(quadratic(operator, y), torch.zeros(1, 1, *SHAPE).double(), method, max_iter, tol)
    expected = minimiser(operator, y, 0.2)
    assert (solution.x - expected).square().mean().sqrt() < distance
    assert solution.stop == ("max_iter" if method == "adam" else "converged")


@pytest.mark.parametrize("method", LINE_SEARCHES)
def test_single_precision_comes_close_and_stops(method: Method) -> None:
    operator = OPERATORS["blur"]
    y = noise(1, 1, *SHAPE)
    solution = solve(quadratic(operator, y.float()), torch.zeros(1, 1, *SHAPE), method, 500, 0.0)
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
    scaled = Scaled(energy.operator, energy.data, energy.regularizer, energy.lam, energy.pixels)
    solution = solve(scaled, torch.zeros(1, 1, *SHAPE).double(), method, 400, 1e-9)
    assert (solution.x - minimiser(OPERATORS["blur"], y, 0.2)).abs().max() < 1e-5


# --- descent ---


def critic_energy(batch: int, activation: str = "relu", lam: float = 0.05) -> tuple[Energy, Tensor]:
    """Denoising with a random critic: nonconvex, with kinks for "relu"."""
    critic = a_critic(width=8, depth=3, activation=activation, dtype=torch.float64)  # type: ignore[arg-type]
    problem = problems.denoising(noise(batch, 1, 14, 15), critic.patch)
    regularizer = LocalRegularizer(critic)
    return Energy(problem.operator, SquaredError(problem.y), regularizer, lam, problem.pixels), problem.start


@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("lam", [0.01, 0.3, 3.0])
def test_no_gd_step_raises_the_energy_of_any_picture(lam: float, activation: str) -> None:
    energy, start = critic_energy(3, activation, lam)
    history = solve(energy, start, "gd", 40, 0.0).history
    energies = torch.stack([record.terms.energy for record in history])
    changes = torch.stack([record.change for record in history])
    assert len(history) > 5
    assert bool((energies.diff(dim=0) <= 0).all())
    assert bool((energies.diff(dim=0)[changes[1:] > 0] < 0).all())


@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("lam", [0.01, 0.3, 3.0])
def test_nmapg_stays_below_the_running_mean_of_its_energies(lam: float, activation: str) -> None:
    """F(x_{k+1}) <= c_k (Li and Lin 2015, algorithm 4), with c and q as they define them, eta = 0.8."""
    energy, start = critic_energy(3, activation, lam)
    energies = torch.stack([record.terms.energy for record in solve(energy, start, "nmapg", 40, 0.0).history])
    for picture in energies.T.tolist():
        c, q = picture[0], 1.0
        for value in picture[1:]:
            assert value <= c
            c, q = (0.8 * q * c + value) / (0.8 * q + 1), 0.8 * q + 1


@pytest.mark.parametrize("method", METHODS)
def test_every_method_lowers_the_energy_of_a_critic(method: Method) -> None:
    energy, start = critic_energy(2, "relu")
    history = solve(energy, start, method, 60).history
    first, last = history[0].terms.energy, history[-1].terms.energy
    assert bool((last < first - 0.2 * first.abs()).all()), (first, last)


# --- algorithm 4, line by line ---


class Recorded(Energy):
    """An energy that remembers where it was asked, and what it answered."""

    def __init__(self, energy: Energy) -> None:
        super().__init__(
            energy.operator, energy.data, energy.regularizer, energy.lam, energy.pixels, energy.free
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


def staircase() -> tuple[Energy, Tensor]:
    """Total variation of noise: its kinks make the extrapolation overshoot."""
    problem = problems.denoising(noise(1, 1, 14, 15), 15)
    regularizer = LocalRegularizer(smoothness_critic().double())
    return Energy(problem.operator, SquaredError(problem.y), regularizer, 0.3, problem.pixels), problem.start


DESCENTS: dict[str, Callable[[], tuple[Energy, Tensor]]] = {
    "kinks": lambda: critic_energy(1, "relu", 0.3),
    "strong kinks": lambda: critic_energy(1, "relu", 3.0),
    "nearly flat": lambda: critic_energy(1, "silu", 0.01),
    "smooth": lambda: critic_energy(1, "silu", 0.3),
    "staircase": staircase,
    "ill-conditioned": lambda: (
        quadratic(OPERATORS["blur"], noise(1, 1, *SHAPE), 0.001),
        torch.zeros(1, 1, *SHAPE).double(),
    ),
}


@pytest.mark.parametrize("name", DESCENTS)
def test_nmapg_asks_where_algorithm_4_does_and_chooses_as_it_does(name: str) -> None:
    """y_k, then steps from y_k until one is kept as z_{k+1}; where z_{k+1} does not get below c_k, steps from
    x_k until one is kept as v_{k+1}, and the lower of the two is x_{k+1}."""
    plain, start = DESCENTS[name]()
    energy = Recorded(plain)
    boundaries: list[int] = []
    history = solve(energy, start, "nmapg", 40, 0.0, lambda _: boundaries.append(len(energy.asked))).history
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
    solution = solve(energy, start, method, 30, 0.0)
    iterations = solution.history[-1].iteration
    assert iterations == 30
    assert len(energy.asked) <= 1 + per_iteration * iterations


# --- batches ---


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_gives_what_each_picture_gives_alone(method: Method) -> None:
    lam = torch.tensor([0.02, 0.3, 1.5], dtype=torch.float64)
    operator = OPERATORS["blur"]
    y = noise(3, 1, *SHAPE) * torch.tensor([1.0, 0.01, 3.0]).reshape(3, 1, 1, 1)
    start = torch.full_like(y, 0.3)
    together = solve(quadratic(operator, y, lam), start, method, 60, 1e-6)
    ended = set()
    for n in range(3):
        alone = solve(quadratic(operator, y[n : n + 1], lam[n : n + 1]), start[n : n + 1], method, 60, 1e-6)
        torch.testing.assert_close(together.x[n], alone.x[0], rtol=0, atol=1e-12)
        for both, single in zip(together.history, alone.history, strict=False):
            torch.testing.assert_close(both.terms.energy[n], single.terms.energy[0], rtol=1e-10, atol=0)
            torch.testing.assert_close(both.change[n], single.change[0], rtol=1e-6, atol=1e-12)
        ended.add(alone.history[-1].iteration)
    assert together.history[-1].iteration == max(ended)
    assert method == "adam" or len(ended) > 1  # they did not all stop together


@pytest.mark.parametrize("method", LINE_SEARCHES)
def test_a_batch_of_critics_pictures_gives_what_each_gives_alone(method: Method) -> None:
    energy, start = critic_energy(3, "silu")
    together = solve(energy, start, method, 15, 0.0)
    data = energy.data
    assert isinstance(data, SquaredError)
    for n in range(3):
        y = SquaredError(data.y[n : n + 1])
        single = Energy(energy.operator, y, energy.regularizer, energy.lam, energy.pixels)
        alone = solve(single, start[n : n + 1], method, 15, 0.0)
        torch.testing.assert_close(together.x[n], alone.x[0], rtol=0, atol=1e-9)


# --- why it stopped ---


class Cliff(Linear):
    """Slopes down forever; below `edge` its value or its gradient is not a number."""

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
def test_numbers_that_go_wrong_leave_the_last_good_picture(method: Method, what: str) -> None:
    energy = falling(what, -1.3)
    solution = solve(energy, torch.zeros(1, 1, *SHAPE), method, 200, 0.0)
    assert solution.stop == "non_finite"
    terms, gradient = energy.value_and_grad(solution.x)
    assert bool(torch.isfinite(solution.x).all()) and bool(torch.isfinite(gradient).all())
    assert torch.equal(terms.energy, solution.history[-1].terms.energy)
    assert -1.3 <= float(solution.x.mean()) < 0


@pytest.mark.parametrize("method", LINE_SEARCHES)
def test_a_line_search_backs_away_from_a_bad_value(method: Method) -> None:
    solution = solve(falling("value", -1.3), torch.zeros(1, 1, *SHAPE), method, 200, 0.0)
    assert solution.stop == "converged"
    assert float(solution.x.mean()) == pytest.approx(-1.3, abs=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_a_start_that_is_no_number_comes_back(method: Method) -> None:
    start = torch.full((1, 1, *SHAPE), torch.nan)
    solution = solve(quadratic(OPERATORS["identity"], torch.zeros(1, 1, *SHAPE)), start, method)
    assert solution.stop == "non_finite" and solution.x is start and solution.history == []


@pytest.mark.parametrize("method", METHODS)
def test_a_small_update_is_convergence(method: Method) -> None:
    energy = quadratic(OPERATORS["identity"], noise(1, 1, *SHAPE))
    solution = solve(energy, torch.zeros(1, 1, *SHAPE).double(), method, 2000, 2e-3)
    assert solution.stop == "converged"
    assert float(solution.history[-1].change) <= 2e-3 < float(solution.history[-2].change)


@pytest.mark.parametrize("method", METHODS)
def test_the_minimiser_itself_is_convergence(method: Method) -> None:
    class Nothing(Quadratic):
        def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x.new_zeros(x.shape[0]), torch.zeros_like(x)

    y = noise(1, 1, *SHAPE)
    energy = Energy(OPERATORS["identity"], SquaredError(y), Nothing(), 1.0, HEIGHT * WIDTH)
    solution = solve(energy, y, method)
    assert solution.stop == "converged" and torch.equal(solution.x, y)
    assert solution.history[-1].iteration == 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("max_iter", [0, 1, 7])
def test_max_iter_counts_steps_and_the_history_begins_at_the_start(method: Method, max_iter: int) -> None:
    energy = quadratic(OPERATORS["blur"], noise(2, 1, *SHAPE))
    start = torch.zeros(2, 1, *SHAPE).double()
    seen: list[Record] = []
    solution = solve(energy, start, method, max_iter, 0.0, seen.append)
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
def test_held_pixels_come_back_bit_for_bit(method: Method, dtype: torch.dtype) -> None:
    critic = a_critic(width=8, depth=3, dtype=dtype)
    holes = ~some_pixels(14, 15)
    y = noise(2, 1, 14, 15, dtype=dtype)
    problem = problems.inpainting(y, holes, critic.patch, exact=True)
    regularizer = LocalRegularizer(critic)
    energy = Energy(problem.operator, SquaredError(problem.y), regularizer, 0.5, problem.pixels, problem.free)
    solution = solve(energy, problem.start, method, 25)
    assert torch.equal(problem.crop(solution.x)[..., ~holes], y[..., ~holes])
    moved = (problem.crop(solution.x) - problem.crop(problem.start))[..., holes]
    assert bool((moved != 0).all())


def test_adam_steps_shrink_exponentially_from_a_tenth_to_a_hundredth() -> None:
    """On a slope that never changes Adam's step is its step size (sec. 3.3)."""
    solution = solve(falling("value", -torch.inf), torch.zeros(1, 1, *SHAPE).double(), "adam")
    sizes = [float(record.change) for record in solution.history[1:]]
    assert len(sizes) == 50
    np.testing.assert_allclose(sizes, 0.1 * 0.1 ** (np.arange(50) / 49), rtol=1e-6)


MAKERS: dict[str, Callable[[], Energy]] = {
    "a mask that hides everything": lambda: Energy(
        Mask(torch.zeros(SHAPE)), SquaredError(torch.zeros(1, 1, *SHAPE)), Quadratic(), 1.0, HEIGHT * WIDTH
    ),
    "no regularizer": lambda: quadratic(OPERATORS["blur"], torch.zeros(1, 1, *SHAPE), lam=0.0),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MAKERS)
def test_degenerate_energies_are_minimised_too(name: str, method: Method) -> None:
    solution = solve(MAKERS[name](), noise(1, 1, *SHAPE, dtype=torch.float32), method, 300)
    assert solution.stop != "non_finite"
    first, last = solution.history[0].terms.energy, solution.history[-1].terms.energy
    assert float(last) < 0.02 * float(first)
