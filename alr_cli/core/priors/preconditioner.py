"""P = mean A^T A + sum_s sum_k lam C w_sk u |F_sk|^2: the Hessian of E if all responses had the same weight u

Fields of experts weight the square of a response t by u = 1 / (1 + t^2) at each place. With one u for all
places, and A^T A averaged over them, the Hessian is diagonal in frequency and in opponent colours (those of
`cosines.colours`), and P^-1 costs two Fourier transforms. E is much more curved for fine colour noise than
for smooth gray, but steps along P^-1 grad E are not affected by that (docs/performance.md). Conjugate
gradients need a fifth of the iterations (docs/notebook/critics.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.spectrum import on_torus
from alr_cli.core.numerics.chunks import bands, small
from alr_cli.core.numerics.fast_lengths import fast_length
from alr_cli.core.operators.protocol import Shape
from alr_cli.core.priors.cosines import SIDE, basis, colours
from alr_cli.core.problems import Problem

_HELD = 0.05
_GRID = 16  # contains all lags of a filter's autocorrelation, -6 to 6


@dataclass(frozen=True)
class Circulant:
    """P on a torus of `shape`, which contains the picture.

    Attributes:
        prior: (B, C, H, W // 2 + 1), the second term of the first line for u = 1, by opponent colours.
        data: The first term: a number, (H, W // 2 + 1) or (C, H, W // 2 + 1).
        shape: (H, W) of the torus.
        weight: u.
        deviation: D^1/2 of each pixel if P stands for D^-1/2 P D^-1/2; None for 1.
    """

    prior: Tensor
    data: float | Tensor
    shape: Shape
    weight: float = 1.0  # u
    deviation: Tensor | None = None

    def solve(self, residual: Tensor) -> Tensor:
        """P^-1 r, with the shape of r (B, C, H, W)."""
        if self.deviation is None:
            return self._filtered(residual, inverse=True)
        return self._filtered(residual * self.deviation, inverse=True).mul_(self.deviation)

    def smoothed(self, x: Tensor) -> Tensor:
        """The prior's part of P times x."""
        return self._filtered(x, inverse=False)

    def for_noise(self, model: NoiseModel, deviation: Tensor) -> Circulant:
        """P for the data term of coloured noise (coloured_noise.py) instead of the squared error.

        `deviation` is that of each pixel of the unknown. A step along P^-1 is large where there is much
        noise.
        """
        density = on_torus(model, self.shape).to(self.prior)
        return replace(self, data=self.data / density, deviation=deviation)

    def scaled(self, factor: float) -> Circulant:
        """The same with weights u multiplied by `factor`."""
        return replace(self, weight=self.weight * factor)

    def _filtered(self, x: Tensor, inverse: bool) -> Tensor:
        """Filter all opponent colours at once, or one at a time if the transforms would take gigabytes."""
        opponents = colours(x.shape[1])
        if small(x):
            mixing = opponents.to(x)
            seen = torch.einsum("oc,bchw->bohw", mixing, x)
            return torch.einsum("oc,bohw->bchw", mixing, self._weighed(seen, slice(None), inverse))
        result = torch.zeros_like(x)
        for number, opponent in enumerate(opponents.tolist()):
            seen = self._weighed(_mixed(x, opponent), number, inverse)
            for band in bands(result):
                rows = seen[:, band[2]] if len(band) == 3 else seen
                for channel, share in enumerate(opponent):
                    result[band][:, channel].add_(rows, alpha=share)
        return result

    def _weighed(self, seen: Tensor, number: int | slice, inverse: bool) -> Tensor:
        """P^-1, or the prior's part of P, applied to one opponent colour (B, H, W) or to all (B, C, H, W)."""
        height, width = seen.shape[-2:]
        transformed = torch.fft.rfft2(seen, s=self.shape)
        spectrum = self.prior[:, number] * self.weight
        if inverse:
            data = self.data
            transformed /= spectrum + (data[number] if isinstance(data, Tensor) and data.ndim == 3 else data)
        else:
            transformed *= spectrum
        del spectrum
        back: Tensor = torch.fft.irfft2(transformed, s=self.shape)
        return back[..., :height, :width]


def _mixed(x: Tensor, opponent: list[float]) -> Tensor:
    """One opponent colour: (B, C, H, W) -> (B, H, W)."""
    seen = x[:, 0] * opponent[0]
    for channel in range(1, x.shape[1]):
        seen.add_(x[:, channel], alpha=opponent[channel])
    return seen


def of_energy(amounts: Sequence[Tensor], filters: Sequence[Tensor], problem: Problem) -> Circulant | None:
    """P of E for u = 1; None for an operator without a power.

    Args:
        amounts: lam C w_sk, (K,) for each scale.
        filters: Their coefficients in `cosines.basis`, (K, n) for each scale.
        problem: The problem.
    """
    shape = problem.operator.input_shape[-2], problem.operator.input_shape[-1]
    if not problem.periodic:
        shape = fast_length(shape[0]), fast_length(shape[1])
    data = problem.operator.power(shape)
    if data is None:
        return None
    with torch.no_grad():
        batch = [amount[None] for amount in amounts]
        prior = prior_spectrum(batch, [powers(each) for each in filters], shape)
    if problem.free is not None:  # there is no data term where x may move, but P needs an inverse
        data = _HELD * float(prior.mean())
    return Circulant(prior, data.to(prior) if isinstance(data, Tensor) else data, shape)


def powers(coefficients: Tensor) -> Tensor:
    """|F|^2 of filters (K, C * 48) on a small grid of frequencies, (K, C, 16, 9), by opponent colours."""
    planes = basis(1, coefficients.device)[:, 0].to(coefficients)
    filters = coefficients.reshape(len(coefficients), -1, len(planes)) @ planes.flatten(1)
    grid: Tensor = torch.fft.rfft2(filters.reshape(*filters.shape[:2], SIDE, SIDE), s=(_GRID, _GRID))
    return grid.abs().square()


def prior_spectrum(amounts: Sequence[Tensor], of_scales: Sequence[Tensor], shape: Shape) -> Tensor:
    """sum_s sum_k a_sk |F_sk|^2 on a torus of `shape`, (B, C, H, W // 2 + 1).

    Args:
        amounts: a_k for each scale, (B, K).
        of_scales: The `powers` of the filters for each scale.
        shape: (H, W) of the torus.
    """
    spectrum = torch.zeros((), device=amounts[0].device)
    for power, (amount, grid) in enumerate(zip(amounts, of_scales, strict=True)):
        lags = torch.fft.irfft2(torch.einsum("bk,kchw->bchw", amount, grid), s=(_GRID, _GRID))
        spectrum = spectrum + _on(shape, lags, 2**power)
    return spectrum


def _on(shape: Shape, lags: Tensor, scale: int) -> Tensor:
    """The transfer function on a torus, for an autocorrelation of means over scale x scale pixels."""
    reach = (SIDE - 1) * scale
    wide = lags.new_zeros(*lags.shape[:2], *(max(size, 2 * reach + 1) for size in shape))
    steps = torch.arange(1 - SIDE, SIDE, device=lags.device)
    wide[..., (scale * steps)[:, None], scale * steps] = lags[..., steps[:, None], steps]
    if tuple(wide.shape[-2:]) != tuple(shape):
        wide = _folded(wide, shape)
    mean = lags.new_zeros(shape)
    mean[:scale, :scale] = 1 / scale**2
    spectrum: Tensor = torch.fft.rfft2(wide).real.clamp_min(0) * torch.fft.rfft2(mean).abs().square()
    return spectrum


def _folded(wide: Tensor, shape: Shape) -> Tensor:
    """Wrap what does not fit onto the torus around it."""
    height, width = wide.shape[-2:]
    rows = wide.new_zeros(*wide.shape[:-2], shape[0], width)
    lines = [torch.fft.fftfreq(size, 1 / size, device=wide.device).long() for size in (height, width)]
    rows.index_add_(-2, lines[0] % shape[0], wide)
    folded = wide.new_zeros(*wide.shape[:-2], *shape)
    return folded.index_add_(-1, lines[1] % shape[1], rows)
