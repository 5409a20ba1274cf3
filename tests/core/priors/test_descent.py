"""The descent that a critic of whole slices is trained on, and by which it reconstructs."""

import pytest
import torch

from alr_cli.core import problems
from alr_cli.core.defaults import choose
from alr_cli.core.operators.geometry import Geometry
from alr_cli.core.operators.ray import RayTransform
from alr_cli.core.priors.descent import PROXIMAL_STEPS, STEPS, OneView, length_at, step_at
from alr_cli.core.priors.global_critic import (
    GlobalArchitecture,
    GlobalCritic,
    GlobalPrior,
    GlobalRegularizer,
    OwnRegularizer,
)
from alr_cli.core.priors.protocol import HasDescent
from alr_cli.core.problems import Problem
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers.proximal_gradient import ProximalGradient
from alr_cli.core.solvers.splitting import Splitting
from alr_cli.core.tomography import Scanning
from tests.core.energies import noise

SIDE, SIGMA, LAM = 32, 0.1, 0.3
SCAN = Geometry((SIDE, SIDE), (0.0, 0.7, 1.6, 2.4), 47)


def prior(own: bool = True) -> GlobalPrior:
    critic = GlobalCritic(GlobalArchitecture(SIDE, 1, 2), torch.Generator().manual_seed(0))
    return GlobalPrior(critic, (0.05, 0.2), lambda sigma: 3 * sigma, own)


def a_scan() -> Problem:
    task = Scanning(RayTransform(SCAN).per_pixel())
    return task.problem(torch.ones(1, 1, *SCAN.shape), 0, SIGMA)


def test_the_steps_become_shorter() -> None:
    lengths = length_at(torch.arange(STEPS))
    assert float(lengths[0]) == pytest.approx(0.64) and float(lengths[8]) == pytest.approx(0.34)
    assert (lengths.diff() < 0).all() and 0.04 < float(lengths[-1]) < 0.05


def test_a_step_is_a_gradient_step_of_the_prior_term_for_each_picture() -> None:
    """F = f + lam C / 2 R, and the views have the mean R."""
    regularizer, x = prior().at(SIGMA), torch.rand(2, 1, SIDE, SIDE)
    age, lam = torch.tensor([0.0, 16.0]), torch.tensor([LAM, 2 * LAM])
    moved = torch.zeros_like(x)
    for view in range(regularizer.views):
        denoiser, tau = step_at(regularizer, age, view, lam)
        moved += (x - denoiser.denoise(x)) / regularizer.views
        assert torch.allclose(x - denoiser.denoise(x, 0.5), (x - denoiser.denoise(x)) / 2, atol=1e-6)
    gradient = regularizer.value_and_grad(x)[1]
    assert torch.allclose(moved, (tau * lam / 2).reshape(-1, 1, 1, 1) * gradient, atol=1e-5)


def test_only_a_critic_that_was_trained_on_it_has_the_descent() -> None:
    assert isinstance(prior().at(SIGMA), HasDescent)
    assert not isinstance(prior(own=False).at(SIGMA), HasDescent)
    assert isinstance(choose(prior(own=False).at(SIGMA), a_scan(), LAM, SIGMA), ProximalGradient)


def test_the_path_has_a_fixed_length_and_sees_the_views_in_turn() -> None:
    regularizer = prior().at(SIGMA)
    solver = choose(regularizer, a_scan(), LAM, SIGMA)
    assert isinstance(solver, Splitting) and solver.name == "splitting"
    assert solver.iterations == STEPS and solver.steps == PROXIMAL_STEPS and not solver.momentum
    for age, (denoiser, tau) in enumerate(solver.way):
        expected, size = step_at(regularizer, torch.tensor([age]), age % 8, LAM)
        assert isinstance(denoiser, OneView) and denoiser.view == expected.view
        assert float(denoiser.length) == float(expected.length) and tau == float(size)


@pytest.mark.parametrize(
    ("asked", "length"),
    [
        (SolverOptions(iterations=7), 7),
        (SolverOptions(fast=True), STEPS // 3),
        (SolverOptions(iterations=500), STEPS),
    ],
)
def test_fewer_iterations_leave_it_early_and_more_change_nothing(asked: SolverOptions, length: int) -> None:
    regularizer = prior().at(SIGMA)
    whole, part = (choose(regularizer, a_scan(), LAM, SIGMA, each) for each in (SolverOptions(), asked))
    assert isinstance(whole, Splitting) and isinstance(part, Splitting)
    assert [tau for _, tau in part.way] == [tau for _, tau in whole.way[:length]]


def test_it_is_for_rays_only() -> None:
    solver = choose(prior().at(SIGMA), problems.denoising(noise(1, 1, SIDE, SIDE), 0), LAM, SIGMA)
    assert not isinstance(solver, Splitting)


def test_weights_remember_it() -> None:
    described = prior().description
    assert described == {"kind": "global", "side": SIDE, "channels": 1, "width": 2, "own": True}
    assert "own" not in prior(own=False).description
    fields = {name: value for name, value in described.items() if name != "kind"}
    built = GlobalPrior.described(fields, (0.05, 0.2), lambda sigma: sigma)
    assert type(built.at(SIGMA)) is OwnRegularizer
    built = GlobalPrior.described({"side": SIDE}, (0.05, 0.2), lambda sigma: sigma)
    assert type(built.at(SIGMA)) is GlobalRegularizer
    with pytest.raises(ValueError, match="own is true or false"):
        GlobalPrior.described({"side": SIDE, "own": "yes"}, (0.05, 0.2), lambda sigma: sigma)
