"""R(x) = 1/8 sum_g R_theta(g x), g the rotations and reflections of the square: content has no orientation

For a trained critic, R_theta of a picture and of a rotated picture differ a little. Using another g at each
evaluation costs nothing, and for a descent with small steps this equals the mean. In the same way a critic of
stride s sees one of its s^2 grids of patches at a time. Fields of experts see only the grids in turn, because
they are tuned without rotations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from alr_cli.core.priors.orientations import IN_TURN, turned, turned_back

if TYPE_CHECKING:
    from alr_cli.core.priors.local import LocalRegularizer
    from alr_cli.core.priors.protocol import Regularizer

_SQUARE = ((0, 0), (1, 1), (0, 1), (1, 0))


@dataclass(frozen=True)
class Glimpse:
    """One view of a picture: one of its eight orientations, without its first rows and columns."""

    side: int
    row: int
    column: int

    @classmethod
    def number(cls, count: int, stride: int = 1, turns: bool = True) -> Glimpse:
        """The 8 s^2 glimpses in turn as `count` increases from 0; without turns, the s^2 grids."""
        side, grid = count % 8, (count % 8 + count // 8) % stride**2
        return cls(IN_TURN[side], *divmod(grid, stride)) if turns else cls(0, *_place(count, stride))

    def of(self, x: Tensor) -> Tensor:
        """The view of x (..., H, W); differentiable."""
        return turned(x[..., self.row :, self.column :], self.side)


def _place(count: int, stride: int) -> tuple[int, int]:
    """The first pixel of one of the stride^2 grids, for a stride of 1, 2 or 4.

    Any four consecutive grids start at the four pixels of a block of two by two.
    """
    row, column = _SQUARE[count % min(4, stride**2)]
    far = _SQUARE[(count + count // 4) % 4] if stride == 4 else (0, 0)
    return row + 2 * far[0], column + 2 * far[1]


class Turning:
    """A local regularizer that uses another glimpse at every evaluation. Its value is that of the glimpse."""

    def __init__(self, regularizer: LocalRegularizer, evaluations: int = 0) -> None:
        """`evaluations` is the number of evaluations to count as done."""
        self._regularizer = regularizer
        self._sides: dict[int, LocalRegularizer] = {}
        self.evaluations = evaluations
        self.channels = regularizer.channels
        self.margin = regularizer.margin

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W) -> (R (B,), dR/dx like x)."""
        return self._look(x, valued=True)

    def grad(self, x: Tensor) -> Tensor:
        """See `protocol.HasGradient`. A call counts as an evaluation."""
        return self._look(x, valued=False)[1]

    def _look(self, x: Tensor, valued: bool) -> tuple[Tensor, Tensor]:
        network, stride = self._regularizer.network, self._regularizer.stride
        glimpse = Glimpse.number(self.evaluations, stride, turns=network.sides > 1)
        self.evaluations += 1
        if glimpse.side not in self._sides:
            whole = self._regularizer
            self._sides[glimpse.side] = whole.of(network.turned(glimpse.side)) if glimpse.side else whole
        return self._sides[glimpse.side].on_grid(x, glimpse.row, glimpse.column, valued)


class InTurn:
    """Any regularizer, seen in another of the eight orientations at every evaluation."""

    def __init__(self, regularizer: Regularizer) -> None:
        self._regularizer = regularizer
        self.channels, self.margin = regularizer.channels, regularizer.margin
        self.evaluations = 0

    def value_and_grad(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """x: (B, C, H, W) -> (R (B,) of the turned picture, its gradient like x)."""
        side = IN_TURN[self.evaluations % 8]
        self.evaluations += 1
        value, gradient = self._regularizer.value_and_grad(turned(x, side))
        return value, turned_back(gradient, side)
