"""g_sigma(x) = 1/2 ||r_sigma(x)||^2,    grad g_sigma(x) = J^T r_sigma(x),    J = dr_sigma / dx

r_sigma(x) = x - N_sigma(x) is the noise that a U-Net sees in x. g is thus the energy of the gradient-step
denoiser (Hurault, Leclaire and Papadakis 2022), and D_sigma(x) = x - grad g_sigma(x) denoises in one step.

r_sigma(x) = sigma U(x / sigma, m), where m is the map of the relative noise level, 1 for noise of one level.
Therefore g_{c sigma}(c x) = c^2 g_sigma(x). Below the lowest level that U was trained for, g keeps its form
and is only weighted less, by sigma^2. Without noise D_sigma(x) = x.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from alr_cli.core.numerics.reductions import squared_norm
from alr_cli.core.priors.blocks import automatic_tile, blocks, mirrored
from alr_cli.core.priors.orientations import turned
from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.priors.slope import Slope
from alr_cli.core.priors.unet import UNet
from alr_cli.core.priors.unet_prior import UNetPrior
from alr_cli.core.problems import Problem

# Fitted for the path of solvers/splitting.py, see docs/notebook/wide.md.
_BEHIND = 0.35  # lambda for blurs and holes, relative to that for denoising
_UNROLLED = 10 / 255  # level of the gradient from which an unrolled descent starts
_HELD = 2 / 255  # final level if known pixels are held


class Potential:
    """g at one noise level, a regularizer. It needs no pixels beyond the frame, because U was trained without
    them.

    `weight` multiplies g. The side of the blocks is the tile of `arithmetic`, 0 for the whole picture. Blocks
    see `HALO` pixels of their neighbours, which is further than any noticeable influence, and are aligned to
    the coarsest features of U. `relative` is m, (B, 1, H, W), or None for noise of one level.
    """

    margin = 0

    def __init__(
        self,
        unet: UNet,
        sigma: float,
        weight: float,
        arithmetic: Arithmetic,
        relative: Tensor | None = None,
    ) -> None:
        self.unet = unet.eval().requires_grad_(False)
        self.channels = unet.architecture.channels
        self.sigma, self.weight = sigma, weight
        self.tile, self.precision = arithmetic.tile or 0, arithmetic.precision
        self.relative = relative

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W) -> (g (B,), dg/dx like x)."""
        value, gradient = x.new_zeros(x.shape[0]), torch.empty_like(x)
        with torch.no_grad():
            for inner, outer, kept in self._blocks(x):
                part, slope = self._of_block(x[outer], self._levels(outer), kept)
                value += part
                gradient[inner] = slope[kept]
        return self.weight * value, gradient.mul_(self.weight)

    def denoise(self, y: Tensor, share: float = 1.0) -> Tensor:
        """y - share grad g(y), which is D_sigma(y) for share = 1.

        Where the sides of y are no multiples of the stride, g is that of y and a strip of its mirror image,
        and the gradient is the one in the pixels of this larger picture: then the border is denoised, too.
        """
        gradient = torch.empty_like(y)
        with torch.no_grad():
            for inner, outer, kept in self._blocks(y):
                gradient[inner] = self._slope(y[outer], self._levels(outer))[kept]
        return gradient.mul_(-share * self.weight).add_(y)

    def at(self, sigma: float) -> Potential:
        """g for another noise level.

        U was trained down to a smallest level, and below it U sees more contrast than it was trained for.
        """
        return Potential(self.unet, sigma, 1.0, Arithmetic(self.tile, self.precision), self.relative)

    def with_levels(self, relative: Tensor) -> Potential:
        """See `protocol.TakesLevels`. U was trained for levels between 0.4 and 1.6 of the usual one."""
        arithmetic = Arithmetic(self.tile, self.precision)
        return Potential(self.unet, self.sigma, self.weight, arithmetic, relative)

    def turned(self, side: int) -> Potential:
        """See `protocol.TakesLevels`."""
        return self if self.relative is None else self.with_levels(turned(self.relative, side))

    def _levels(self, outer: tuple[Any, ...]) -> Tensor | None:
        """m of a block."""
        return None if self.relative is None else self.relative[outer]

    def _of_block(self, x: Tensor, m: Tensor | None, kept: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
        """||r||^2 / 2 over the part of a block that is kept, and its gradient over the whole block."""
        height, width = x.shape[-2:]
        rows, columns = self._mirrored(height, x), self._mirrored(width, x)
        r, slopes = self._residual(x, m, rows, columns)
        r[..., height:, :] = 0.0
        r[..., width:] = 0.0
        value = 0.5 * self.sigma**2 * squared_norm(r[kept])
        slope = self.unet.transposed(r, slopes, self.precision)
        # The adjoint of mirroring.
        slope = torch.zeros_like(slope[..., :height, :]).index_add_(-2, rows, slope)
        slope = torch.zeros_like(slope[..., :width]).index_add_(-1, columns, slope)
        return value, self.sigma * slope

    def _slope(self, x: Tensor, m: Tensor | None) -> Tensor:
        """The gradient of ||r||^2 / 2 over a block and its mirrored strip, in the pixels of the block."""
        height, width = x.shape[-2:]
        r, slopes = self._residual(x, m, self._mirrored(height, x), self._mirrored(width, x))
        return self.sigma * self.unet.transposed(r, slopes, self.precision)[..., :height, :width]

    def _residual(
        self, x: Tensor, m: Tensor | None, rows: Tensor, columns: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """U of these rows and columns of a block, and the slopes of its activations."""
        z = (x / self.sigma).index_select(-2, rows).index_select(-1, columns)
        level = torch.ones_like(z[:, :1])
        if m is not None:
            level = m.index_select(-2, rows).index_select(-1, columns).to(z).expand_as(level)
        seen: tuple[Tensor, list[Tensor]] = self.unet(z, level, self.precision)
        return seen

    def _mirrored(self, side: int, x: Tensor) -> Tensor:
        return mirrored(side, self.unet.architecture.stride, x.device)

    def _blocks(self, x: Tensor) -> Iterator[tuple[Any, Any, Any]]:
        return blocks(x.shape, self.tile, self.unet.architecture.stride)


class PotentialPrior(UNetPrior):
    """The potential for every noise level, as a prior that weights files can store. Its gradient step
    denoises."""

    kind = "potential"

    @property
    def slope(self) -> Slope:
        """The gradient at the level from which an unrolled descent starts. See `slope.HasSlope`."""
        return Slope(self.network, True, _UNROLLED)

    def at(self, sigma: float, arithmetic: Arithmetic = Arithmetic()) -> Potential:  # noqa: B008 - immutable
        """g for noise of standard deviation sigma on [0,1]."""
        least = self.sigma_range[0]
        return Potential(self.network, max(sigma, least), min(1.0, sigma / least) ** 2, arithmetic)

    def gain(self, problem: Problem) -> float:
        """1 for denoising. For other operators the picture is observed through a blur, holes or larger
        pixels."""
        return 1.0 if problem.near or not problem.plain else _BEHIND

    def level(self, problem: Problem, sigma: float) -> float:
        """See `protocol.ChoosesLevel`."""
        return sigma if problem.free is None else _HELD

    def tile(self, shape: tuple[int, ...], device: torch.device, precision: torch.dtype) -> int:
        """See `protocol.HasTiles`."""
        return automatic_tile(shape)
