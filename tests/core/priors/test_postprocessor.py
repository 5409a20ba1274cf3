"""A network for post-processing, and what it is as a regularizer."""

import pytest
import torch

from alr_cli.core import problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.defaults import minimise
from alr_cli.core.operators.ray import RayTransform
from alr_cli.core.priors.postprocessor import PostProcessorPrior
from alr_cli.core.priors.protocol import PostProcesses
from alr_cli.core.priors.registry import build
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.tomography import Scanning
from tests.core.operators.scans import GEOMETRIES, ellipse

SMALL = UNetArchitecture(1, (4, 6), (1, 1))


def prior() -> PostProcessorPrior:
    return PostProcessorPrior(UNet(SMALL, torch.Generator().manual_seed(0)), (0.05, 0.2), lambda sigma: 2.0)


def test_the_gradient_is_what_the_network_removes() -> None:
    x = torch.rand(2, 1, 10, 14, generator=torch.Generator().manual_seed(1))
    regularizer = prior().at(0.1)
    value, gradient = regularizer.value_and_grad(x)
    assert value is None and float(gradient.std()) > 1e-4
    assert torch.allclose(x - gradient, regularizer.denoise(x))


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_scaled_pictures_at_scaled_levels_give_scaled_results(scale: float) -> None:
    x = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    one, other = prior().at(0.1).denoise(x), prior().at(0.1 * scale).denoise(scale * x)
    assert torch.allclose(other, scale * one, atol=1e-5)


def test_the_description_builds_the_same_prior() -> None:
    twin = build(prior().description, (0.05, 0.2), lambda sigma: 2.0)
    assert twin.description == prior().description and twin.kind == "postprocessor"


def test_by_default_it_is_applied_once_to_each_flip_and_as_red_it_looks_at_the_observation() -> None:
    y = torch.rand(1, 1, 16, 24, generator=torch.Generator().manual_seed(2))
    problem, regularizer = problems.denoising(y, 0), prior().at(0.1)
    assert isinstance(regularizer, PostProcesses)
    fast = minimise(problem, SquaredError(y), regularizer, 2.0, 0.1, SolverOptions(fast=True))
    assert (fast.stop, len(fast.history)) == ("converged", 2)
    assert torch.allclose(fast.x, regularizer.denoise(y))
    once = minimise(problem, SquaredError(y), regularizer, 2.0, 0.1)
    assert (once.stop, len(once.history)) == ("converged", 5)
    flips = [regularizer.denoise(y.flip(axes)).flip(axes) for axes in ((), (-2, -1), (-1,), (-2,))]
    assert torch.allclose(once.x, torch.stack(flips).mean(0), atol=1e-6)
    weak, strong = (
        minimise(problem, SquaredError(y), regularizer, lam, 0.1, SolverOptions("splitting"))
        for lam in (0.02, 0.2)
    )
    assert (weak.stop, len(weak.history)) == ("max_iter", 4)
    assert 0 < float((weak.x - y).norm()) < float((strong.x - y).norm())


def test_the_views_have_the_last_word_where_the_noise_is_weak() -> None:
    geometry = GEOMETRIES["even picture, odd detectors"]
    scan = Scanning(RayTransform(geometry, 1 / 40))
    truth = torch.from_numpy(ellipse(geometry.size, (2.0, 1.0), (9.0, 6.0))).float()[None, None]
    problem, regularizer = scan.problem(scan.observe(truth), 0, 0.0), prior().at(0.1)
    residuals, pictures = [], []
    for sigma in (1e-3, 10.0):
        found = minimise(problem, SquaredError(problem.y), regularizer, 30.0, sigma)
        assert (found.stop, len(found.history)) == ("converged", 6)
        residuals.append([float(record.terms.data) for record in found.history[-2:]])
        pictures.append(found.x)
    weak, strong = residuals
    assert weak[1] < 0.1 * weak[0] and 0.99 * strong[0] < strong[1] <= strong[0]
    assert float((pictures[0] - truth).square().mean()) < 0.5 * float((pictures[1] - truth).square().mean())
