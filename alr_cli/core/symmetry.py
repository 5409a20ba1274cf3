"""R(x) = 1/8 sum_g R_theta(g x), g the turns and flips of the square: content knows no orientation

A trained critic does: its R_theta differs a little between a picture and the same picture turned. One g per
evaluation, round and round, costs nothing, and a descent of small steps cannot tell it from the mean.
"""

from __future__ import annotations

import torch
from torch import Tensor

from alr_cli.core.regularizer import Regularizer

_ORDER = (0, 3, 6, 1, 4, 7, 2, 5)  # neighbours in time differ much in orientation


class Turning:
    """A regularizer seen from another side at every evaluation; the value is that of the side seen."""

    def __init__(self, regularizer: Regularizer) -> None:
        self._regularizer = regularizer
        self._evaluations = 0
        self.channels = regularizer.channels
        self.patch = regularizer.patch

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W) -> (R (B,), dR/dx like x)."""
        side = _ORDER[self._evaluations % len(_ORDER)]
        self._evaluations += 1
        value, gradient = self._regularizer.value_and_grad(turned(x, side))
        return value, turned_back(gradient, side)


def turned(x: Tensor, side: int) -> Tensor:
    """(..., H, W) by one of the eight symmetries of the square, 0 being the identity."""
    x = torch.rot90(x, side % 4, (-2, -1))
    return (x.flip(-1) if side >= 4 else x).contiguous()


def turned_back(x: Tensor, side: int) -> Tensor:
    """The inverse (and adjoint) of `turned`."""
    x = x.flip(-1) if side >= 4 else x
    return torch.rot90(x, -(side % 4), (-2, -1)).contiguous()
