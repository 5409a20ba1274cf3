"""TV(x) = sum_i ( sqrt( sum_c |grad x_c|_i^2 + eps^2 ) - eps ), total variation with a rounded corner

The gradient is the forward difference in a 2 x 2 patch. The channels share one norm, so that their edges
coincide (Rudin, Osher and Fatemi 1992; Blomgren and Chan 1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class TotalVariation:
    """Total variation as a regularizer.

    Attributes:
        channels: Channels of the picture.
        eps: Radius of the rounded corner in pixel values. Below one 8-bit level it is invisible, and a
            descent slows down as 1 / sqrt(eps).
        margin: Pixels beyond the frame that it sees.
    """

    channels: int
    eps: float = 1e-3
    margin: int = 1

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W) -> (TV (B,), dTV/dx like x)."""
        corner = x[..., :-1, :-1]
        down, right = x[..., 1:, :-1] - corner, x[..., :-1, 1:] - corner
        norm = (down.square() + right.square()).sum(dim=1, keepdim=True).add_(self.eps**2).sqrt_()
        value = (norm - self.eps).sum(dim=(1, 2, 3))
        down, right = down / norm, right / norm
        gradient = torch.zeros_like(x)
        gradient[..., 1:, :-1] += down
        gradient[..., :-1, 1:] += right
        gradient[..., :-1, :-1] -= down + right
        return value, gradient
