"""l(x) = 1/C sum_c U(x / c_0, 1)_c - b: the logarithmic odds that a pixel of a picture x is a defect

U is a U-Net (priors/unet.py) that is trained on drawn defects (drawing.py; training/defects.py). The odds are
those in a training set, in which the share `TRAINED_SHARE` of the pixels is defective. marking.py turns them
into a mask for pictures with any share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Self

import torch
from torch import Tensor

from alr_cli.core.priors.blocks import Residual, automatic_tile
from alr_cli.core.priors.orientations import ROTATIONS, turned, turned_back
from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.priors.unet import UNet, UNetArchitecture

SCALE = 15 / 255  # c_0, a level at which U of a potential has features of the right size to begin with
RARE = 4.0  # b, so that a network whose last layer is still small takes nearly no pixel for a defect
TRAINED_SHARE = 0.035
CHANNELS = 3  # gray pictures are shown as colour pictures


class Detector:
    """l, as a network that weights files can store.

    Attributes:
        network: U.
    """

    kind = "detector"

    def __init__(self, unet: UNet) -> None:
        if unet.architecture.channels != CHANNELS:
            raise ValueError("a detector sees colour pictures")
        self.network = unet

    @property
    def description(self) -> dict[str, Any]:
        """The architecture and its kind."""
        return {"kind": self.kind, **self.network.architecture.as_dict()}

    @classmethod
    def described(cls, architecture: Mapping[str, Any]) -> Self:
        """The inverse of `description`; the numbers are loaded later. Raises TypeError or ValueError."""
        fields = dict(architecture)
        if fields.pop("kind", None) != cls.kind:
            raise ValueError("it is no detector of defects")
        with torch.device("meta"):
            return cls(UNet(UNetArchitecture(**fields)))

    def to(self, device: torch.device) -> Self:
        """A copy on that device."""
        return type(self)(deepcopy(self.network).to(device))

    def odds(
        self, x: Tensor, sides: Sequence[int] = ROTATIONS, precision: torch.dtype = torch.float32
    ) -> Tensor:
        """l of pictures x (B, 3, H, W) on [0,1], averaged over some orientations (orientations.py);
        (B, H, W)."""
        arithmetic = Arithmetic(automatic_tile(tuple(x.shape)), precision)
        seen = Residual(self.network, SCALE, arithmetic)
        found = [turned_back(odds_of(seen(turned(x, side)) / SCALE), side) for side in sides]
        return torch.stack(found).mean(0)


def odds_of(seen: Tensor) -> Tensor:
    """l of the output of U, (B, C, H, W) -> (B, H, W)."""
    return seen.mean(1) - RARE
