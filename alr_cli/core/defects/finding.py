"""m = marked(l(x)): the dust, hairs and scratches that a detector sees in a picture x"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from alr_cli.core.defects.detector import CHANNELS, Detector
from alr_cli.core.defects.marking import marked
from alr_cli.core.numerics import devices
from alr_cli.core.priors.orientations import ROTATIONS
from alr_cli.errors import UsageError

LEAST_SIDE = 16  # pixels; in less there is no picture from which dust could differ


@dataclass(frozen=True)
class Finder:
    """A detector and how it is used.

    Attributes:
        detector: The detector.
        sensitivity: Factor of the odds. Larger than 1 marks more.
        fast: Look at one orientation of the picture instead of four.
        device, precision: Names, see `devices`.
    """

    detector: Detector
    sensitivity: float = 1.0
    fast: bool = False
    device: str = "auto"
    precision: str = "auto"

    def mask(self, pixels: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Where a picture (H, W, C) on [0,1] has defects, (H, W). Values beyond [0,1] are clipped.

        Raises:
            UsageError: The picture is smaller than 16 x 16 pixels.
        """
        height, width, channels = pixels.shape
        if min(height, width) < LEAST_SIDE:
            raise UsageError(
                f"{width} x {height} pixels are too few for finding dust, at least {LEAST_SIDE} per side are "
                "needed: give a mask"
            )
        device = devices.choose(self.device)
        precision = devices.choose_precision(self.precision, device)
        seen = np.broadcast_to(pixels, (height, width, CHANNELS)) if channels == 1 else pixels
        x = torch.from_numpy(np.ascontiguousarray(seen.transpose(2, 0, 1), np.float32))[None].clamp(0, 1)
        sides = ROTATIONS[:1] if self.fast else ROTATIONS
        with devices.flushed_denormals():
            odds = self.detector.to(device).odds(x.to(device), sides, precision)
        return marked(odds[0].cpu().numpy(), self.sensitivity)
