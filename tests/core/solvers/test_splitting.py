"""Splitting: a path of a fixed length that ends at the level of the noise, for each kind of problem."""

import pytest
import torch

from alr_cli.core import paths, problems
from alr_cli.core.coloured_noise import ColouredGaussian, coloured_noise
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.defaults import choose
from alr_cli.core.energy import Energy
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.operators.downsample import bicubic
from alr_cli.core.operators.ray import RayTransform
from alr_cli.core.priors.orientations import Turned
from alr_cli.core.priors.potential import Potential, PotentialPrior
from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.problems import Problem
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers import solve
from alr_cli.core.solvers.splitting import Splitting
from alr_cli.core.tomography import Scanning
from alr_cli.errors import UsageError
from tests.core.energies import KERNEL, noise, some_pixels
from tests.core.noise.test_model import a_model
from tests.core.operators.scans import GEOMETRIES
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


def a_scan() -> Problem:
    geometry = GEOMETRIES["even picture, odd detectors"]
    return Scanning(RayTransform(geometry)).problem(torch.ones(1, 1, *geometry.shape), 0, SIGMA)


ASKED = {n: SolverOptions(iterations=n) for n in (1, 2, 3, 6, 17)} | {
    6: SolverOptions(fast=True),
    17: SolverOptions(),
}


@pytest.mark.parametrize("length", ASKED)
def test_a_shorter_way_ends_at_the_same_level_of_noise(length: int) -> None:
    solver = choose(random_potential(), PROBLEMS["blur"], 1.0, SIGMA, ASKED[length])
    assert isinstance(solver, Splitting)
    assert solver.iterations == len(solver.way) == length
    levels = [denoiser.of.sigma for denoiser, _ in solver.way if isinstance(denoiser, Turned)]
    # with lambda = 1, which is half of 2 / C, the last one removes half the variance
    assert len(levels) == length and levels[-1] == pytest.approx(SIGMA / 2**0.5)
    assert length <= 2 or levels[-2] == pytest.approx(SIGMA)
    assert levels == sorted(levels, reverse=True)
    assert len({denoiser.side for denoiser, _ in solver.way}) == min(8, length)
    assert solver.way[-1][1] == 0


MORE = {
    "coloured noise": lambda: problems.denoising(Y, 0, coloured_noise(Y, a_model(1))),
    "rays": a_scan,
}


@pytest.mark.parametrize("name", [*PROBLEMS, *MORE])
def test_more_iterations_than_the_path_has_change_nothing(name: str) -> None:
    problem = MORE[name]() if name in MORE else PROBLEMS[name]
    usual, longer = (
        choose(random_potential(), problem, 1.0, SIGMA, SolverOptions("splitting", iterations))
        for iterations in (None, 500)
    )
    assert isinstance(usual, Splitting) and isinstance(longer, Splitting)
    assert usual.iterations == longer.iterations < 50
    assert [(tau, denoiser.side) for denoiser, tau in usual.way] == [
        (tau, denoiser.side) for denoiser, tau in longer.way
    ]


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


@pytest.mark.parametrize("iterations", [1, 2, 3])
def test_the_shortest_paths_through_coloured_noise_see_the_whole_resolution(iterations: int) -> None:
    problem = problems.denoising(Y, 0, coloured_noise(Y, a_model(1)))
    solver = choose(random_potential(), problem, 1.0, SIGMA, SolverOptions(iterations=iterations))
    assert isinstance(solver, Splitting) and solver.iterations == iterations
    last, tau = solver.way[-1]
    assert isinstance(last, Turned) and isinstance(last.of, Potential) and tau == 0


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
