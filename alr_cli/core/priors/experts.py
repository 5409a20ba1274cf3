"""r(x) = sum_s sum_k w_sk mean_i log(1 + (f_sk * M_s x)_i^2)

Fields of experts (Roth and Black 2009) at several scales, as a critic of local patches, with filters learned
as in Chen, Ranftl and Pock (2014). M_s averages s x s pixels, for s = 1, 2 and optionally 4. The filters f_sk
are 7x7 at every scale. The coarsest filters see a whole patch, which is 7 s pixels wide, at a single place i.
Finer ones are applied at the places two pixels apart in its middle. R is the mean over all patches, so that
each filter counts with its mean over all places of the picture. A descent sees the s^2 grids of patches in
turn (glimpses.py), which together cover all places.

What counts as noise and what as an edge depends on the noise level. At level sigma the critic is r(s(sigma)
x). s(sigma) is learned, too, as a piecewise linear function in log-log, with one knot per octave.
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
from alr_cli.core.priors.cosines import SIDE, basis, initial_filters
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
_LEAST = 0.005  # below this level s(sigma) is constant
_KNEE = {1: 1 / 30, 3: 1 / 50}  # responses above this count as edges, before training
_CURVATURE = 8.0  # of lambda R / 2 at zero, before training, in units of the data term's curvature
_AMPLITUDE_POWER = 0.45
_FEWER = math.log(0.1)  # log ratio of the weights at scales 2 and 4 to those at scale 1, before training


@dataclass(frozen=True)
class ExpertsArchitecture:
    """A field of experts as data, as stored in a weights file.

    Attributes:
        channels: Channels of the pictures, 1 or 3.
        fine, coarse, coarser: Number of filters at scale 1, 2 and 4; coarser may be 0.
    """

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
        """The architecture of the shipped weights."""
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
        """Number of responses for each patch."""
        return self.coarser + (self.stride // 2) ** 2 * (self.fine + self.coarse)

    def as_dict(self) -> dict[str, Any]:
        return {"kind": "experts", **asdict(self)}


class Experts(LocalNetwork):
    """r(x): (B, C, H, W) in [0,1] -> a score for each patch of a grid, (B, 1, rows, columns).

    Scores are large where the picture is noisy.

    Attributes:
        fine, coarse, coarser: Filters (K, n) as coefficients in `basis`.
        log_fine, log_coarse, log_coarser: (K,), the logarithms of their weights.
        log_contrast: (6,), the logarithms of s(sigma) at KNOTS, in units of (sigma / 0.1)^-1/2.
    """

    architecture: ExpertsArchitecture

    def __init__(self, architecture: ExpertsArchitecture, begin: bool = True) -> None:
        """With `begin` the filters are cosines; otherwise the numbers are loaded later and take no memory."""
        super().__init__()
        self.architecture = architecture
        if not begin:
            self._without_numbers()
            return
        knee = _KNEE[architecture.channels]
        weight = math.log(4 * _CURVATURE * knee**2 / (2 * SIDE**2))
        for name in self._names():
            count, less = getattr(architecture, name), 0.0 if name == "fine" else _FEWER
            filters = initial_filters(architecture.channels, count) / knee
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
        """lambda(sigma) for filters that are not tuned yet, proportional to sigma^2."""
        return 0.25 / self.architecture.channels * (sigma / 0.1) ** 2

    @property
    def filters(self) -> tuple[nn.Parameter, ...]:
        """The filters as coefficients, (K, n) for each scale."""
        return tuple(self.get_parameter(name) for name in self._names())

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """The weights w_sk, (K,) for each scale."""
        return tuple(self.get_parameter(f"log_{name}").exp() for name in self._names())

    def contrast(self, sigma: Tensor) -> Tensor:
        """s(sigma), with the shape of sigma; differentiable."""
        sigma = sigma.clamp_min(_LEAST)
        return (sigma / 0.1) ** -0.5 * along_knots(self.log_contrast, sigma)

    def at(self, sigma: float) -> Experts:
        """The critic for noise of this level: the filters are scaled by s(sigma), and its own s is 1."""
        result = copy.deepcopy(self)
        with torch.no_grad():
            s = self.contrast(torch.tensor(sigma, device=self.log_contrast.device))
            for name, value in self.state_dict().items():
                result.get_parameter(name).copy_(value * s if name in self._names() else value)
            result.log_contrast.zero_()
        return result.eval().requires_grad_(False)

    def banks(self, dtype: torch.dtype = torch.float32, dense: bool = False) -> tuple[Bank, ...]:
        """The filters as they are, without s(sigma); differentiable.

        With `dense`, on one grid of patches, the finest filters are applied at all pixels and the coarsest at
        every second one, instead of every second and every fourth. The mean over all grids is the same, but a
        single grid is closer to it, at four times the cost.
        """
        return tuple(self._bank(2**power, name, dtype, dense) for power, name in enumerate(self._names()))

    def _bank(self, scale: int, name: str, dtype: torch.dtype, dense: bool) -> Bank:
        channels = self.architecture.channels
        coefficients = self.get_parameter(name)
        kernels = torch.einsum(
            "kn,ncij->kcij", coefficients, basis(channels, coefficients.device).to(coefficients)
        )
        step = max(2, scale)  # distance between places, and pixels per place at the resolution seen
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
            kernels=kernels.to(dtype).contiguous(memory_format=torch.channels_last),
            slopes=slopes.to(dtype).contiguous(memory_format=torch.channels_last),
            weights=weights,
            scale=scale,
            dilation=dilation,
            before=spare // 2,
            after=spare - spare // 2,
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
        """See `preconditioner.of_energy`. None for an operator without a power."""
        amounts = [lam * self.architecture.channels * weights for weights in self.weights]
        return of_energy(amounts, self.filters, problem)

    def operations(self, side: int) -> int:
        patches = ((side - self.patch) // self.stride + 1) ** 2
        banks = without_negligible(self.banks())
        places = [patches * (self.stride // max(2, bank.scale)) ** 2 for bank in banks]
        sizes = [bank.kernels.numel() for bank in banks]
        return sum(2 * 2 * count * size for count, size in zip(places, sizes, strict=True))

    def summed(self, precision: torch.dtype) -> SumAndGrad:
        """As `Critic.summed`, but with a hand-written gradient, which is three times as fast as autograd.

        On a CPU the width of the blocks does not change a bit of the gradient.
        """
        return partial(summed, without_negligible(self.banks(precision)), self.stride)


class ExpertsPrior(LocalPrior):
    """Fields of experts whose contrast depends on the noise level."""

    kind = "experts"

    @staticmethod
    def build(architecture: Mapping[str, Any]) -> Experts:
        return Experts(ExpertsArchitecture(**architecture), begin=False)

    def gain(self, problem: Problem) -> float:
        """The factor of lambda for a blur: a power of its mean amplitude.

        This is close to the best value for motions, Gaussians and a box alike (docs/notebook/critics.md).
        """
        return 1.0 if problem.kernel is None else mean_amplitude(problem.kernel) ** _AMPLITUDE_POWER


def with_coarser(critic: Experts, count: int) -> Experts:
    """Experts of two scales, extended by `count` filters at a third scale whose weights are small
    at first."""
    wide = Experts(replace(critic.architecture, coarser=count))
    with torch.no_grad():
        for name, value in critic.state_dict().items():
            wide.get_parameter(name).copy_(value)
        wide.get_parameter("log_coarser").sub_(1.0)
    return wide


def along_knots(logs: Tensor, sigma: Tensor) -> Tensor:
    """exp of `logs` (6,), given at KNOTS, evaluated at sigma.

    The interpolation is linear in log-log, also beyond the ends. The result has the shape of sigma.
    """
    at = (sigma.log() - math.log(KNOTS[0])) / math.log(KNOTS[1] / KNOTS[0])
    index = at.floor().clamp(0, len(KNOTS) - 2).long()
    return (logs[index] + (at - index) * (logs[index + 1] - logs[index])).exp()
