"""y = A x + eps for crops x, which fields of experts are tuned on, each on its way to its minimiser

A is the identity or, where there is no noise, a mask: of a critic for holes known pixels are held.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.noise.field import NoiseField
from alr_cli.core.problems import Problem
from alr_cli.core.tasks import HELD_LEVEL
from alr_cli.core.training.patches import PatchSource

_FIRST_STEPS = (12, 40)  # log-uniformly: enough to end, and not always at the same place
_FIRST_STEPS_HOLES = (70, 140)
_MISSING = (0.6, 0.95)  # shares, uniformly
_VISITS_HOLES = 6  # at most: crops that miss most of their pixels differ so much that few of them mislead
# m, a part of the squared error that a picture usually ends with. Without it in the loss, smooth crops would
# count for more than their share of a picture.
_USUAL = 0.018, 1.4  # half of it: 0.018 sigma^1.4
_USUAL_HOLES = 2.2e-4, 0.73  # a quarter: 2.2e-4 (missing / known)^0.73


@dataclass
class Case:
    """A batch of crops on its way to the minimisers.

    clean, y: (B, C, s, s).  sigma: (B,), of the noise; where pixels are missing there is none, and this is
    what the critic is for.  missing: (s, s).  x: the extended unknown.  adjoint: H^-1 s, like x.
    first: steps of the descent that brings x from the start to the solution, ().  old: whether that has been
    done, ().  visits: how often the case is still to be used, ().
    """

    clean: Tensor
    y: Tensor
    sigma: Tensor
    missing: Tensor
    x: Tensor
    adjoint: Tensor
    first: Tensor
    old: Tensor
    visits: Tensor

    def problem(self, margin: int) -> Problem:
        """What x is to solve, for a prior that sees `margin` pixels beyond the frame."""
        return _problem(self.y, self.missing, margin)

    @property
    def usual_error(self) -> Tensor:
        """m, (B,)."""
        share = float(self.missing.float().mean())
        if not share:
            return _USUAL[0] * self.sigma ** _USUAL[1]
        return torch.full_like(self.sigma, _USUAL_HOLES[0] * (share / (1 - share)) ** _USUAL_HOLES[1])


@dataclass(frozen=True)
class CaseSource:
    """Draws cases.

    source: of crops.  batch_size: of them in a case.  sigmas: the range of noise levels, log-uniformly.
    visits: the most that a case lives; where pixels are missing no more than 6.  field: how the noise is
    made; None for white noise.  holes: the share of cases that miss pixels instead.
    """

    source: PatchSource
    batch_size: int
    sigmas: tuple[float, float]
    visits: int
    field: NoiseField | None = None
    holes: float = 0.0

    def draw(self, margin: int, generator: torch.Generator, device: torch.device) -> Case:
        """A new case for a prior with that margin, its x where a descent starts."""
        life, path, *side = torch.rand(5, generator=generator).tolist()
        clean = self.source.sample(self.batch_size, generator)
        clean = clean.flip([axis for axis, chance in zip((-1, -2), side[:2], strict=True) if chance < 0.5])
        clean = (clean.transpose(-1, -2) if side[2] < 0.5 else clean).contiguous()
        low, high = self.sigmas
        sigma = low * (high / low) ** torch.rand(self.batch_size, generator=generator)
        missing = torch.zeros(clean.shape[-2:], dtype=torch.bool)
        if self.holes and float(torch.rand((), generator=generator)) < self.holes:
            share = _MISSING[0] + (_MISSING[1] - _MISSING[0]) * float(torch.rand((), generator=generator))
            missing = torch.rand(missing.shape, generator=generator) < share
            y, sigma = clean * ~missing, torch.full_like(sigma, HELD_LEVEL)
            (least, most), visits = _FIRST_STEPS_HOLES, min(self.visits, _VISITS_HOLES)
        else:
            y = self._noisy(clean, sigma, generator)
            (least, most), visits = _FIRST_STEPS, self.visits
        clean, y, sigma = (part.to(device) for part in (clean, y, sigma))  # what is asked often stays here
        x = _problem(y, missing, margin).start
        return Case(
            *(clean, y, sigma, missing, x, torch.zeros_like(x)),
            first=torch.tensor(round(least * (most / least) ** path)),
            old=torch.tensor(0),
            visits=torch.tensor(1 + int(life * visits)),
        )

    def _noisy(self, clean: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
        if self.field is not None:
            return self.field.add(clean, sigma, generator)[0]
        return clean + sigma.reshape(-1, 1, 1, 1) * torch.randn(clean.shape, generator=generator)


def _problem(y: Tensor, missing: Tensor, margin: int) -> Problem:
    if missing.any():
        return problems.inpainting(y, missing, margin, exact=True)
    return problems.denoising(y, margin)
