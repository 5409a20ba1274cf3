"""Steps along P^-1 grad E: start, end, and pixels that stay fixed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core import defaults, problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.energy import Energy
from alr_cli.core.noise.white import random_mask
from alr_cli.core.operators.convolution import Boundary
from alr_cli.core.priors.experts import Experts, ExpertsArchitecture
from alr_cli.core.priors.local import LocalNetwork, LocalRegularizer
from alr_cli.core.priors.preconditioner import Circulant
from alr_cli.core.problems import Problem
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers.base import Solution, solve
from alr_cli.core.solvers.preconditioned import Preconditioned, begin_fourier
from alr_cli.core.weights import Weights
from alr_cli.errors import NonFiniteError, UsageError
from tests.core.restoring import KERNEL, SETTINGS, TASKS, noisy, psnr, restorer, scene
from tests.core.toys import fields, seeded, smoothness_critic

SIGMA = 0.1


def critic(channels: int = 1, coarser: int = 0) -> Experts:
    """An initial critic without tuning, which suffices for scenes of flat patches."""
    return Experts(ExpertsArchitecture(channels, 48 * channels, 16, coarser)).requires_grad_(False).eval()


def experts_restorer(channels: int = 1, coarser: int = 0, settings: Settings = SETTINGS) -> Restorer:
    return Restorer(Weights(fields(critic(channels, coarser)), {}, "", "toy"), settings)


def as_batch(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())


def a_problem(
    name: str = "denoise", channels: int = 1, margin: int = 13, shape: tuple[int, int] = (40, 44)
) -> Problem:
    y = as_batch(noisy(scene(*shape, channels), SIGMA))
    if name == "deblur":
        return problems.deblurring(y, KERNEL, margin)
    if name == "deblur round":
        return problems.deblurring(y, KERNEL, margin, "circular")
    return problems.denoising(y, margin)


def solution(problem: Problem, limit: int, lam: float = 0.25, coarser: int = 0) -> Solution:
    regularizer = LocalRegularizer(critic(problem.y.shape[1], coarser))
    asked = SolverOptions("fourier", limit)
    return defaults.minimise(problem, SquaredError(problem.y), regularizer, lam, SIGMA, asked)


def chosen(network: LocalNetwork, problem: Problem) -> str:
    """The name of the default solver."""
    return defaults.choose(LocalRegularizer(network), problem, 0.25, SIGMA).name


def fourier_of(experts: Experts, problem: Problem, lam: float) -> Circulant:
    preconditioner = experts.preconditioner(problem, lam)
    assert preconditioner is not None
    return preconditioner


def whole_energy(problem: Problem, x: Tensor, lam: float = 0.25, coarser: int = 0) -> float:
    """The energy with all grids of patches."""
    regularizer = LocalRegularizer(critic(problem.y.shape[1], coarser))
    data = SquaredError(problem.y)
    energy = Energy(problem.operator, data, regularizer, lam, problem.pixels, problem.free, problem.periodic)
    return float(energy.value_and_grad(x)[0].energy.sum())


@pytest.mark.parametrize(
    ("coarser", "name"),
    [
        (0, "denoise"),
        (0, "deblur"),
        (0, "deblur round"),
        (8, "deblur round"),
        pytest.param(8, "denoise", marks=pytest.mark.slow),
        pytest.param(8, "deblur", marks=pytest.mark.slow),
    ],
)
def test_it_ends_where_line_searches_do(name: str, coarser: int) -> None:
    """Compares energies, since a regularizer with few filters has many minimisers."""
    problem = a_problem(name, margin=27 if coarser else 13, shape=(20, 24))
    regularizer, asked = LocalRegularizer(critic(1, coarser)), SolverOptions("nmapg", 80, 1e-6)
    slow = defaults.minimise(problem, SquaredError(problem.y), regularizer, 0.25, SIGMA, asked)
    fast = solution(problem, 80, coarser=coarser)
    expected = whole_energy(problem, slow.x, coarser=coarser)
    assert whole_energy(problem, fast.x, coarser=coarser) == pytest.approx(expected, rel=0.03)


def test_without_steps_the_start_is_returned() -> None:
    problem = a_problem()
    assert torch.equal(solution(problem, 0).x, problem.start)


def test_it_begins_with_a_wiener_filter() -> None:
    """If the operator is the identity everywhere, the start is exactly P^-1 y."""
    y = torch.rand(1, 1, 48, 54, generator=seeded(1))
    problem = replace(problems.denoising(y, 0), frame=(48, 54))
    preconditioner = fourier_of(critic(), problem, 0.25)
    energy = Energy(problem.operator, SquaredError(y), LocalRegularizer(critic()), 0.25, problem.pixels)
    x = y.clone()
    begin_fourier(energy, x, preconditioner)
    torch.testing.assert_close(x, preconditioner.solve(y), rtol=1e-4, atol=1e-5)


def test_a_batch_gives_what_each_picture_gives_alone() -> None:
    y = torch.cat([as_batch(noisy(scene(30, 34), SIGMA, seed)) for seed in (1, 2, 3)])
    together = solution(problems.denoising(y, 13), 12).x
    for index in range(3):
        alone = solution(problems.denoising(y[index : index + 1], 13), 12).x
        torch.testing.assert_close(together[index], alone[0], rtol=1e-4, atol=1e-5)


def test_small_updates_are_convergence() -> None:
    problem = a_problem()
    regularizer, asked = LocalRegularizer(critic()), SolverOptions("fourier", 40, 0.01)
    found = defaults.minimise(problem, SquaredError(problem.y), regularizer, 0.25, SIGMA, asked)
    assert found.stop == "converged" and 3 < len(found.history) < 41
    assert float(found.history[-1].change) <= 0.01 < float(found.history[-2].change)


@pytest.mark.parametrize("at", [0, 3])
def test_non_finite_numbers_leave_the_last_finite_picture(at: int) -> None:
    problem = a_problem()
    experts = critic()
    regularizer = LocalRegularizer(experts)
    energy = Energy(problem.operator, SquaredError(problem.y), regularizer, 0.25, problem.pixels)
    calls = iter(range(1000))
    right = regularizer.value_and_grad

    def wrong(x: Tensor) -> tuple[Tensor, Tensor]:
        value, gradient = right(x)
        return (value, gradient * torch.nan) if next(calls) == at else (value, gradient)

    regularizer.value_and_grad = wrong  # type: ignore[method-assign]
    preconditioner = fourier_of(experts, problem, 0.25)
    found = solve(energy, problem.start, Preconditioned(preconditioner, 10))
    assert found.stop == "non_finite" and len(found.history) == at
    assert bool(torch.isfinite(found.x).all())


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["fine", "log_coarse"])
def test_non_finite_numbers_are_an_error(name: str, value: float) -> None:
    broken = experts_restorer()
    broken.prior.network.get_parameter(name).data.fill_(value)
    with pytest.raises(NonFiniteError, match="not finite"):
        broken.denoise(scene(16, 16), SIGMA)


@pytest.mark.parametrize("channels", [1, 3])
def test_held_pixels_are_returned_bit_for_bit(channels: int) -> None:
    clean = scene(40, 44, channels)
    missing = random_mask(clean.shape[:2], 0.5, 1)
    restored = experts_restorer(channels).inpaint(clean, missing, 0.0).pixels
    assert np.array_equal(restored[~missing], clean[~missing])
    assert psnr(restored[missing], clean[missing]) > 25


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 40), (14, 15), (31, 29)])
def test_pictures_smaller_than_a_patch_are_restored(height: int, width: int, name: str) -> None:
    y = noisy(scene(height, width), 0.05)
    restored = TASKS[name](experts_restorer(1, 8, replace(SETTINGS, max_iter=10)), y)
    assert restored.pixels.shape == y.shape
    assert np.isfinite(restored.pixels).all()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_missing_and_everything_missing_are_inpainted_too(share: float) -> None:
    y = scene(30, 34)
    missing = np.full((30, 34), share == 1.0)
    assert np.isfinite(experts_restorer().inpaint(y, missing, 0.05).pixels).all()


def test_a_gray_critic_restores_the_channels_of_a_colour_picture_one_by_one() -> None:
    y = noisy(scene(30, 34, 3), SIGMA)
    together = experts_restorer(1).denoise(y, SIGMA).pixels
    for channel in range(3):
        alone = experts_restorer(1).denoise(y[..., channel : channel + 1], SIGMA).pixels
        np.testing.assert_allclose(together[..., channel], alone[..., 0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["denoise", "deblur round"])
def test_unwatched_it_goes_the_same_way_and_knows_the_last_energy_alone(name: str) -> None:
    problem = a_problem(name, shape=(20, 24))
    regularizer, data = LocalRegularizer(critic()), SquaredError(problem.y)
    watched, alone = (
        defaults.minimise(
            problem, data, regularizer, 0.25, SIGMA, SolverOptions("fourier", 6, watched=watched)
        )
        for watched in (True, False)
    )
    assert torch.equal(watched.x, alone.x)
    assert all(record.terms.known for record in watched.history)
    assert [record.terms.known for record in alone.history] == [False] * 6 + [True]
    assert torch.equal(watched.history[-1].terms.energy, alone.history[-1].terms.energy)


def test_the_energy_is_known_where_an_unwatched_descent_converges() -> None:
    problem = a_problem(shape=(20, 24))
    asked = SolverOptions("fourier", 40, 0.01, watched=False)
    found = defaults.minimise(
        problem, SquaredError(problem.y), LocalRegularizer(critic()), 0.25, SIGMA, asked
    )
    assert found.stop == "converged" and found.history[-1].terms.known


def test_it_is_for_fields_of_experts_only() -> None:
    with pytest.raises(UsageError, match="fields of experts"):
        restorer(settings=replace(SETTINGS, solver="fourier")).denoise(scene(20, 20), SIGMA)
    problem = a_problem()
    assert chosen(critic(), problem) == "fourier"
    assert chosen(smoothness_critic(), problem) == "adam"


@pytest.mark.parametrize("boundary", ["reflect", "replicate"])
def test_where_a_blur_repeats_the_border_adam_takes_its_place(boundary: Boundary) -> None:
    y = as_batch(scene(40, 44))
    assert chosen(critic(), problems.deblurring(y, KERNEL, 13, boundary)) == "adam"
    fourier = experts_restorer(settings=replace(SETTINGS, solver="fourier"))
    with pytest.raises(UsageError, match="adam"):
        fourier.deblur(scene(40, 44), KERNEL, SIGMA, boundary)


@pytest.mark.parametrize("exact", [False, True])
def test_holes_are_filled_as_well_as_by_line_searches(exact: bool) -> None:
    clean = scene(40, 44)
    missing = torch.from_numpy(random_mask((40, 44), 0.4, 1))
    problem = problems.inpainting(as_batch(clean), missing, 13, exact)
    assert chosen(critic(), problem) == "fourier"
    data, regularizer = SquaredError(problem.y), LocalRegularizer(critic())
    slow, fast = (
        defaults.minimise(problem, data, regularizer, 0.02, SIGMA, SolverOptions(name))
        for name in ("nmapg", "fourier")
    )
    expected = whole_energy(problem, slow.x, 0.02)
    assert whole_energy(problem, fast.x, 0.02) < 1.03 * expected


@pytest.mark.parametrize(("height", "width"), [(1, 9), (2, 9), (3, 9), (9, 3), (5, 7)])
@pytest.mark.parametrize("solver", ["fourier", "adam", "gd"])
def test_tiny_pictures_without_a_border_are_deblurred(solver: str, height: int, width: int) -> None:
    y = noisy(scene(height, width), 0.05)
    kernel = np.array([[0.2, 0.5, 0.3]]) if width > height else np.array([[0.2], [0.5], [0.3]])
    settings = replace(SETTINGS, solver=solver, max_iter=5)
    restored = experts_restorer(1, 8, settings).deblur(y, kernel, 0.05, "circular").pixels
    assert restored.shape == y.shape and np.isfinite(restored).all()
