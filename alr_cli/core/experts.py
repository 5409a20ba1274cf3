"""r(x) = sum_k w_k sum_i log(1 + (f_k * x)_i^2) + sum_k v_k log(1 + (g_k . x)^2)

Fields of experts (Roth and Black 2009) as a critic of 14 x 14 patches, with the filters learned as in Chen,
Ranftl and Pock (2014): f_k is 7x7 and goes to the four pixels i in the middle of the patch; g_k is 7x7 too,
on the patch at half the resolution, and so sees all of it. Patches lie two pixels apart (stride 2), so that
one of the four grids of patches holds every place of the f_k and every second one of the g_k.

What is noise and what an edge depends on the level of the noise: at sigma the critic is r(s(sigma) x), with
s(sigma) learned too, straight in log-log between octaves and beyond them.

The pictures are seen as 4 C channels at half the resolution (x_{2i+p, 2j+q} in channel 4 c + 2 p + q): there
the places of f_k in a patch are four filters of 4x4 without a stride, which processors are good at.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import product
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from alr_cli.core.critic import SumAndGrad

Level = TypeVar("Level", float, Tensor)

SIDE = 7  # of the filters
_INSET = 1  # where the f_k begin in a patch, in pixels of half the resolution
KNOTS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)  # levels of noise at which s(sigma) is learned
_LEAST = 0.005  # below it s(sigma) stays what it is
_KNEE = {1: 1 / 30, 3: 1 / 50}  # responses above it count as edges, before anything is learned
_CURVATURE = 8.0  # of lambda R / 2 at zero, before anything is learned, in units of the data term's


@dataclass(frozen=True)
class ExpertsArchitecture:
    """channels: of the pictures, 1 or 3.  fine, coarse: how many f_k and g_k."""

    channels: int = 3
    fine: int = 144
    coarse: int = 72

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise ValueError(f"a critic sees 1 or 3 channels, not {self.channels}")
        most = 2 * self.channels * (SIDE**2 - 1)
        if not (1 <= self.fine <= most and 1 <= self.coarse <= most):
            raise ValueError(f"a critic of {self.channels} channels has 1 to {most} filters of each kind")

    @classmethod
    def usual(cls, channels: int) -> ExpertsArchitecture:
        """As shipped."""
        return cls(1, 96, 48) if channels == 1 else cls()

    @property
    def patch(self) -> int:
        return 2 * SIDE

    @property
    def stride(self) -> int:
        return 2

    @property
    def depth(self) -> int:
        return 1

    @property
    def width(self) -> int:
        """Responses for each patch."""
        return 4 * self.fine + self.coarse

    def as_dict(self) -> dict[str, Any]:
        return {"kind": "experts", **asdict(self)}


@dataclass(frozen=True)
class Bank:
    """Filters of one scale as they go to the picture at half the resolution.

    kernels: (K, 4 C, h, h).  slopes: the same, each times twice its weight.  weights: (K,).  inset: where in
    the patch they begin.
    """

    kernels: Tensor
    slopes: Tensor
    weights: Tensor
    inset: int

    def responses(self, halves: Tensor) -> Tensor:
        """halves: (B, 4 C, h, w), a grid of patches at half the resolution -> t (B, K, rows, columns)."""
        return functional.conv2d(self.inside(halves), self.kernels)

    def spread(self, t: Tensor, gradient: Tensor) -> None:
        """Add the adjoint of the responses, weighted by 2 w, to a gradient like halves."""
        part = functional.conv_transpose2d(t, self.slopes)
        self.inside(gradient).add_(part)

    def inside(self, halves: Tensor) -> Tensor:
        m = self.inset
        return halves[..., m : halves.shape[-2] - 2 * m, m : halves.shape[-1] - 2 * m] if m else halves


class Experts(nn.Module):
    """r(x): (B, C, H, W) in [0,1] -> scores (B, 1, (H - 14) // 2 + 1, (W - 14) // 2 + 1), large where noisy.

    fine, coarse: filters (K, n) by their coefficients in `basis`; log_fine, log_coarse: (K,) the log of their
    weights; log_contrast: (6,) the log of s(sigma) at KNOTS, in units of (sigma / 0.1)^-1/2.
    """

    def __init__(self, architecture: ExpertsArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        channels = architecture.channels
        knee = _KNEE[channels]
        weight = math.log(_CURVATURE * knee**2 / (2 * SIDE**2))
        self.fine = nn.Parameter(beginning(channels, architecture.fine) / knee)
        self.coarse = nn.Parameter(beginning(channels, architecture.coarse) / knee)
        self.log_fine = nn.Parameter(torch.full((architecture.fine,), weight))
        self.log_coarse = nn.Parameter(torch.full((architecture.coarse,), weight - 1))
        self.log_contrast = nn.Parameter(torch.zeros(len(KNOTS)))

    @property
    def patch(self) -> int:
        return self.architecture.patch

    @property
    def stride(self) -> int:
        return self.architecture.stride

    @property
    def gain_power(self) -> float:
        """That of a blur's `noise_gain` in lambda: four validation crops, gaussian:7:3 and noise of 0.03,
        have 23.36 dB with 1, 23.48 with 0.8, 23.38 with 0.65."""
        return 0.8

    def usual_lam(self, sigma: Level) -> Level:
        """lambda(sigma) of a prior, in proportion to sigma^2: for filters before they are tuned."""
        return 0.25 / self.architecture.channels * (sigma / 0.1) ** 2

    def contrast(self, sigma: Tensor) -> Tensor:
        """s(sigma), like sigma; differentiable."""
        sigma = sigma.clamp_min(_LEAST)
        return (sigma / 0.1) ** -0.5 * along_knots(self.log_contrast, sigma)

    def at(self, sigma: float) -> Experts:
        """The critic for noise of that level: the filters scaled by s(sigma), and no s of its own."""
        result = Experts(self.architecture).to(self.fine.device)
        with torch.no_grad():
            s = self.contrast(torch.tensor(sigma, device=self.fine.device))
            for name, value in self.state_dict().items():
                result.get_parameter(name).copy_(value * s if name in ("fine", "coarse") else value)
            result.log_contrast.zero_()
        return result.eval().requires_grad_(False)

    def banks(self, dtype: torch.dtype = torch.float32) -> tuple[Bank, Bank]:
        """The filters as they stand, without s(sigma); differentiable."""
        fine, coarse = self.kernels()
        return (
            _bank(fine, self.log_fine.exp().repeat_interleave(4), _INSET, dtype),
            _bank(coarse, self.log_coarse.exp(), 0, dtype),
        )

    def kernels(self) -> tuple[Tensor, Tensor]:
        """f_k at the four pixels and g_k, (4 K, 4 C, 4, 4) and (K, 4 C, 7, 7); differentiable."""
        channels = self.architecture.channels
        filters = basis(channels).to(self.fine)
        fine = torch.einsum("kn,ncij->kcij", self.fine, filters)
        coarse = torch.einsum("kn,ncij->kcij", self.coarse, filters)
        return at_four_pixels(fine), coarse.repeat_interleave(4, 1) / 4

    def forward(self, x: Tensor) -> Tensor:
        halves = functional.pixel_unshuffle(whole_patches(x), 2)
        return sum(
            (_log_sum(bank.responses(halves), bank.weights) for bank in self.banks(x.dtype)), torch.zeros(())
        )

    def summed(self, precision: torch.dtype) -> SumAndGrad:
        """As `Critic.summed`, but by hand, which is three times as fast as autograd."""
        return partial(summed, self.banks(precision))


def summed(banks: tuple[Bank, Bank], x: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of the scores of x (B, C, H, W), (B,), and its gradient like x."""
    value = x.new_zeros(x.shape[0])
    covered = whole_patches(x)
    halves = functional.pixel_unshuffle(covered.to(banks[0].kernels.dtype), 2)
    halves = halves.contiguous(memory_format=torch.channels_last)
    slope = torch.zeros_like(halves, dtype=x.dtype)
    for bank in banks:
        t = bank.responses(halves)
        u = t.square().add_(1.0)
        bank.spread(t.div_(u), slope)
        value += (u.log_().sum((2, 3), dtype=x.dtype) * bank.weights).sum(1)
    gradient = torch.zeros_like(x)
    gradient[..., : covered.shape[-2], : covered.shape[-1]] = functional.pixel_shuffle(slope, 2)
    return value, gradient


def along_knots(logs: Tensor, sigma: Tensor) -> Tensor:
    """exp of `logs` (6,), given at KNOTS, at sigma, like sigma: straight in log-log, also beyond the ends."""
    knots = torch.tensor([math.log(knot) for knot in KNOTS], device=sigma.device)
    at = (sigma.log() - knots[0]) / (knots[1] - knots[0])
    index = at.floor().clamp(0, len(KNOTS) - 2).long()
    return (logs[index] + (at - index) * (logs[index + 1] - logs[index])).exp()


@cache
def basis(channels: int) -> Tensor:
    """The discrete cosines of 7x7 without the constant, (48, 1, 7, 7); of colours first those of their sum,
    then of red minus blue, then of red and blue minus twice green, (144, 3, 7, 7). Orthonormal."""
    n = np.arange(SIDE)
    cosines = np.cos(np.pi * (n[None] + 0.5) * n[:, None] / SIDE)
    cosines /= np.linalg.norm(cosines, axis=1, keepdims=True)
    planes = np.einsum("ai,bj->abij", cosines, cosines).reshape(-1, SIDE, SIDE)[1:]
    colours = np.ones((1, 1)) if channels == 1 else np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]], float)
    colours = colours / np.linalg.norm(colours, axis=1, keepdims=True)
    filters = colours[:, None, :, None, None] * planes[None, :, None]
    return torch.from_numpy(filters.reshape(-1, channels, SIDE, SIDE)).float()


