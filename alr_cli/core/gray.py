"""sigma' = sigma (3 / (1 + 2 rho))^1/2: gray pictures, and the noise that a prior of colours sees in them

Phones, scanners and converters write gray pictures with three equal channels. Such channels have the same
noise, all of it in their mean, where the noise of independent channels is 3^1/2 times smaller. So a prior of
colours restores a gray picture as three equal channels of that stronger noise. rho is the correlation between
the channels of the noise that the prior was made for, 0 for white noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def without_copies(pixels: NDArray[Any]) -> NDArray[Any]:
    """A picture (H, W, C) of three equal channels as (H, W, 1); others as they are."""
    gray = pixels.shape[2] == 3 and bool((pixels[..., 1:] == pixels[..., :1]).all())
    return pixels[..., :1] if gray else pixels


def equal_channels_factor(noise: Mapping[str, Any] | None) -> float:
    """sigma' / sigma for a prior of colours. noise: what the metadata of its weights say, as
    `NoiseModel.as_dict`; None for white noise."""
    if noise is None:
        return math.sqrt(3.0)
    together = np.asarray(noise["correlation"], np.float64)[..., 0, 0]
    rho = float((together.sum() - np.trace(together)) / 6)
    return math.sqrt(3.0 / (1.0 + 2.0 * max(rho, 0.0)))
