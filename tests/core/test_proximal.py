"""Proximal maps: the gradient of their objective vanishes, and closed forms agree with the general one."""

import pytest
import torch

from alr_cli.core import problems
from alr_cli.core.data_terms import ClippedGaussian, DataTerm
from alr_cli.core.energy import Energy
from alr_cli.core.operators.convolution import Convolution
from alr_cli.core.operators.downsample import bicubic
from alr_cli.core.problems import Problem
from alr_cli.core.proximal import prox, smooth
from tests.core.energies import KERNEL, noise, some_pixels
from tests.core.toys import Quadratic

STEPS = torch.tensor([0.3, 70.0], dtype=torch.float64)
Y = noise(2, 3, 12, 18)
MISSING = some_pixels(12, 18)
PROBLEMS: dict[str, Problem] = {
    "identity": problems.denoising(Y, 0),
    "mask": problems.inpainting(Y, MISSING, 0),
    "blur beyond the frame": problems.deblurring(Y, KERNEL, 0),
    "blur around": problems.deblurring(Y, KERNEL, 0, "circular"),
    "blur of a mirror image": problems.deblurring(Y, KERNEL, 0, "reflect"),
    "bicubic": problems.upscaling(Y, bicubic((24, 36), 2), 0),
}


def energy(problem: Problem, data: DataTerm | None = None) -> Energy:
    return Energy.of(problem, Quadratic(), 0.0, data)


def slope(objective: Energy, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """The gradient of 1/2 ||x - z||^2 + t f(x)."""
    misfit = torch.zeros_like(x)
    objective.add_misfit(x, misfit)
    return x - z + STEPS[:, None, None, None] * misfit


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_proximal_map_is_where_the_gradient_vanishes(name: str) -> None:
    objective = energy(PROBLEMS[name])
    z = noise(*PROBLEMS[name].start.shape, seed=1)
    found = prox(objective, z, STEPS, steps=400, tol=1e-10)
    assert float(slope(objective, found, z).abs().max()) < 1e-6 * float(slope(objective, z, z).abs().max())


def test_the_likelihood_of_clipped_pixels_is_replaced_by_squares_until_that_settles() -> None:
    y = (1.5 * Y).clamp(0, 1)
    problem = problems.deblurring(y, KERNEL, 0)
    objective, z = energy(problem, ClippedGaussian(y, 0.2)), noise(*problem.start.shape, seed=1)
    left = [
        float(slope(objective, prox(objective, z, STEPS, rounds), z).abs().max()) for rounds in (1, 3, 30)
    ]
    assert left[0] > 2 * left[1] > 20 * left[2]


def test_what_is_held_says_nothing_of_the_rest() -> None:
    problem = problems.inpainting(Y, MISSING, 0, exact=True)
    assert torch.equal(prox(energy(problem), Y, STEPS), Y)


def test_a_smooth_start_explains_the_observation_and_goes_on_beyond_the_frame() -> None:
    ramp = torch.linspace(0, 1, 32, dtype=torch.float64)[:, None].expand(1, 1, 32, 26)
    y = Convolution(KERNEL, (32, 26)).forward(ramp)
    problem = problems.deblurring(y, KERNEL, 0)
    objective = energy(problem)
    found = smooth(objective, problem.start, 1e-4, steps=200)
    assert float(objective.misfit(found)) < 1e-3 * float(objective.misfit(problem.start))
    torch.testing.assert_close(found[..., :1, :], ramp[..., :1, :], atol=0.01, rtol=0)
