"""r(x) = sum_s sum_k w_sk mean_i log(1 + (f_sk * M_s x)_i^2)

Fields of experts (Roth and Black 2009) at several scales as a critic of local patches, with the filters
learned as in Chen, Ranftl and Pock (2014). M_s takes means of s x s pixels, s = 1, 2 and perhaps 4; the
filters f_sk are 7x7 at every scale. The coarsest see all of a patch, which is 7 s pixels wide, and lie at
one place i in it; finer ones lie at the places two pixels apart in its middle. R is the mean over all
patches, so each filter counts with its mean over all places of the picture, and the s^2 grids of patches
that a descent sees in turn (symmetry.py) visit all of them.

What is noise and what an edge depends on the level of the noise: at sigma the critic is r(s(sigma) x), with
s(sigma) learned too, straight in log-log between octaves and beyond them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from alr_cli.core.operators.kernels import mean_amplitude
from alr_cli.core.priors.cosines import SIDE, basis, beginning
from alr_cli.core.priors.filter_bank import (
    Bank,
    at_first_pixel,
    at_four_pixels,
    summed,
    whole_patches,
    without_negligible,
)
from alr_cli.core.priors.local import LocalNetwork, LocalPrior, SumAndGrad
from alr_cli.core.priors.preconditioner import Circulant, of_energy
from alr_cli.core.problems import Problem

Level = TypeVar("Level", float, Tensor)

KNOTS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)  # levels of noise at which s(sigma) is learned
_LEAST = 0.005  # below it s(sigma) stays what it is
_KNEE = {1: 1 / 30, 3: 1 / 50}  # responses above it count as edges, before anything is learned
_CURVATURE = 8.0  # of lambda R / 2 at zero, before anything is learned, in units of the data term's
_AMPLITUDE_POWER = 0.45
_FEWER = math.log(0.1)  # of the weights of scales 2 and 4 against scale 1's, before anything is learned


@dataclass(frozen=True)
class ExpertsArchitecture:
    """channels: of the pictures, 1 or 3.  fine, coarse, coarser: how many filters at scale 1, 2 and 4;
    coarser may be 0."""

    channels: int = 3
    fine: int = 144
    coarse: int = 72
    coarser: int = 0

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"a critic sees 1 or 3 channels, not {self.channels}")
        most = 2 * self.channels * (SIDE**2 - 1)
        if not (1 <= self.fine <= most and 1 <= self.coarse <= most and 0 <= self.coarser <= most):
            raise ValueError(f"a critic of {self.channels} channels has 1 to {most} filters of each kind")

    @classmethod
    def usual(cls, channels: int) -> ExpertsArchitecture:
        """As shipped."""
        return cls(1, 96, 48) if channels == 1 else cls(3, 144, 72)

    @property
    def stride(self) -> int:
        """The distance between patches in pixels, which is the coarsest scale."""
        return 4 if self.coarser else 2

    @property
    def patch(self) -> int:
        return SIDE * self.stride

    @property
    def depth(self) -> int:
        return 1

    @property
    def width(self) -> int:
        """Responses for each patch."""
        return self.coarser + (self.stride // 2) ** 2 * (self.fine + self.coarse)

    def as_dict(self) -> dict[str, Any]:
        return {"kind": "experts", **asdict(self)}


class Experts(LocalNetwork):
    """r(x): (B, C, H, W) in [0,1] -> a score for each patch of a grid, (B, 1, rows, columns), large where
    noisy.

    fine, coarse, coarser: filters (K, n) by their coefficients in `basis`; log_fine, log_coarse, log_coarser:
    (K,) the log of their weights; log_contrast: (6,) the log of s(sigma) at KNOTS, in units of
    (sigma / 0.1)^-1/2.
    """

    architecture: ExpertsArchitecture

    def __init__(self, architecture: ExpertsArchitecture, begin: bool = True) -> None:
        """begin: with the cosines as filters; else the numbers are yet to be loaded and take no memory."""
        super().__init__()
        self.architecture = architecture
        if not begin:
            self._without_numbers()
            return
        knee = _KNEE[architecture.channels]
        weight = math.log(4 * _CURVATURE * knee**2 / (2 * SIDE**2))
        for name in self._names():
            count, less = getattr(architecture, name), 0.0 if name == "fine" else _FEWER
            filters = beginning(architecture.channels, count) / knee
            self.register_parameter(name, nn.Parameter(filters))
            self.register_parameter(f"log_{name}", nn.Parameter(torch.full((count,), weight + less)))
        self.log_contrast = nn.Parameter(torch.zeros(len(KNOTS)))

    def _names(self) -> tuple[str, ...]:
        return ("fine", "coarse", "coarser") if self.architecture.coarser else ("fine", "coarse")

    def _without_numbers(self) -> None:
        for name in self._names():
            count = getattr(self.architecture, name)
            size = self.architecture.channels * (SIDE**2 - 1)
            self.register_parameter(name, nn.Parameter(torch.empty(count, size, device="meta")))
            self.register_parameter(f"log_{name}", nn.Parameter(torch.empty(count, device="meta")))
        self.log_contrast = nn.Parameter(torch.empty(len(KNOTS), device="meta"))

    def usual_lam(self, sigma: Level) -> Level:
        """lambda(sigma) of a prior, in proportion to sigma^2: for filters before they are tuned."""
        return 0.25 / self.architecture.channels * (sigma / 0.1) ** 2

    @property
    def filters(self) -> tuple[nn.Parameter, ...]:
        """By their coefficients, (K, n) for each scale."""
        return tuple(self.get_parameter(name) for name in self._names())

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """w_sk, (K,) for each scale."""
        return tuple(self.get_parameter(f"log_{name}").exp() for name in self._names())

    def contrast(self, sigma: Tensor) -> Tensor:
        """s(sigma), like sigma; differentiable."""
        sigma = sigma.clamp_min(_LEAST)
        return (sigma / 0.1) ** -0.5 * along_knots(self.log_contrast, sigma)

    def at(self, sigma: float) -> Experts:
        """The critic for noise of that level: the filters scaled by s(sigma), and no s of its own."""
        result = copy.deepcopy(self)
        with torch.no_grad():
            s = self.contrast(torch.tensor(sigma, device=self.log_contrast.device))
            for name, value in self.state_dict().items():
                result.get_parameter(name).copy_(value * s if name in self._names() else value)
            result.log_contrast.zero_()
        return result.eval().requires_grad_(False)

    def banks(self, dtype: torch.dtype = torch.float32, dense: bool = False) -> tuple[Bank, ...]:
        """The filters as they stand, without s(sigma); differentiable.

        dense: on one grid of patches, finest filters at all pixels and coarsest at every second one, not at
        every second and fourth. The mean over all grids is the same, but a single grid is nearer to it, at
        four times the cost.
        """
        return tuple(self._bank(2**power, name, dtype, dense) for power, name in enumerate(self._names()))

    def _bank(self, scale: int, name: str, dtype: torch.dtype, dense: bool) -> Bank:
        channels = self.architecture.channels
        coefficients = self.get_parameter(name)
        kernels = torch.einsum(
            "kn,ncij->kcij", coefficients, basis(channels, coefficients.device).to(coefficients)
        )
        step = max(2, scale)  # between places, and the pixels in one at the resolution seen
        places = self.stride // step
        weights = self.get_parameter(f"log_{name}").exp() / places**2
        if scale == 1:
            kernels = at_four_pixels(kernels) if dense else at_first_pixel(kernels)
            weights = weights.repeat_interleave(4) / 4 if dense else weights
        dilation = 2 if dense and scale == 4 else 1
        weights = weights / dilation**2
        side = kernels.shape[-1]
        spare = self.patch // step - side - (places - 1)
        kernels = kernels.permute(0, 3, 1, 2).reshape(len(kernels), -1, side, 1)
        slopes = kernels * (2 * weights).reshape(-1, 1, 1, 1)
        return Bank(
            kernels.to(dtype).contiguous(memory_format=torch.channels_last),
            slopes.to(dtype).contiguous(memory_format=torch.channels_last),
            weights,
            *(scale, dilation, spare // 2, spare - spare // 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = whole_patches(x, self.stride)
        scores = torch.zeros((), dtype=x.dtype)
        for bank in self.banks(x.dtype):
            t = bank.responses(bank.seen(x))
            score = (torch.log1p(t.square()) * bank.weights.reshape(-1, 1, 1).to(t)).sum(1, keepdim=True)
            places = self.stride // max(2, bank.scale)
            scores = scores + functional.avg_pool2d(score, places) * places**2
        return scores

    def preconditioner(self, problem: Problem, lam: float) -> Circulant | None:
        """See `preconditioner.of_energy`; None for an operator without a power."""
        amounts = [lam * self.architecture.channels * weights for weights in self.weights]
        return of_energy(amounts, self.filters, problem)

    def operations(self, side: int) -> int:
        patches = ((side - self.patch) // self.stride + 1) ** 2
        banks = without_negligible(self.banks())
        places = [patches * (self.stride // max(2, bank.scale)) ** 2 for bank in banks]
        sizes = [bank.kernels.numel() for bank in banks]
        return sum(2 * 2 * count * size for count, size in zip(places, sizes, strict=True))

    def summed(self, precision: torch.dtype) -> SumAndGrad:
        """As `Critic.summed`, but by hand, which is three times as fast as autograd. On a CPU the width of
        what is scored at a time does not change a bit of the gradient."""
        return partial(summed, without_negligible(self.banks(precision)), self.stride)


class ExpertsPrior(LocalPrior):
    """Fields of experts, whose contrast follows the noise level."""

    kind = "experts"

    @staticmethod
    def build(architecture: Mapping[str, Any]) -> Experts:
        return Experts(ExpertsArchitecture(**architecture), begin=False)

    def gain(self, problem: Problem) -> float:
        """What is best for fields of experts follows the mean amplitude of a blur, for motions, Gaussians and
        a box alike (docs/notebook/critics.md)."""
        return 1.0 if problem.kernel is None else mean_amplitude(problem.kernel) ** _AMPLITUDE_POWER


def with_coarser(critic: Experts, count: int) -> Experts:
    """Experts of two scales with `count` filters at a third, which hardly count to begin with."""
    wide = Experts(replace(critic.architecture, coarser=count))
    with torch.no_grad():
        for name, value in critic.state_dict().items():
            wide.get_parameter(name).copy_(value)
        wide.get_parameter("log_coarser").sub_(1.0)
    return wide


def along_knots(logs: Tensor, sigma: Tensor) -> Tensor:
    """exp of `logs` (6,), given at KNOTS, at sigma, like sigma: straight in log-log, also beyond the ends."""
    at = (sigma.log() - math.log(KNOTS[0])) / math.log(KNOTS[1] / KNOTS[0])
    index = at.floor().clamp(0, len(KNOTS) - 2).long()
    return (logs[index] + (at - index) * (logs[index + 1] - logs[index])).exp()
