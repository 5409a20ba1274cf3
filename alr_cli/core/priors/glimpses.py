"""R(x) = 1/8 sum_g R_theta(g x), g the turns and flips of the square: content knows no orientation

A trained critic does: its R_theta differs a little between a picture and the same picture turned. One g per
evaluation, round and round, costs nothing, and a descent of small steps cannot tell it from the mean. In the
same way a critic of stride s is shown one of its s^2 grids of patches at a time. Fields of experts see the
grids only: they are tuned as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from alr_cli.core.priors.local import LocalRegularizer

_ORDER = (0, 3, 6, 1, 4, 7, 2, 5)  # neighbours in time differ much in orientation


_SQUARE = ((0, 0), (1, 1), (0, 1), (1, 0))


@dataclass(frozen=True)
class Glimpse:
    """One way of looking at a picture: without its first rows and columns, and from one of eight sides."""

    side: int
    row: int
    column: int

    @classmethod
    def number(cls, count: int, stride: int = 1, turns: bool = True) -> Glimpse:
        """The 8 s^2 glimpses in turn, as `count` goes up from 0; without turns the s^2 grids."""
        side, grid = count % 8, (count % 8 + count // 8) % stride**2
        return cls(_ORDER[side], *divmod(grid, stride)) if turns else cls(0, *_place(count, stride))

    def of(self, x: Tensor) -> Tensor:
        """x: (..., H, W) as it is seen; differentiable."""
        return turned(x[..., self.row :, self.column :], self.side)


def _place(count: int, stride: int) -> tuple[int, int]:
    """The first pixel of one of the stride^2 grids, for a stride of 1, 2 or 4: any four in a row begin at the
    four pixels of a block of two."""
    row, column = _SQUARE[count % min(4, stride**2)]
    far = _SQUARE[(count + count // 4) % 4] if stride == 4 else (0, 0)
    return row + 2 * far[0], column + 2 * far[1]


class Turning:
    """A local regularizer at which every evaluation takes another glimpse; the value is that of what it
    saw."""

    def __init__(self, regularizer: LocalRegularizer, evaluations: int = 0) -> None:
        """evaluations: how many to count as done."""
        self._regularizer = regularizer
        self._sides: dict[int, LocalRegularizer] = {}
        self.evaluations = evaluations
        self.channels = regularizer.channels
        self.margin = regularizer.margin

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W) -> (R (B,), dR/dx like x)."""
        return self._look(x, valued=True)

    def grad(self, x: Tensor) -> Tensor:
        """See `protocol.HasGradient`. It counts as an evaluation."""
        return self._look(x, valued=False)[1]

    def _look(self, x: Tensor, valued: bool) -> tuple[Tensor, Tensor]:
        network, stride = self._regularizer.network, self._regularizer.stride
        glimpse = Glimpse.number(self.evaluations, stride, turns=network.sides > 1)
        self.evaluations += 1
        if glimpse.side not in self._sides:
            whole = self._regularizer
            self._sides[glimpse.side] = whole.of(network.turned(glimpse.side)) if glimpse.side else whole
        return self._sides[glimpse.side].on_grid(x, glimpse.row, glimpse.column, valued)


def turned(x: Tensor, side: int) -> Tensor:
    """(..., H, W) by one of the eight symmetries of the square, 0 being the identity."""
    x = torch.rot90(x, side % 4, (-2, -1))
    return (x.flip(-1) if side >= 4 else x).contiguous()


def turned_back(x: Tensor, side: int) -> Tensor:
    """The inverse (and adjoint) of `turned`."""
    x = x.flip(-1) if side >= 4 else x
    return torch.rot90(x, -(side % 4), (-2, -1)).contiguous()
