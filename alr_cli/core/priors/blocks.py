"""x = union of overlapping blocks: how a U-Net is evaluated on large pictures and on pictures of any size"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.priors.unet import UNet

HALO = 64  # pixels that a block sees of its neighbours; more changes no 8-bit value (docs/notebook/wide.md)
_AUTOMATIC = 768  # side of the blocks of a large picture; takes half a gigabyte
_WHOLE = 1_500_000  # pixels up to which a picture is one block


def automatic_tile(shape: tuple[int, ...]) -> int:
    """The side of the blocks for pictures of shape (B, C, H, W); 0 for the whole."""
    return 0 if shape[-2] * shape[-1] <= _WHOLE else _AUTOMATIC


def blocks(shape: tuple[int, ...], tile: int, stride: int) -> Iterator[tuple[Any, Any, Any]]:
    """For each block of a picture: its pixels, the pixels it sees, and the position of the former in the
    latter.

    Args:
        shape: (..., H, W).
        tile: Side of the blocks, 0 for the whole picture.
        stride: Blocks are aligned to multiples of this.
    """
    halo = -(-HALO // stride) * stride
    for rows in _pieces(shape[-2], tile, halo, stride):
        for columns in _pieces(shape[-1], tile, halo, stride):
            inner, outer, kept = ((..., down, across) for down, across in zip(rows, columns, strict=True))
            yield inner, outer, kept


def mirrored(side: int, stride: int, device: torch.device) -> Tensor:
    """The pixels 0 ... side - 1, and their mirror image up to the next multiple of the stride.

    Repeating the last pixel would make streaks of its noise, which U does not know: it would keep them.
    """
    return torch.from_numpy(np.pad(np.arange(side), (0, -side % stride), mode="reflect")).to(device)


class Residual:
    """r_sigma(x) = sigma U(x / sigma, 1), the noise of level sigma that a U-Net sees, block by block.

    The side of the blocks is the tile of `arithmetic`, 0 for the whole picture.
    """

    def __init__(self, unet: UNet, sigma: float, arithmetic: Arithmetic) -> None:
        self.unet = unet.eval().requires_grad_(False)
        self.sigma = sigma
        self.tile, self.precision = arithmetic.tile or 0, arithmetic.precision

    def __call__(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W) -> r(x), (B, planes, H, W), where `planes` is that of the architecture."""
        architecture = self.unet.architecture
        seen = x.new_empty((x.shape[0], architecture.planes, *x.shape[-2:]))
        with torch.no_grad():
            for inner, outer, kept in blocks(x.shape, self.tile, architecture.stride):
                seen[inner] = self._of_block(x[outer])[kept]
        return seen

    def _of_block(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        stride = self.unet.architecture.stride
        rows, columns = (mirrored(side, stride, x.device) for side in (height, width))
        z = (x / self.sigma).index_select(-2, rows).index_select(-1, columns)
        seen, _ = self.unet(z, torch.ones_like(z[:, :1]), self.precision)
        of_block: Tensor = self.sigma * seen[..., :height, :width]
        return of_block


def _pieces(size: int, tile: int, halo: int, stride: int) -> Iterator[tuple[slice, slice, slice]]:
    """Split an axis into pieces of `tile` pixels: each piece, what it sees, and its position in that."""
    side = max(stride, tile // stride * stride) if tile else size
    for first in range(0, size, side):
        last = min(first + side, size)
        begin, end = max(0, first - halo), min(size, last + halo)
        yield slice(first, last), slice(begin, end), slice(first - begin, last - begin)
