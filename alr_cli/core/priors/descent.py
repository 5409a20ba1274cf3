"""x+ = prox_{tau f}(x - t_n grad Psi_n(x)),    t_n = 0.6 / 2^(n/8) + 0.04: the descent of a trained critic

Psi_n is the critic of one of the views of the picture. The energy of a critic has kinks, at which a line
search stops far from the minimiser. A critic that was trained on the pictures of this descent leads it to the
clean ones (training/own_reconstructions.py), so the steps of the training are also those to use it with. The
step of the prior has the length t_n where the gradient of Psi has the length 1. With R = c Psi, it is a
gradient step of the energy if tau = 2 t_n / (lam C c).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

STEPS = 60
PROXIMAL_STEPS = 3  # of conjugate gradients
_FIRST, _HALVING, _LAST = 0.6, 8, 0.04


class Viewed(Protocol):
    """A regularizer that is the mean over views of a picture: R = c mean Psi(view of x).

    Attributes:
        channels: C.
        scale: c.
        views: The number of views.
    """

    @property
    def channels(self) -> int: ...
    @property
    def scale(self) -> float: ...
    @property
    def views(self) -> int: ...
    def slope(self, x: Tensor, view: int) -> Tensor:
        """x: (B, C, H, W) -> the gradient of Psi(view of x), like x."""
        ...


@dataclass(frozen=True)
class OneView:
    """D(x) = x - t grad Psi(view of x).

    Attributes:
        of: The regularizer.
        view: The number of the view.
        length: t, (B,) or (1,).
    """

    of: Viewed
    view: int
    length: Tensor

    def denoise(self, y: Tensor, share: float = 1.0) -> Tensor:
        """See `protocol.Denoises`."""
        length = share * self.length.to(y).reshape(-1, 1, 1, 1)
        return y - length * self.of.slope(y, self.view)


def length_at(age: Tensor) -> Tensor:
    """t after so many steps, like age."""
    return _FIRST * torch.exp2(-age / _HALVING) + _LAST


def step_at(of: Viewed, age: Tensor, view: int, lam: float | Tensor) -> tuple[OneView, Tensor]:
    """D and tau (B,) of the step after `age` (B,) others. lam is a number or (B,)."""
    length = length_at(age)
    return OneView(of, view, length), 2 * length / (lam * of.channels * of.scale)


def descent(of: Viewed, lam: float) -> tuple[tuple[OneView, float], ...]:
    """D and tau of each of the steps, which see the views in turn."""
    steps = (step_at(of, torch.tensor([age]), age % of.views, lam) for age in range(STEPS))
    return tuple((denoiser, float(tau)) for denoiser, tau in steps)
