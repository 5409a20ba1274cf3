"""y = x + eps for crops x, which fields of experts are tuned on, each on its way to its minimiser"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.noise_field import NoiseField
from alr_cli.core.patches import PatchSource
from alr_cli.core.problems import Problem

_FIRST_STEPS = (12, 40)  # log-uniformly: enough to end, and not always at the same place


@dataclass
class Case:
    """A batch of crops on its way to the minimisers.

    clean, y: (B, C, s, s).  sigma: (B,).  x: the extended unknown.  adjoint: H^-1 s (see bilevel.py), like x.
    first: steps of the descent that brings x from the start to the solution, ().  old: whether that has been
    done, ().  visits: how often the case is still to be used, ().
    """

    clean: Tensor
    y: Tensor
    sigma: Tensor
    x: Tensor
    adjoint: Tensor
    first: Tensor
    old: Tensor
    visits: Tensor

    def problem(self, patch: int) -> Problem:
        """What x is to solve, for a critic of patches of that side."""
        return problems.denoising(self.y, patch)


@dataclass(frozen=True)
class CaseSource:
    """Draws cases.

    source: of crops.  batch_size: of them in a case.  sigmas: the range of noise levels, log-uniformly.
    visits: the most that a case lives.  field: how the noise is made; None for white noise.
    """

    source: PatchSource
    batch_size: int
    sigmas: tuple[float, float]
    visits: int
    field: NoiseField | None = None

    def draw(self, patch: int, generator: torch.Generator, device: torch.device) -> Case:
        """A new case for a critic of p x p patches, its x where a descent starts."""
        life, path, *side = torch.rand(5, generator=generator).tolist()
        clean = self.source.sample(self.batch_size, generator)
        clean = clean.flip([axis for axis, chance in zip((-1, -2), side[:2], strict=True) if chance < 0.5])
        clean = (clean.transpose(-1, -2) if side[2] < 0.5 else clean).contiguous()
        low, high = self.sigmas
        sigma = low * (high / low) ** torch.rand(self.batch_size, generator=generator)
        clean, y, sigma = (part.to(device) for part in (clean, self._noisy(clean, sigma, generator), sigma))
        x = problems.denoising(y, patch).start
        least, most = _FIRST_STEPS
        return Case(
            *(clean, y, sigma, x, torch.zeros_like(x)),
            first=torch.tensor(round(least * (most / least) ** path)),
            old=torch.tensor(0),
            visits=torch.tensor(1 + int(life * self.visits)),
        )

    def _noisy(self, clean: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
        if self.field is not None:
            return self.field.add(clean, sigma, generator)[0]
        return clean + sigma.reshape(-1, 1, 1, 1) * torch.randn(clean.shape, generator=generator)
