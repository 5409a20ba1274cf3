"""Splitting: F decreases at each step, known minimisers are reached, and steps that are too long are
shortened."""

from itertools import pairwise

import pytest
import torch

from alr_cli.core import paths, problems
from alr_cli.core.coloured_noise import ColouredGaussian, coloured_noise
from alr_cli.core.data_terms import ClippedGaussian, DataTerm, SquaredError
from alr_cli.core.defaults import choose
from alr_cli.core.energy import Energy
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.operators.downsample import bicubic
from alr_cli.core.priors.orientations import Turned
from alr_cli.core.priors.potential import Potential, PotentialPrior
from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.problems import Problem
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers import Solution, solve
from alr_cli.core.solvers.splitting import Splitting
from alr_cli.errors import UsageError
from alr_cli.files.weights import load_weights
from tests.core.energies import KERNEL, noise, some_pixels
from tests.core.noise.test_model import a_model
from tests.core.toys import Quadratic

SIGMA = 0.1
Y = noise(2, 1, 16, 16)
MISSING = some_pixels(16, 16)
PROBLEMS: dict[str, Problem] = {
    "denoising": problems.denoising(Y, 0),
    "holes": problems.inpainting(Y, MISSING, 0),
    "holes without noise": problems.inpainting(Y, MISSING, 0, exact=True),
    "blur": problems.deblurring(Y, KERNEL, 0),
    "upscaling": problems.upscaling(Y, bicubic((32, 32), 2), 0),
}


def random_potential() -> Potential:
    """A potential with random weights. It is not convex, and its gradient is far from 1-Lipschitz."""
    unet = UNet(UNetArchitecture(1, (8, 12), (1, 1)), torch.Generator().manual_seed(0)).double()
    return PotentialPrior(unet, (0.01, 0.4), lambda sigma: 1.0).at(SIGMA, Arithmetic(precision=torch.float64))


def falls(found: Solution, rounding: float = 1e-6) -> bool:
    """Whether E falls, from the first energy that is known on."""
    values = [record.terms.energy for record in found.history if record.terms.known]
    return len(values) > 5 and all(
        bool((after <= before + rounding * before.abs()).all()) for before, after in pairwise(values)
    )


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_energy_falls_at_every_step_of_the_descent(name: str, clipped: bool) -> None:
    problem, regularizer = PROBLEMS[name], random_potential()
    y = problem.y.clamp(0.2, 0.8) if clipped else problem.y
    data: DataTerm = ClippedGaussian(y, SIGMA) if clipped else SquaredError(y)
    solver = choose(regularizer, problem, 1.0, SIGMA, SolverOptions("splitting", 44, 0.0))
    found = solve(Energy.of(problem, regularizer, 1.0, data), problem.start, solver)
    assert falls(found)


def test_the_energy_of_the_shipped_potential_falls_too() -> None:
    prior = load_weights("color-wide").prior
    y = noise(1, 3, 24, 24, dtype=torch.float32)
    problem, regularizer = problems.deblurring(y, KERNEL, 0), prior.at(0.05)
    solver = choose(regularizer, problem, 0.2, 0.03, SolverOptions("splitting", 44, 0.0))
    assert falls(solve(Energy.of(problem, regularizer, 0.2), problem.start, solver))


def test_a_known_minimiser_is_reached_and_a_long_step_is_shortened() -> None:
    problem = PROBLEMS["denoising"]
    objective = Energy.of(problem, Quadratic(), torch.tensor([0.5, 2.0]))
    for tau in (1.0, 50.0):
        found = solve(objective, torch.zeros_like(Y), Splitting((), tau, 200, tol=1e-9))
        x = found.x
        assert float(objective.value_and_grad(x)[1].abs().max()) * objective.unit < 1e-6


@pytest.mark.parametrize("asked", [SolverOptions(fast=True), SolverOptions(iterations=6), SolverOptions()])
def test_a_shorter_way_ends_at_the_same_level_of_noise(asked: SolverOptions) -> None:
    solver = choose(random_potential(), PROBLEMS["blur"], 1.0, SIGMA, asked)
    assert isinstance(solver, Splitting)
    assert len(solver.way) - 1 <= solver.iterations <= len(solver.way)
    (first, _), *_, (last, tau) = solver.way
    assert isinstance(first, Turned) and isinstance(last, Turned)
    assert isinstance(first.of, Potential) and isinstance(last.of, Potential)
    assert first.of.sigma > last.of.sigma == SIGMA
    assert len({denoiser.side for denoiser, _ in solver.way}) == min(8, len(solver.way))
    assert tau == 0


def test_pixels_that_are_held_stay() -> None:
    problem = PROBLEMS["holes without noise"]
    solver = choose(random_potential(), problem, 1.0, 0.0, SolverOptions("splitting", 20))
    found = solve(Energy.of(problem, random_potential(), 1.0), problem.start, solver)
    assert torch.equal(found.x[..., ~MISSING], Y[..., ~MISSING])
    assert not torch.equal(found.x, problem.start)


def test_it_is_the_usual_way_for_what_denoises_and_was_blurred_and_for_no_other_prior() -> None:
    assert choose(random_potential(), PROBLEMS["blur"], 1.0, SIGMA).name == "splitting"
    with pytest.raises(UsageError, match="in one step"):
        choose(Quadratic(), PROBLEMS["blur"], 1.0, SIGMA, SolverOptions("splitting"))


def test_large_pictures_take_fewer_steps_through_coloured_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problems.denoising(Y, 0, coloured_noise(Y, a_model(1)))
    usual = choose(random_potential(), problem, 1.0, SIGMA)
    monkeypatch.setattr(paths, "_LARGE", 16 * 16)
    fewer = choose(random_potential(), problem, 1.0, SIGMA)
    assert (usual.iterations, fewer.iterations) == (6, 4)


def test_on_the_path_coloured_noise_that_is_white_is_removed_as_by_any_data_term() -> None:
    """The proximal map of the data term itself agrees with that of conjugate gradients."""
    regularizer = random_potential()
    problem = problems.denoising(Y.float(), 0, coloured_noise(Y.float(), NoiseModel.white(SIGMA, 1)))
    assert problem.noise is not None
    solver = choose(regularizer, problem, 1.0, SIGMA, SolverOptions("splitting", watched=False))
    found = [
        solve(Energy.of(problem, regularizer, 1.0, data), problem.start, solver).x
        for data in (ColouredGaussian.of(problem.y, problem.noise), SquaredError(problem.y))
    ]
    torch.testing.assert_close(*found, atol=1e-4, rtol=0)
