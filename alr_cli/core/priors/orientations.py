"""D_T(y) = T^-1 D(T y),    T: one of the rotations and reflections of the square

No orientation of a picture is better than another, but a trained network treats them a little differently.
The mean of D_T over several T is closer to the truth than each of its terms, and it is the gradient step of
an energy, the mean of g(T x). A solver with many steps uses another T at each step instead, which costs
nothing (Zhang et al. 2021).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from alr_cli.core.priors.protocol import Denoises, TakesLevels

ROTATIONS = (0, 1, 2, 3)
FLIPS = (0, 2, 4, 6)  # along none, both, or one of the two axes
IN_TURN = (0, 3, 6, 1, 4, 7, 2, 5)  # consecutive orientations differ much


@dataclass(frozen=True)
class Turned:
    """A denoiser that sees pictures turned.

    Attributes:
        of: The denoiser.
        side: The orientation, see `turned`.
    """

    of: Denoises
    side: int

    def denoise(self, y: Tensor, share: float = 1.0) -> Tensor:
        """See `protocol.Denoises`."""
        of = self.of.turned(self.side) if isinstance(self.of, TakesLevels) else self.of
        return turned_back(of.denoise(turned(y, self.side), share), self.side)


def means(
    denoiser: Denoises, y: Tensor, sides: Sequence[int], share: float = 1.0
) -> Iterator[tuple[Tensor, Tensor]]:
    """The mean of D_T(y) over one, two, and so on of the orientations, and its last change.

    Means and changes have the shape of y. A mean that is changed in place counts as changed.
    """
    x = torch.zeros_like(y)
    for number, side in enumerate(sides, 1):
        step = Turned(denoiser, side).denoise(y, share).sub_(x).div_(number)
        x = x + step
        yield x, step


def turned(x: Tensor, side: int) -> Tensor:
    """(..., H, W) transformed by one of the eight symmetries of the square; 0 is the identity."""
    x = torch.rot90(x, side % 4, (-2, -1))
    return (x.flip(-1) if side >= 4 else x).contiguous()


def turned_back(x: Tensor, side: int) -> Tensor:
    """The inverse of `turned`, which is also its adjoint."""
    x = x.flip(-1) if side >= 4 else x
    return torch.rot90(x, -(side % 4), (-2, -1)).contiguous()
