"""y = A x + eps for crops x on which fields of experts are tuned, each on its way to its minimiser

A is the identity, or a mask without noise. With a mask the known pixels are held.
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

_FIRST_STEPS = (12, 40)  # drawn log-uniformly; enough to converge, and not always at the same point
_FIRST_STEPS_HOLES = (70, 140)
_MISSING = (0.6, 0.95)  # shares of missing pixels, drawn uniformly
# at most; crops with most pixels missing differ so much that few of them would mislead the training
_VISITS_HOLES = 6
# m, a part of the usual final squared error. Without it in the loss, smooth crops would count more than their
# share of a picture.
_USUAL = 0.018, 1.4  # half of the usual error: 0.018 sigma^1.4
_USUAL_HOLES = 2.2e-4, 0.73  # a quarter of it: 2.2e-4 (missing / known)^0.73


@dataclass
class Case:
    """A batch of crops on its way to the minimisers.

    Attributes:
        clean, y: (B, C, s, s).
        sigma: (B,), the noise level. If pixels are missing there is no noise, and this is the level that the
            critic is used for.
        missing: (s, s).
        x: The extended unknown.
        adjoint: H^-1 s, with the shape of x.
        first: Number of steps of the descent from the start, ().
        old: Whether that descent was done, ().
        visits: How often the case will still be used, ().
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
        """The problem whose solution is x, for a prior that sees `margin` pixels beyond the frame."""
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

    Attributes:
        source: The source of crops.
        batch_size: Crops per case.
        sigmas: Range of noise levels, drawn log-uniformly.
        visits: Largest number of visits of a case; at most 6 if pixels are missing.
        field: Draws the noise; None for white noise.
        holes: Share of the cases that have missing pixels instead of noise.
    """

    source: PatchSource
    batch_size: int
    sigmas: tuple[float, float]
    visits: int
    field: NoiseField | None = None
    holes: float = 0.0

    def draw(self, margin: int, generator: torch.Generator, device: torch.device) -> Case:
        """A new case for a prior with this margin. Its x is the start of a descent."""
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
        # what is asked for often stays on the CPU
        clean, y, sigma = (part.to(device) for part in (clean, y, sigma))
        x = _problem(y, missing, margin).start
        return Case(
            clean=clean,
            y=y,
            sigma=sigma,
            missing=missing,
            x=x,
            adjoint=torch.zeros_like(x),
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
