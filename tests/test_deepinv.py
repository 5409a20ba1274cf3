"""Our priors in deepinv's optimisers, and its operators in ours.

deepinv needs torchvision, which does not load with the torch of constraints.txt. These tests therefore run
only if a matching torchvision is installed.
"""

import pytest
import torch

import alr_cli as alr
from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.problems import Problem
from tests.core.toys import fields, some_experts

deepinv = pytest.importorskip("deepinv", exc_type=ImportError)

LAM, SIGMA, SIDE = 0.02, 0.1, 24
PRIOR = fields(some_experts(3, dtype=torch.float32))


def observed() -> torch.Tensor:
    return torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))


def test_our_prior_in_their_descent_gives_what_our_energy_gives() -> None:
    from alr_cli.deepinv import Prior

    y, size = observed(), 3 * SIDE**2 / 2
    problem = Problem(alr.problems.denoising(y, 0).operator, y, y.clone, (SIDE, SIDE), near=True)
    ours = alr.Energy.of(problem, PRIOR.at(SIGMA, Arithmetic()), LAM)
    x = y.clone()
    for _ in range(30):
        x -= 0.2 * size * ours.value_and_grad(x)[1]
    theirs = deepinv.optim.GD(
        data_fidelity=deepinv.optim.L2(),
        prior=Prior(PRIOR, size=2 / 3),
        stepsize=0.2,
        lambda_reg=LAM,
        g_param=SIGMA,
        max_iter=30,
    )
    with torch.no_grad():
        found = theirs(y, deepinv.physics.Denoising(), init=y)
    assert float((found - x).abs().max()) < 1e-4


def test_their_physics_in_our_solver_gives_what_our_operator_gives() -> None:
    from alr_cli.deepinv import Operator

    mask = (torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    y = observed() * mask
    ours = alr.problems.inpainting(y, mask[0, 0] == 0, 0)
    physics = deepinv.physics.Inpainting(img_size=(3, SIDE, SIDE), mask=mask.expand(1, 3, -1, -1))
    theirs = Problem(Operator(physics, (SIDE, SIDE)), y, lambda: ours.start, (SIDE, SIDE), holes=True)
    regularizer = PRIOR.at(SIGMA, Arithmetic())
    pictures = [
        alr.solve(alr.Energy.of(problem, regularizer, LAM), problem.start, alr.solvers.Adam(40)).x
        for problem in (ours, theirs)
    ]
    assert float((pictures[0] - pictures[1]).abs().max()) < 1e-4
