"""The energy over latents: its gradient, its minimum, and that its solution is a picture of the flow."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from alr_cli.core import defaults, problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.defaults import synthesise
from alr_cli.core.operators.convolution import Convolution
from alr_cli.core.operators.pixels import Mask
from alr_cli.core.operators.protocol import LinearOperator
from alr_cli.core.priors.flow import FlowRegularizer
from alr_cli.core.priors.total_variation import TotalVariation
from alr_cli.core.solvers.base import Solution, solve
from alr_cli.core.solvers.lbfgs import Lbfgs
from alr_cli.core.synthesis import HasLatents, Synthesis
from alr_cli.errors import UsageError
from tests.core.flows import TINY, a_flow, waves

Descend = Callable[..., Solution]

OPERATORS: dict[str, LinearOperator] = {
    "mask": Mask((torch.arange(64).reshape(8, 8) % 3 > 0).double()),
    "blur": Convolution(np.full((3, 3), 1 / 9), (8, 8), "reflect"),
}


def a_synthesis(name: str, lam: float = 0.01) -> tuple[Synthesis, torch.Tensor]:
    regularizer = FlowRegularizer(a_flow().double())
    x = waves(2, TINY, torch.Generator().manual_seed(5)).double()
    operator = OPERATORS[name]
    return Synthesis(operator, SquaredError(operator.forward(x)), regularizer, lam, 64), x


@pytest.mark.parametrize("name", OPERATORS)
def test_the_gradient_is_that_of_the_energy(name: str) -> None:
    synthesis, _ = a_synthesis(name)
    z = torch.randn(2, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(6))
    terms, gradient = synthesis.value_and_grad(z)
    torch.testing.assert_close(terms.energy, terms.data + 0.01 * terms.regularizer)
    for seed in range(5):
        direction = torch.randn(z.shape, dtype=z.dtype, generator=torch.Generator().manual_seed(seed))
        ahead, behind = (synthesis.value_and_grad(z + step * direction)[0].energy for step in (1e-6, -1e-6))
        torch.testing.assert_close(
            (ahead - behind) / 2e-6, (gradient * direction).sum(dim=1), rtol=1e-6, atol=1e-9
        )


def test_with_a_heavy_prior_the_solution_is_the_picture_of_the_latent_zero() -> None:
    synthesis, x = a_synthesis("mask", lam=1e4)
    solution = solve(synthesis, synthesis.regularizer.latent(x), Lbfgs(100, 1e-9))
    assert solution.x.abs().max() < 1e-3


def test_its_energy_at_a_latent_is_the_analysis_energy_at_its_picture() -> None:
    synthesis, x = a_synthesis("blur")
    z = synthesis.regularizer.latent(x)
    terms, _ = synthesis.value_and_grad(z)
    assert terms.data.max() < 1e-20  # f^-1(f(x)) is x, which is what was observed
    torch.testing.assert_close(terms.regularizer, z.square().sum(dim=1) / 64)


def test_a_flow_is_recognised_by_its_methods() -> None:
    assert isinstance(FlowRegularizer(a_flow()), HasLatents)


def test_a_prior_that_has_no_latents_is_refused() -> None:
    y = torch.rand(1, 1, 8, 8)
    with pytest.raises(UsageError, match="leave --formulation synthesis out"):
        synthesise(problems.denoising(y, 1), SquaredError(y), TotalVariation(1), 0.1, Lbfgs())


@pytest.mark.parametrize("descend", [defaults.descend, defaults.synthesise])
def test_both_formulations_bring_a_noisy_picture_closer_to_the_clean_one(descend: Descend) -> None:
    clean = waves(4, TINY, torch.Generator().manual_seed(7))
    y = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(8))
    regularizer = FlowRegularizer(a_flow(shake=0.0))
    problem, seen = problems.denoising(y, 0), list[torch.Size]()
    x = descend(
        problem, SquaredError(y), regularizer, 0.01, Lbfgs(40), lambda record, x: seen.append(x.shape)
    ).x
    assert (x - clean).square().mean() < 0.7 * (y - clean).square().mean()
    assert set(seen) == {clean.shape}
