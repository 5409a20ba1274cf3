"""G(x) = c V(x / c, 1),    or G(x) = c J^T V(x / c, 1), the gradient of c^2 / 2 ||V(x / c, 1)||^2

V is a U-Net and c a fixed scale. The second is the gradient of a potential at the noise level c. The first
need not be the gradient of any function.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from alr_cli.core.priors.unet import UNet


@dataclass(frozen=True)
class Slope:
    """G.

    Attributes:
        unet: V.
        explicit: Whether G is the gradient of the energy.
        scale: c.
    """

    unet: UNet
    explicit: bool
    scale: float

    def __call__(self, x: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """G(x) like x, differentiable. x is (B, C, H, W), H and W multiples of the stride of V."""
        seen, slopes = self.unet(x / self.scale, torch.ones_like(x[:, :1]), dtype)
        if self.explicit:
            seen = self.unet.transposed(seen, slopes, dtype)
        result: Tensor = self.scale * seen
        return result


@runtime_checkable
class HasSlope(Protocol):
    """A prior with a gradient that a U-Net computes."""

    @property
    def slope(self) -> Slope:
        """A multiple of its gradient."""
        ...
