"""A x = S (I x T) P M x: the coefficients of a JPEG file for a picture x, each multiplied by a weight S

M converts colours to luma and chroma, P averages chroma over the pixels that share a sample, and T is the
orthonormal cosine transform of 8 x 8 blocks. Coefficients are placed where their blocks' pixels are, so a
plane of coefficients has the shape of a plane of pixels. Those of averaged chroma fill a corner of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from alr_cli.core.operators.norm import largest_singular_value

BLOCK = 8

# Full-range luma and chroma of ITU-R BT.601, as in JFIF.
_LUMA_CHROMA = ((0.299, 0.587, 0.114), (-0.168735892, -0.331264108, 0.5), (0.5, -0.418687589, -0.081312411))


def colour_mixing(channels: int) -> Tensor:
    """M, (C, C) float64: from RGB to luma and chroma without offsets, or 1 for gray."""
    return torch.tensor(_LUMA_CHROMA, dtype=torch.float64) if channels == 3 else torch.ones(1, 1).double()


class BlockCosines:
    """A for pictures (B, C, H, W). H and W are multiples of 8 times the factors.

    Args:
        weights: S, (C, H, W), zero where the file has no coefficient.
        factors: For each plane, how many rows and columns of pixels share a sample.
    """

    def __init__(self, weights: Tensor, factors: Sequence[tuple[int, int]]) -> None:
        channels, height, width = weights.shape
        for down, across in factors:
            if height % (BLOCK * down) or width % (BLOCK * across):
                raise ValueError(
                    f"{width} x {height} pixels do not consist of whole blocks of {BLOCK} x {BLOCK} samples"
                )
        self.input_shape = self.output_shape = (channels, height, width)
        self._weights, self._factors = weights, tuple(factors)

    @cached_property
    def norm(self) -> float:
        """The norm of one group of blocks with all of its coefficients, since all groups are equal."""
        rows, columns = (BLOCK * max(factor) for factor in zip(*self._factors, strict=True))
        rows, columns = min(rows, self.input_shape[1]), min(columns, self.input_shape[2])
        if (rows, columns) == self.input_shape[1:]:
            return largest_singular_value(self)
        return BlockCosines(self._weights[:, :rows, :columns], self._factors).norm

    def forward(self, x: Tensor) -> Tensor:
        mixed = torch.einsum("ij,bjhw->bihw", colour_mixing(x.shape[1]).to(x), x)
        y = torch.zeros_like(mixed)
        for index, factor in enumerate(self._factors):
            plane = mixed[:, index : index + 1]
            small = plane if factor == (1, 1) else torch.nn.functional.avg_pool2d(plane, factor)
            y[:, index, : small.shape[-2], : small.shape[-1]] = block_cosines(small[:, 0])
        return y.mul_(self._weights.to(x))

    def adjoint(self, y: Tensor) -> Tensor:
        height, width = self.input_shape[1:]
        weighed = y * self._weights.to(y)
        mixed = torch.empty_like(weighed)
        for index, (down, across) in enumerate(self._factors):
            plane = block_pixels(weighed[:, index, : height // down, : width // across])
            spread = plane.repeat_interleave(down, -2).repeat_interleave(across, -1)
            mixed[:, index] = spread.div_(down * across)
        return torch.einsum("ij,bihw->bjhw", colour_mixing(y.shape[1]).to(y), mixed)

    def power(self, shape: tuple[int, int]) -> None:
        return None


def block_cosines(pixels: Tensor) -> Tensor:
    """T: (..., H, W) -> the coefficients of each block, at the positions of its pixels."""
    return _in_blocks(_cosines().to(pixels), pixels)


def block_pixels(coefficients: Tensor) -> Tensor:
    """The inverse of `block_cosines`."""
    return _in_blocks(_cosines().T.to(coefficients), coefficients)


def _in_blocks(matrix: Tensor, plane: Tensor) -> Tensor:
    """matrix @ block @ matrix^T for each block."""
    *batch, height, width = plane.shape
    blocks = plane.reshape(*batch, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    along = torch.einsum("ij,...hjwk->...hiwk", matrix, blocks)
    return torch.einsum("lk,...hiwk->...hiwl", matrix, along).reshape(plane.shape)


def _cosines() -> Tensor:
    """T in one dimension, (8, 8). Row k is the cosine of frequency k."""
    places = (torch.arange(BLOCK, dtype=torch.float64) + 0.5) * (math.pi / BLOCK)
    rows = torch.cos(torch.arange(BLOCK, dtype=torch.float64)[:, None] * places)
    return rows * torch.where(torch.arange(BLOCK) == 0, 1.0, 2.0)[:, None].div(BLOCK).sqrt()
