"""R(x) = 1/|Omega| sum_i r_theta(x_i), the mean score of all p x p patches of x    (eq. 3)

R is a sum over patches, so its gradient can be gathered tile by tile: a block of patches touches only the
block and a halo of p - 1 pixels, and the blocks' gradients add up. Tiling bounds memory; it is exact.
A critic of stride s scores every s-th patch; there are s^2 such grids, and R is the mean over all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from typing import Protocol

import torch
from torch import Tensor

from alr_cli.core.numerics.chunks import parts
from alr_cli.core.priors.registry import AnyCritic

_CELL = 64, 512  # pixels down and across: what is added up together on a CPU


class Regularizer(Protocol):
    """What the energy and the solver need to know of a regularizer."""

    channels: int
    patch: int

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W) -> (R (B,), dR/dx (B, C, H, W)), in float32 or the precision of x."""
        ...


class LocalRegularizer:
    """The mean of a critic over all patches (eq. 3), with its gradient.

    tile: side in pixels of a square: patches of so many pixels are scored at once, 0 for those of all. It
    never changes the result beyond rounding.  precision: bfloat16 runs the convolutions in bfloat16 where
    the processor has it; sums stay in float32.
    """

    def __init__(self, critic: AnyCritic, tile: int = 0, precision: torch.dtype = torch.float32) -> None:
        if tile < 0:
            raise ValueError(f"tile must be 0 (off) or positive, not {tile}")
        self.critic = critic.eval().requires_grad_(False)
        self._summed = critic.summed(precision)
        self.channels = critic.architecture.channels
        self.patch = critic.patch
        self.stride = critic.stride
        self.tile = tile
        self.precision = precision

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W), H and W at least p -> (R (B,), dR/dx like x)."""
        value = x.new_zeros(x.shape[0])
        gradient = torch.zeros_like(x)
        for row, column in self._grids(x):
            value += self._add_grid(x[..., row:, column:], gradient[..., row:, column:])
        count = (x.shape[-2] - self.patch + 1) * (x.shape[-1] - self.patch + 1)
        return value / count, gradient.div_(count)

    def on_grid(self, x: Tensor, row: int = 0, column: int = 0) -> tuple[Tensor, Tensor]:
        """The mean over every s-th patch only, from that at (row, column) on: an s^2-th of the work."""
        gradient = torch.zeros_like(x)
        part = x[..., row:, column:]
        value = self._add_grid(part, gradient[..., row:, column:])
        count = math.prod(self._patches(part))
        return value / count, gradient.div_(count)

    def of(self, critic: AnyCritic) -> LocalRegularizer:
        """The same of another critic."""
        return LocalRegularizer(critic, self.tile, self.precision)

    def scores(self, x: Tensor) -> Tensor:
        """The map of r over the picture: (B, C, H, W) -> (B, H - p + 1, W - p + 1)."""
        scores = x.new_empty(x.shape[0], x.shape[-2] - self.patch + 1, x.shape[-1] - self.patch + 1)
        with torch.no_grad():
            for row, column in self._grids(x):
                part = scores[:, row :: self.stride, column :: self.stride]
                for (rows, columns), block in self._blocks(x[..., row:, column:]):
                    part[:, rows, columns] = self.critic(block)[:, 0]
        return scores

    def _grids(self, x: Tensor) -> Iterator[tuple[int, int]]:
        """The first pixels of the s^2 grids of patches that x holds."""
        height, width = (max(1, size - self.patch + 1) for size in x.shape[-2:])
        yield from product(range(min(self.stride, height)), range(min(self.stride, width)))

    def _patches(self, x: Tensor) -> tuple[int, int]:
        """Rows and columns of one grid of patches. Raises ValueError where there is none."""
        if min(x.shape[-2:]) < self.patch:
            raise ValueError(
                f"a picture of {x.shape[-2]} x {x.shape[-1]} holds no {self.patch} x {self.patch} patch"
            )
        rows, columns = ((size - self.patch) // self.stride + 1 for size in x.shape[-2:])
        return rows, columns

    def _blocks(self, x: Tensor) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
        """One grid's patches in blocks, and the pixels of each."""
        (tall, _), wide = self._cell(x)
        for rows, band in parts(x, -2, self.patch, self.stride, tall):
            for columns, block in parts(x, -1, self.patch, self.stride, wide):
                yield (rows, columns), x[..., band, block]

    def _add_grid(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The sum over one grid (B,); its gradient is added to `gradient`, like x."""
        self._patches(x)
        value = x.new_zeros(x.shape[0])
        (tall, broad), wide = self._cell(x)
        for _, rows in parts(x, -2, self.patch, self.stride, tall):
            for _, columns in parts(x, -1, self.patch, self.stride, broad):
                cell_value, cell_gradient = self._sum_and_grad(x[..., rows, columns], wide)
                value += cell_value
                gradient[..., rows, columns] += cell_gradient
        return value

    def _cell(self, x: Tensor) -> tuple[tuple[int, int], int]:
        """Height and width of what is added up together, and how wide a block of it is scored at a time, in
        pixels.

        On a CPU the tile decides the last alone: what the rows above and below a border give is rounded
        apart, to three digits in bfloat16, and borders that never move make the same picture whatever the
        tile. A GPU would wait for the next cell most of the time.
        """
        if x.device.type != "cpu":
            return (self.tile or x.shape[-2], self.tile or x.shape[-1]), self.tile or x.shape[-1]
        return _CELL, max(1, self.tile**2 // _CELL[0]) if self.tile else _CELL[1]

    def _sum_and_grad(self, cell: Tensor, wide: int) -> tuple[Tensor, Tensor]:
        """Of the scores of all patches of (B, C, h, w), so many pixels wide at a time: (B,) and like cell."""
        return self._summed(cell, wide)


class Periodic:
    """R of a picture that goes on at its opposite side: each pixel then lies in exactly p^2 patches."""

    def __init__(self, regularizer: Regularizer) -> None:
        self._regularizer = regularizer
        self.channels = regularizer.channels
        self.patch = regularizer.patch

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W) -> (R (B,), dR/dx like x)."""
        rows, columns = (torch.arange(size + self.patch - 1, device=x.device) % size for size in x.shape[-2:])
        value, wide = self._regularizer.value_and_grad(x.index_select(-2, rows).index_select(-1, columns))
        tall = wide.new_zeros(*wide.shape[:-2], x.shape[-2], wide.shape[-1]).index_add_(-2, rows, wide)
        return value, torch.zeros_like(x).index_add_(-1, columns, tall)