def beginning(channels: int, count: int) -> Tensor:
    """Filters to begin with, (count, n): all of gray's basis, then of the colours' as many of low frequency;
    beyond the basis pairs of its neighbours, at a third of the scale."""
    planes = SIDE**2 - 1
    order = sorted(range(planes), key=lambda k: ((k + 1) // SIDE) ** 2 + ((k + 1) % SIDE) ** 2)
    colours = [plane * planes + k for k in order for plane in range(1, channels)]
    eye = torch.eye(channels * planes)
    pairs = 0.3 * (eye + eye.roll(1, 1)) / math.sqrt(2)
    return torch.cat([eye[[*range(planes), *colours]], pairs])[:count]


def at_four_pixels(filters: Tensor) -> Tensor:
    """(K, C, 7, 7) -> (4 K, 4 C, 4, 4): the filter at each of a block's 2 x 2 pixels, for the picture at half
    the resolution."""
    count, channels, side, _ = filters.shape
    half = (side + 1) // 2
    placed = []
    for down, right in product((0, 1), repeat=2):
        wide = functional.pad(filters, (right, 1 - right, down, 1 - down))
        blocks = wide.reshape(count, channels, half, 2, half, 2).permute(0, 1, 3, 5, 2, 4)
        placed.append(blocks.reshape(count, 4 * channels, half, half))
    return torch.stack(placed, 1).reshape(4 * count, 4 * channels, half, half)


def whole_patches(x: Tensor) -> Tensor:
    """x (B, C, H, W) without an odd last row or column."""
    return x[..., : x.shape[-2] // 2 * 2, : x.shape[-1] // 2 * 2]


def _bank(kernels: Tensor, weights: Tensor, inset: int, dtype: torch.dtype) -> Bank:
    slopes = kernels * (2 * weights).reshape(-1, 1, 1, 1)
    last = torch.channels_last
    return Bank(
        kernels.to(dtype).contiguous(memory_format=last),
        slopes.to(dtype).contiguous(memory_format=last),
        weights,
        inset,
    )


def _log_sum(t: Tensor, weights: Tensor) -> Tensor:
    return (torch.log1p(t.square()) * weights.reshape(-1, 1, 1).to(t)).sum(1, keepdim=True)
