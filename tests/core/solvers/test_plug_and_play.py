"""Plug and play: with a quadratic R its solvers reach the minimiser in closed form, and they notice when they
run away."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.defaults import choose
from alr_cli.core.energy import Energy
from alr_cli.core.operators.downsample import bicubic
from alr_cli.core.operators.protocol import LinearOperator
from alr_cli.core.priors.denoisers import DenoiserProx, Red
from alr_cli.core.problems import Problem
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers import solve
from alr_cli.core.solvers.admm import Admm
from alr_cli.core.solvers.base import Solver
from alr_cli.core.solvers.divergence import Watch
from alr_cli.core.solvers.implicit import Implicit
from alr_cli.core.solvers.plug_and_play import PlugAndPlay
from alr_cli.errors import UsageError
from tests.core.energies import KERNEL, noise, some_pixels
from tests.core.toys import Quadratic

WEIGHT = 0.3  # lambda in units of single pixels
Y = noise(2, 1, 8, 8)
PROBLEMS: dict[str, Problem] = {
    "identity": problems.denoising(Y, 0),
    "mask": problems.inpainting(Y, some_pixels(8, 8), 0),
    "blur": problems.deblurring(Y, KERNEL, 0),
    "blur around": problems.deblurring(Y, KERNEL, 0, "circular"),
    "bicubic": problems.upscaling(Y, bicubic((16, 16), 2), 0),
}


@dataclass
class Gaussian:
    """R(x) = 1/2 sum_ij (x - m)_i Q_ij (x - m)_j, of which the gradient and the proximal map are known."""

    quadratic: Quadratic
    shape: tuple[int, int]
    channels: int = 1
    margin: int = 0

    def __post_init__(self) -> None:
        self.hessian = torch.from_numpy(self.quadratic.hessian(*self.shape))

    def value_and_grad(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        return None, self.quadratic.value_and_grad(x)[1]

    def prox(self, x: Tensor, step: float) -> Tensor:
        """(I + step Q)^-1 (x + step Q m)."""
        identity = torch.eye(len(self.hessian), dtype=x.dtype)
        centre = torch.full_like(x, self.quadratic.centre)
        right = (x - centre).flatten(1) @ torch.linalg.inv(identity + step * self.hessian)
        return centre + right.reshape(x.shape)


def gaussian(problem: Problem) -> Gaussian:
    return Gaussian(Quadratic(), (problem.start.shape[-2], problem.start.shape[-1]))


def matrix(operator: LinearOperator, shape: torch.Size) -> Tensor:
    """A as a matrix for one channel."""
    size = shape[-2] * shape[-1]
    basis = torch.eye(size, dtype=torch.float64).reshape(size, 1, *shape[-2:])
    return operator.forward(basis).reshape(size, -1).T


def minimiser(problem: Problem) -> Tensor:
    """(A* A + w Q)^-1 (A* y + w Q m)."""
    of, start = gaussian(problem), problem.start
    a, q = matrix(problem.operator, start.shape), WEIGHT * of.hessian
    centre = torch.full((len(q),), of.quadratic.centre, dtype=torch.float64)
    right = problem.y.flatten(1) @ a + q @ centre
    return torch.linalg.solve(a.T @ a + q, right.T).T.reshape(start.shape)


SOLVERS = {
    "gradient descent": lambda of: PlugAndPlay(2000, 1e-9, 0.25),
    "implicit": lambda of: Implicit(0.7, 1.0, 2000, 1e-9),
    "implicit, smooth start": lambda of: Implicit(0.7, 1.0, 2000, 1e-9, mu=0.1),
    "admm": lambda of: Admm(of, WEIGHT, 2.0, iterations=400, tol=1e-9),
    "admm, falling": lambda of: Admm(of, WEIGHT, 1.0, 40.0, iterations=400, tol=1e-9),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_a_quadratic_regularizer_gives_the_minimiser_in_closed_form(name: str, solver: str) -> None:
    problem = PROBLEMS[name]
    regularizer = gaussian(problem)
    energy = Energy.of(problem, regularizer, 2 * WEIGHT)
    found = solve(energy, problem.start, SOLVERS[solver](regularizer))
    assert found.stop == "converged"
    exact = solver == "gradient descent"  # the others solve the proximal map of f to a tolerance
    torch.testing.assert_close(found.x, minimiser(problem), rtol=0, atol=1e-6 if exact else 2e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_batch_gives_what_each_picture_gives_alone(solver: str) -> None:
    regularizer = gaussian(PROBLEMS["blur around"])
    of_batch = replace(SOLVERS[solver](regularizer), tol=1e-3)
    found = solve(Energy.of(PROBLEMS["blur around"], regularizer, 2 * WEIGHT), Y, of_batch)
    for n in range(2):
        problem = problems.deblurring(Y[n : n + 1], KERNEL, 0, "circular")
        alone = solve(Energy.of(problem, regularizer, 2 * WEIGHT), problem.start, of_batch)
        torch.testing.assert_close(found.x[n : n + 1], alone.x, rtol=0, atol=1e-4)


def test_red_stands_where_the_denoiser_balances_the_data_term() -> None:
    problem = PROBLEMS["blur"]
    of = gaussian(problem)
    energy = Energy.of(problem, Red(of, 1), 2 * WEIGHT)
    found = solve(energy, problem.start, PlugAndPlay(3000, 1e-10, 0.5))
    slope = torch.zeros_like(found.x)
    energy.add_misfit(found.x, slope)
    torch.testing.assert_close(slope, WEIGHT * (of.prox(found.x, 1.0) - found.x), rtol=0, atol=1e-7)


class Amplifies:
    """A regularizer that drives everything away from 0."""

    channels, margin = 1, 0

    def value_and_grad(self, x: Tensor) -> tuple[None, Tensor]:
        return None, -8 * x

    def prox(self, x: Tensor, step: float) -> Tensor:
        return -1.9 * x


@pytest.mark.parametrize("solver", [PlugAndPlay(400, step=0.1), Admm(Amplifies(), 1.0, 1.0, iterations=400)])
def test_an_iteration_that_runs_away_is_stopped_where_its_steps_were_shortest(solver: Solver) -> None:
    problem = PROBLEMS["mask"]
    found = solve(Energy.of(problem, Amplifies(), 2.0), problem.start, solver)
    assert found.stop == "diverged"
    assert len(found.history) < 100
    assert float(found.x.abs().max()) < 1e3


def test_only_the_picture_that_runs_away_is_stopped() -> None:
    x = torch.zeros(2, 1, 4, 4)
    watch = Watch(x)
    for step in range(30):
        change = torch.tensor([0.9**step, 1.1**step])
        astray = watch.runs_away(x + step, change)
    assert astray.tolist() == [False, True]
    assert float(watch.steadiest[0, 0, 0, 0]) == 29.0
    assert float(watch.steadiest[1, 0, 0, 0]) == 9.0


def test_steps_that_are_not_numbers_run_away() -> None:
    x = torch.zeros(1, 1, 4, 4)
    watch = Watch(x)
    verdicts = [bool(watch.runs_away(x, torch.tensor([value]))) for value in (*np.ones(12), np.nan)]
    assert verdicts == [False] * 12 + [True]


def test_the_steps_of_admm_fall_geometrically_and_then_stay() -> None:
    solver = Admm(Amplifies(), 1.0, 1.0, 16.0, falls=4)
    assert [solver.step(n) for n in range(6)] == pytest.approx([16, 8, 4, 2, 1, 1])
    assert Admm(Amplifies(), 1.0, 3.0).step(0) == 3.0


def test_implicit_steps_fall_so_that_the_descent_ends_however_long_it_may_take() -> None:
    problem = PROBLEMS["blur"]
    energy = Energy.of(problem, gaussian(problem), 2 * WEIGHT)
    short, long = (solve(energy, problem.start, Implicit(0.7, 0.8, limit, 1e-4)) for limit in (300, 1000))
    assert short.stop == long.stop == "converged" and len(short.history) < 60
    assert torch.equal(short.x, long.x)


def test_the_first_implicit_step_is_the_same_amount_of_g_at_every_noise_level_and_weight() -> None:
    for sigma, lam in ((0.01, 0.5), (0.3, 0.5), (0.01, 2.0)):
        solver = choose(WeighedAnneal(sigma), PROBLEMS["blur"], lam, sigma, SolverOptions("pnp-pgd", 9))
        assert isinstance(solver, Implicit) and solver.iterations == 9
        assert solver.tau * lam / 2 * 0.25 * sigma**2 == pytest.approx((4 / 255) ** 2)


def test_known_pixels_are_held() -> None:
    missing = some_pixels(8, 8)
    problem = problems.inpainting(Y, missing, 0, exact=True)
    regularizer = gaussian(problem)
    for solver in (
        PlugAndPlay(50, step=0.25),
        Implicit(0.7, iterations=50),
        Admm(regularizer, WEIGHT, 1.0, iterations=50),
    ):
        found = solve(Energy.of(problem, regularizer, 2 * WEIGHT), problem.start, solver)
        assert torch.equal(found.x[..., ~missing], Y[..., ~missing])
        assert float((found.x - problem.start).abs().max()) > 0.01


class Anneal:
    """A regularizer that shrinks a picture in proportion to its level."""

    channels, margin = 1, 0

    def __init__(self, sigma: float) -> None:
        self.sigma = sigma

    def at(self, sigma: float) -> "Anneal":
        return Anneal(sigma)

    def denoise(self, y: Tensor, share: float = 1.0) -> Tensor:
        return (1 - share * self.sigma) * y

    def value_and_grad(self, x: Tensor) -> tuple[None, Tensor]:
        return None, self.sigma * x


class WeighedAnneal(Anneal):
    """As above, with a weight of its gradient."""

    def gradient_weight(self, problem: Problem) -> float:
        return 0.25


def test_a_denoiser_takes_the_place_of_a_proximal_map_at_the_level_of_the_step() -> None:
    x = torch.ones(1, 1, 2, 2)
    assert float(DenoiserProx(Anneal(0.1)).prox(x, 4.0)[0, 0, 0, 0]) == pytest.approx(1 - 0.2)


def test_admm_ends_at_its_level_of_the_denoiser_or_at_that_of_the_noise() -> None:
    problem = PROBLEMS["blur"]
    for sigma in (0.01, 0.3):
        solver = choose(Anneal(sigma), problem, 0.5, sigma, SolverOptions("admm"))
        assert isinstance(solver, Admm)
        last, first = (sigma * (tau * solver.weight) ** 0.5 for tau in (solver.tau, solver.first or 0.0))
        assert (last, first) == pytest.approx((max(sigma, 30 / 255), max(sigma, 50 / 255)))


def test_implicit_steps_are_for_gradient_networks() -> None:
    with pytest.raises(UsageError, match="pnp-pgd is for gradient networks"):
        choose(Anneal(0.1), PROBLEMS["blur"], 0.5, 0.1, SolverOptions("pnp-pgd"))


@pytest.mark.parametrize(("regularizer", "sigma"), [(Quadratic(), 0.1), (Anneal(0.1), 0.0)])
def test_admm_is_refused_without_a_denoiser_and_without_noise(regularizer: Quadratic, sigma: float) -> None:
    with pytest.raises(UsageError, match="admm is for priors that denoise"):
        choose(regularizer, PROBLEMS["blur"], 0.5, sigma, SolverOptions("admm"))
