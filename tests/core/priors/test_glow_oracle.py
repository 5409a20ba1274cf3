"""Glow compared with an independent implementation: the layers of normflows, with the same numbers."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from alr_cli.core.priors.glow import LEVELS, Glow, GlowArchitecture, Level, Step
from tests.core.flows import TINY, a_flow, waves

normflows = pytest.importorskip("normflows")


class Map(nn.Module):
    """A module that computes the parameters of a coupling from half of the channels."""

    def __init__(self, of: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.of = of

    def forward(self, a: Tensor) -> Tensor:
        return self.of(a)


def of_step(step: Step) -> nn.Module:
    """A step as a block of normflows, which goes from latents to pictures."""
    channels = len(step.shift)
    block = normflows.flows.GlowBlock(channels, 1, scale=False, use_lu=False).double()
    coupling, mixing, actnorm = block.flows
    coupling.flows[1].param_map = Map(lambda a: -step.coupling(a))
    with torch.no_grad():
        mixing.W.copy_(step.mixing)
        actnorm.data_dep_init_done.fill_(1.0)
        actnorm.s.copy_(-step.log_scale[:, None, None])
        actnorm.t.copy_((-step.shift * torch.exp(-step.log_scale))[:, None, None])
    return block


def of_split(level: Level) -> nn.Module:
    """The normalisation of the channels that a level puts out, which normflows calls an affine coupling."""
    split = level.split
    assert split is not None

    def parameters(a: Tensor) -> Tensor:
        mean, log_scale = split._predicted(a)  # what the oracle is given
        return torch.stack([mean, log_scale], dim=2).flatten(1, 2)

    return normflows.flows.AffineCoupling(Map(parameters))  # type: ignore[no-any-return]


def by_normflows(flow: Glow, x: Tensor) -> tuple[Tensor, Tensor]:
    """The latents and the log-determinant of a flow, computed by normflows."""
    h = x * ((LEVELS - 1) / LEVELS) - (0.5 - 0.5 / LEVELS)
    latents, log_det = [], torch.zeros(len(x), dtype=x.dtype)
    for level in flow:
        h, _ = normflows.flows.Squeeze().inverse(h)
        for step in level:
            h, change = of_step(step).inverse(h)  # type: ignore[operator]
            log_det = log_det + change
        if level.split is not None:
            (h, z), change = of_split(level).inverse(normflows.flows.Split().forward(h)[0])  # type: ignore[operator]
            latents.append(z.flatten(1))
            log_det = log_det + change
    last = normflows.flows.AffineConstFlow(tuple(flow.mean.shape)).double()
    with torch.no_grad():
        last.s.copy_(flow.log_scale)
        last.t.copy_(flow.mean)
    z, change = last.inverse(h)
    return torch.cat([*latents, z.flatten(1)], dim=1), log_det + change


@pytest.mark.parametrize("architecture", [TINY, GlowArchitecture(3, 16, 3, 2, 5)])
def test_latents_determinant_and_likelihood_are_those_of_normflows(architecture: GlowArchitecture) -> None:
    flow = a_flow(architecture).double()
    x = waves(3, architecture, torch.Generator().manual_seed(5)).double()
    z, log_det = flow(x)
    expected, change = by_normflows(flow, x)
    torch.testing.assert_close(z, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(log_det, change, rtol=1e-9, atol=1e-9)
    normal = normflows.distributions.DiagGaussian(architecture.dimensions, trainable=False).double()
    torch.testing.assert_close(flow.log_likelihood(x), normal.log_prob(expected) + change)
