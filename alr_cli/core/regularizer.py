"""R(x) = 1/|Omega| sum_i r_theta(x_i), the mean score of all p x p patches of x    (eq. 3)

R is a sum over patches, so its gradient can be gathered tile by tile: a block of patches touches only the
block and a halo of p - 1 pixels, and the blocks' gradients add up. Tiling bounds memory; it is exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from alr_cli.core.critic import Critic
from alr_cli.core.sums import total


class Regularizer(Protocol):
    """What the energy and the solver need to know of a regularizer."""

    channels: int
    patch: int

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W) -> (R (B,), dR/dx (B, C, H, W)), in float32 or the precision of x."""
        ...


class LocalRegularizer:
    """The mean of a critic over all patches (eq. 3), with its gradient.

    tile: side in patches of the blocks that are scored at once, 0 for the whole picture. It never changes
    the result beyond rounding.  precision: bfloat16 runs the convolutions in bfloat16 where the processor
    has it; sums stay in float32.
    """

    def __init__(self, critic: Critic, tile: int = 0, precision: torch.dtype = torch.float32) -> None:
        if tile < 0:
            raise ValueError(f"tile must be 0 (off) or positive, not {tile}")
        self.critic = critic.eval().requires_grad_(False)
        self.channels = critic.architecture.channels
        self.patch = critic.patch
        self.tile = tile
        self.precision = precision

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W), H and W at least p -> (R (B,), dR/dx like x)."""
        height, width = x.shape[-2] - self.patch + 1, x.shape[-1] - self.patch + 1
        if height < 1 or width < 1:
            raise ValueError(
                f"a picture of {x.shape[-2]} x {x.shape[-1]} holds no {self.patch} x {self.patch} patch"
            )
        side = self.tile or max(height, width)
        halo = self.patch - 1
        value = x.new_zeros(x.shape[0])
        gradient = torch.zeros_like(x)
        for top, bottom, left, right in blocks(height, width, side):
            block = x[..., top : bottom + halo, left : right + halo]
            block_value, block_gradient = self._sum_and_grad(block)
            value += block_value
            gradient[..., top : bottom + halo, left : right + halo] += block_gradient
        count = height * width
        return value / count, gradient.div_(count)

    def scores(self, x: Tensor) -> Tensor:
        """The map of r over the picture: (B, C, H, W) -> (B, H - p + 1, W - p + 1)."""
        halo = self.patch - 1
        height, width = x.shape[-2] - halo, x.shape[-1] - halo
        scores = x.new_empty(x.shape[0], height, width)
        with torch.no_grad():
            for top, bottom, left, right in blocks(height, width, self.tile or max(height, width)):
                block = x[..., top : bottom + halo, left : right + halo]
                scores[:, top:bottom, left:right] = self.critic(block)[:, 0]
        return scores

    def _sum_and_grad(self, block: Tensor) -> tuple[Tensor, Tensor]:
        leaf = block.detach().contiguous(memory_format=torch.channels_last).requires_grad_(True)
        low = self.precision != torch.float32
        with torch.enable_grad(), torch.autocast(leaf.device.type, dtype=self.precision, enabled=low):
            scores = self.critic(leaf)
        value = total(scores.detach().to(block.dtype))
        (gradient,) = torch.autograd.grad(scores, leaf, torch.ones_like(scores))
        return value, gradient.to(block.dtype)


def blocks(height: int, width: int, side: int) -> Iterator[tuple[int, int, int, int]]:
    """Cover a height x width grid with blocks (top, bottom, left, right) of at most side x side."""
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield top, min(top + side, height), left, min(left + side, width)
