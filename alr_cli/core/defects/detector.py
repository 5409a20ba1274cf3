"""l = U_0 - b,    d = c_0 U_1..3,    log s = U_4 - b_s,    U = U(y / c_0, 1): the defects of a picture y

l are the logarithmic odds that a pixel is a defect. If it is one, the picture below it is about y - d, with
the standard deviation s: a half-transparent defect can be taken off, while d tells little about what is below
an opaque one. U is a U-Net (priors/unet.py) that is trained on drawn defects (drawing.py;
training/defects.py). The odds are those in a training set, in which the share `TRAINED_SHARE` of the pixels
is defective. marking.py turns them into a mask for pictures with any share.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from alr_cli.core.priors.blocks import Residual, automatic_tile
from alr_cli.core.priors.orientations import IN_TURN, turned, turned_back
from alr_cli.core.priors.protocol import Arithmetic
from alr_cli.core.priors.unet import UNet, UNetArchitecture

SCALE = 15 / 255  # c_0, a level at which U of a potential has features of the right size to begin with
RARE = 4.0  # b, so that a network whose last layer is still small takes nearly no pixel for a defect
USUAL = 1.6  # b_s; the deviation is 0.2 to begin with
SHARPEST, VAGUEST = 0.005, 0.5  # bounds of s
TRAINED_SHARE = 0.035
CHANNELS = 3  # gray pictures are shown as colour pictures
OUTPUTS = 5


@dataclass(frozen=True)
class Seen:
    """What a detector sees in pictures.

    Attributes:
        odds: l, (B, H, W).
        change: d, (B, 3, H, W), what a defect adds to the picture.
        deviation: s, (B, H, W), how little is known of d.
    """

    odds: Tensor
    change: Tensor
    deviation: Tensor


class Detector:
    """l, as a network that weights files can store.

    Attributes:
        network: U.
    """

    kind = "detector"

    def __init__(self, unet: UNet) -> None:
        if unet.architecture.channels != CHANNELS:
            raise ValueError("a detector sees colour pictures")
        if unet.architecture.outputs != OUTPUTS:
            raise ValueError(f"a detector has {OUTPUTS} outputs: train it anew")
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

    def look(self, x: Tensor, sides: Sequence[int] = IN_TURN, precision: torch.dtype = torch.float32) -> Seen:
        """What is seen in pictures (B, 3, H, W) on [0,1], averaged over some orientations."""
        network = Residual(self.network, SCALE, Arithmetic(automatic_tile(tuple(x.shape)), precision))
        outputs = x.new_zeros(())
        for side in sides:  # one by one, because the outputs of a large picture are large
            outputs = outputs + turned_back(network(turned(x, side)), side)
        return seen_of(outputs / (SCALE * len(sides)))


def seen_of(outputs: Tensor) -> Seen:
    """What the outputs of U mean, (B, 5, H, W)."""
    log_deviation = (outputs[:, 4] - USUAL).clamp(math.log(SHARPEST), math.log(VAGUEST))
    return Seen(outputs[:, 0] - RARE, SCALE * outputs[:, 1:4], log_deviation.exp())
