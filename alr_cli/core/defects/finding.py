"""m = marked(l(y)),    x ~ N(y - d(y), s(y)^2) where m: dust, hairs and scratches, and what is below them"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from alr_cli.core.defects.detector import CHANNELS, Detector
from alr_cli.core.defects.marking import marked
from alr_cli.core.gray import without_copies
from alr_cli.core.numerics import devices
from alr_cli.core.priors.orientations import IN_TURN
from alr_cli.core.tasks import Guess
from alr_cli.errors import UsageError

ALIKE = 2.0  # factor of s, because d errs alike in neighbouring pixels, which say less together than alone
LEAST_SIDE = 16  # pixels; in less there is no picture from which dust could differ


@dataclass(frozen=True)
class Found:
    """The defects of a picture.

    Attributes:
        mask: (H, W), True where there is one.
        below: What is known of the picture below them.
    """

    mask: NDArray[np.bool_]
    below: Guess


@dataclass(frozen=True)
class Finder:
    """A detector and how it is used.

    Attributes:
        detector: The detector.
        sensitivity: Factor of the odds. Larger than 1 marks more.
        fast: Look at one orientation of the picture instead of eight.
        device, precision: Names, see `devices`.
    """

    detector: Detector
    sensitivity: float = 1.0
    fast: bool = False
    device: str = "auto"
    precision: str = "auto"

    def mask(self, pixels: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Where a picture has defects, (H, W). See `find`."""
        return self.find(pixels).mask

    def find(self, pixels: NDArray[np.floating]) -> Found:
        """The defects of a picture (H, W, C) on [0,1]. The network sees values beyond [0,1] clipped.

        Raises:
            UsageError: The picture is smaller than 16 x 16 pixels.
        """
        height, width, channels = pixels.shape
        gray = without_copies(pixels).shape[2] == 1
        if min(height, width) < LEAST_SIDE:
            raise UsageError(
                f"{width} x {height} pixels are too few for finding dust, at least {LEAST_SIDE} per side are "
                "needed: give a mask"
            )
        device = devices.choose(self.device)
        precision = devices.choose_precision(self.precision, device)
        colour = np.broadcast_to(pixels, (height, width, CHANNELS)) if channels == 1 else pixels
        x = torch.from_numpy(np.ascontiguousarray(colour.transpose(2, 0, 1), np.float32))[None].clamp(0, 1)
        sides = IN_TURN[:1] if self.fast else IN_TURN
        with devices.flushed_denormals():
            seen = self.detector.to(device).look(x.to(device), sides, precision)
        odds, deviation = (each[0].cpu().numpy() for each in (seen.odds, seen.deviation))
        change = seen.change[0].permute(1, 2, 0).cpu().numpy()
        change = change.mean(axis=2, keepdims=True) if channels == 1 else change
        below = Guess(np.asarray(pixels - change, np.float32), np.asarray(ALIKE * deviation, np.float32))
        return Found(marked(odds, self.sensitivity, gray), below)
