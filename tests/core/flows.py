"""Small flows for tests, without zero parameters, and the pictures they were initialised on."""

import torch
from torch import Tensor

from alr_cli.core.priors.glow import Glow, GlowArchitecture

TINY = GlowArchitecture(channels=1, size=8, levels=2, steps=2, width=4)


def a_flow(architecture: GlowArchitecture = TINY, seed: int = 0, shake: float = 0.05) -> Glow:
    """A flow that was initialised on `waves` and then perturbed."""
    random = torch.Generator().manual_seed(seed)
    flow = Glow(architecture, random)
    flow.initialise(waves(256, architecture, random))
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(shake * torch.randn(parameter.shape, generator=random))
    return flow.requires_grad_(False)


def waves(count: int, architecture: GlowArchitecture, random: torch.Generator) -> Tensor:
    """Smooth pictures (count, C, size, size) on [0,1] with a little noise."""
    size, shape = architecture.size, (count, architecture.channels, 4, 4)
    smooth = torch.nn.functional.interpolate(torch.rand(shape, generator=random), size=size, mode="bicubic")
    return (smooth + 0.02 * torch.randn(smooth.shape, generator=random)).clamp(0, 1)
