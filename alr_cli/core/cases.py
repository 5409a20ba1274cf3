"""y = A x + eps for crops x: the problems that a critic is tuned on, each on its way to its minimiser

Three kinds: noise alone; a blur and less noise; missing pixels. Where pixels are missing the known ones are
held, so that neither sigma nor lambda matters to x*; both are then those of _HOLE_SIGMA, at which R weighs as
much as a data term would.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.kernels import random_kernel
from alr_cli.core.noise_field import NoiseField
from alr_cli.core.patches import PatchSource
from alr_cli.core.problems import Problem

_BLUR_SIGMAS = (0.005, 0.05)
_HOLE_SIGMA = 0.1
_MISSING = (0.4, 0.9)  # shares of the pixels
_FIRST_STEPS = (50, 500)  # log-uniformly: short and long descents must end alike
BLUR_STEPS = 2  # times as many for a blurred case: its data term is flat in many directions


@dataclass
class Case:
    """A batch of crops on its way to the minimisers.

    clean: (B, C, s, s).  y: the observation.  kernel: (h, w), of a single 1 where nothing is blurred.
    known: (s, s), 0 where pixels are missing, or a single 1.  sigma: (B,).  x: the extended unknown.
    adjoint: H^-1 s (see bilevel.py), like x.  mean, square: Adam's moments, like x.  first: steps of the
    descent that brings it from the start to the solution, ().  steps: of descent so far, ().  visits: how
    often it is still to be used, ().
    """

    clean: Tensor
    y: Tensor
    kernel: Tensor
    known: Tensor
    sigma: Tensor
    x: Tensor
    adjoint: Tensor
    mean: Tensor
    square: Tensor
    first: Tensor
    steps: Tensor
    visits: Tensor

    @property
    def blurred(self) -> bool:
        return self.kernel.numel() > 1

    def problem(self, patch: int) -> Problem:
        """What x is to solve, for a critic of patches of that side."""
        return _problem(self.y, self.kernel, self.known, patch)


@dataclass(frozen=True)
class CaseSource:
    """Draws cases.

    source: of crops.  batch_size: of them in a case.  sigmas: the range of noise levels, log-uniformly.
    blurs, holes: shares of the cases that are blurred, and that miss pixels.  visits: the most; drawn
    log-uniformly, so that cases of all ages are seen.  field: how the noise is made; None for white noise.
    """

    source: PatchSource
    batch_size: int
    sigmas: tuple[float, float]
    blurs: float
    holes: float
    visits: int
    field: NoiseField | None = None

    def draw(self, patch: int, generator: torch.Generator, device: torch.device) -> Case:
        """A new case for a critic of p x p patches, its x where a descent starts."""
        kind, life, path = torch.rand(3, generator=generator).tolist()
        clean = self.source.sample(self.batch_size, generator)
        first = _log_uniform(*_FIRST_STEPS, path)
        kernel = known = torch.ones(1, 1)
        sigmas = self.sigmas
        if kind < self.blurs:
            kernel = _random_kernel(generator)
            first *= BLUR_STEPS
            sigmas = _BLUR_SIGMAS
        elif kind < self.blurs + self.holes:
            known = _random_mask(clean.shape[-2:], generator)
            sigmas = (_HOLE_SIGMA, _HOLE_SIGMA)
        y, clean = _blur(clean, kernel)
        sigma = sigmas[0] * (sigmas[1] / sigmas[0]) ** torch.rand(self.batch_size, generator=generator)
        y = y * known if known.numel() > 1 else self._noisy(y, sigma, generator)
        clean, y, kernel, known, sigma = (part.to(device) for part in (clean, y, kernel, known, sigma))
        x = _problem(y, kernel, known, patch).start
        zero = torch.zeros_like(x)
        return Case(
            *(clean, y, kernel, known, sigma, x, zero, zero.clone(), zero.clone()),
            first=torch.tensor(round(first)),
            steps=torch.tensor(0),
            visits=torch.tensor(round(_log_uniform(1, self.visits, life))),
        )

    def _noisy(self, y: Tensor, sigma: Tensor, generator: torch.Generator) -> Tensor:
        if self.field is not None:
            return self.field.add(y, sigma, generator)[0]
        return y + sigma.reshape(-1, 1, 1, 1) * torch.randn(y.shape, generator=generator)


def _problem(y: Tensor, kernel: Tensor, known: Tensor, patch: int) -> Problem:
    if kernel.numel() > 1:
        return problems.deblurring(y, kernel.cpu().numpy(), patch)
    if known.numel() > 1:
        return problems.inpainting(y, known == 0, patch, exact=True)
    return problems.denoising(y, patch)


def _log_uniform(least: float, most: float, u: float) -> float:
    return float(least * (most / least) ** u)


def _random_kernel(generator: torch.Generator) -> Tensor:
    return torch.from_numpy(random_kernel(torch.rand(3, generator=generator).tolist()).copy()).float()


def _random_mask(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    low, high = _MISSING
    share = low + (high - low) * float(torch.rand((), generator=generator))
    return (torch.rand(shape, generator=generator) >= share).float()


def _blur(clean: Tensor, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """The part of the convolution that the crop determines, and the crop there."""
    rows, columns = (side // 2 for side in kernel.shape)
    planes = clean.flatten(0, 1)[:, None]
    blurred = torch.nn.functional.conv2d(planes, kernel.flip(0, 1)[None, None])
    height, width = clean.shape[-2:]
    inner = clean[..., rows : height - rows, columns : width - columns]
    return blurred.reshape(inner.shape), inner.contiguous()
