"""Proximal gradient descent: F decreases at each step, known minimisers are reached, steps that are too long
are shortened, and more iterations do not change the result."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from skimage import data

from alr_cli.core import problems
from alr_cli.core.data_terms import ClippedGaussian, DataTerm, SquaredError
from alr_cli.core.defaults import choose
from alr_cli.core.energy import Energy
from alr_cli.core.operators.convolution import Convolution
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers import Solution, solve
from alr_cli.core.solvers.proximal_gradient import ProximalGradient
from alr_cli.errors import UsageError
from alr_cli.files.weights import load_weights
from tests.core.energies import KERNEL, noise
from tests.core.solvers.test_splitting import PROBLEMS, SIGMA, Y, random_potential
from tests.core.toys import Quadratic, seeded


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
    term: DataTerm = ClippedGaussian(y, SIGMA) if clipped else SquaredError(y)
    solver = choose(regularizer, problem, 1.0, SIGMA, SolverOptions("pgd", 44, 0.0))
    found = solve(Energy.of(problem, regularizer, 1.0, term), problem.start, solver)
    assert falls(found)


def test_the_energy_of_the_shipped_potential_falls_too() -> None:
    prior = load_weights("color-wide").prior
    y = noise(1, 3, 24, 24, dtype=torch.float32)
    problem, regularizer = problems.deblurring(y, KERNEL, 0), prior.at(0.05)
    solver = choose(regularizer, problem, 0.2, 0.03, SolverOptions("pgd", 44, 0.0))
    assert falls(solve(Energy.of(problem, regularizer, 0.2), problem.start, solver))


def test_a_known_minimiser_is_reached_and_a_long_step_is_shortened() -> None:
    problem = PROBLEMS["denoising"]
    objective = Energy.of(problem, Quadratic(), torch.tensor([0.5, 2.0]))
    for tau in (1.0, 50.0):
        found = solve(objective, torch.zeros_like(Y), ProximalGradient(tau, 200, tol=1e-9))
        x = found.x
        assert float(objective.value_and_grad(x)[1].abs().max()) * objective.unit < 1e-6


def test_twice_the_iterations_change_the_psnr_by_less_than_0_05_db() -> None:
    """No tolerance ends the longer descent."""
    truth = torch.from_numpy(data.astronaut()[80:104, 180:204] / np.float32(255)).movedim(-1, 0)[None]
    seen, sigma = Convolution(KERNEL, (24, 24), "valid").forward(truth), 0.02
    seen = seen + sigma * torch.randn(seen.shape, generator=seeded())
    problem, regularizer = problems.deblurring(seen, KERNEL, 0), load_weights("color-wide").prior.at(sigma)
    found = []
    for asked in (SolverOptions("pgd"), SolverOptions("pgd", 200, 0.0)):
        solver = choose(regularizer, problem, 0.23, sigma, asked)
        found.append(solve(Energy.of(problem, regularizer, 0.23), problem.start, solver))
    usual, longer = (float((found.x - truth).square().mean().log10() * -10) for found in found)
    steps = [len(solution.history) for solution in found]
    assert found[0].stop == "converged" and steps[1] > 2 * steps[0]
    assert usual > 20 and abs(longer - usual) < 0.05


def test_it_is_refused_where_the_energy_is_unknown() -> None:
    prior = load_weights("ct-unet").prior
    with pytest.raises(UsageError, match="whose energy is known"):
        choose(prior.at(0.1), PROBLEMS["blur"], 1.0, SIGMA, SolverOptions("pgd"))
