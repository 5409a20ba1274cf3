"""sigma' = sigma (3 / (1 + 2 rho))^1/2: gray pictures, and the noise that a colour prior sees in them

Phones, scanners and converters write gray pictures with three equal channels. The noise of such channels is
equal as well and lies completely in their mean, whereas the noise in the mean of independent channels is
3^1/2 times smaller. A colour prior therefore restores a gray picture as three equal channels with this
stronger noise. rho is the correlation between channels of the noise that the prior was made for, 0 for white
noise.

Channels that are nearly equal, or tinted (sepia), share their noise as well: each is a multiple of their mean
plus a constant, and the remainder is much smaller than the noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.noise.white import estimate_sigma

_TINTED = 1.5 / 255  # remainder of proportional channels that are rounded to 8 bits
_AT_ONCE = 250_000  # pixels, of which several copies in float64 are alive
_MIDDLE = 0.5  # is subtracted before squares are summed, so that less is lost to rounding
_CONSTANT = 1e-14  # variance that is only rounding


def without_copies(pixels: NDArray[Any]) -> NDArray[Any]:
    """A picture (H, W, C) with three equal channels as (H, W, 1). Other pictures are returned unchanged."""
    gray = pixels.shape[2] == 3 and bool((pixels[..., 1:] == pixels[..., :1]).all())
    return pixels[..., :1] if gray else pixels


def white_level(pixels: NDArray[np.floating], mask: NDArray[np.bool_] | None = None) -> float:
    """Like `estimate_sigma` for a picture (H, W, C), but also for channels that share their noise.

    White noise of independent channels is measured from differences between colours, which contain no noise
    if the channels share it.
    """
    if pixels.shape[2] == 3:
        slopes, left = _tint(pixels, mask)
        if left < _TINTED:
            mean = pixels.mean(axis=2, keepdims=True)
            return float(np.sqrt(np.mean(slopes**2))) * estimate_sigma(mean, mask)
    return estimate_sigma(pixels, mask)


def shares_noise(pixels: NDArray[np.floating], sigma: float) -> bool:
    """Whether three channels (H, W, 3) differ by so much less than noise of level sigma that they share
    it."""
    return pixels.shape[2] == 3 and _tint(pixels, None)[1] < sigma / 4


def _tint(pixels: NDArray[np.floating], mask: NDArray[np.bool_] | None) -> tuple[NDArray[np.float64], float]:
    """Each channel as a multiple of their mean: the slopes (3,), and the root mean square of the
    remainder."""
    covariance = _covariance(pixels, mask)
    if covariance is None:
        return np.ones(3), math.inf
    with_mean = covariance.mean(axis=1)
    variance = float(with_mean.mean())
    slopes = with_mean / max(variance, _CONSTANT)
    left = float(np.trace(covariance) - slopes @ slopes * variance) / 3
    return slopes, math.sqrt(max(left, 0.0))


def _covariance(pixels: NDArray[np.floating], mask: NDArray[np.bool_] | None) -> NDArray[np.float64] | None:
    """The covariance (3, 3) of the channels of a picture (H, W, 3), or None if all pixels are unknown.

    It is summed over bands of rows, because the float64 copies of a large picture would not fit into memory.
    """
    count, total, squares = 0, np.zeros(3), np.zeros((3, 3))
    rows = max(1, _AT_ONCE // pixels.shape[1])
    for first in range(0, len(pixels), rows):
        band = slice(first, first + rows)
        usable = np.isfinite(pixels[band]).all(axis=2)
        seen = pixels[band][usable if mask is None else usable & ~mask[band]].astype(np.float64) - _MIDDLE
        count, total, squares = count + len(seen), total + seen.sum(axis=0), squares + seen.T @ seen
    return None if count == 0 else squares / count - np.outer(total, total) / count**2


def equal_channels_factor(noise: Mapping[str, Any] | None) -> float:
    """sigma' / sigma for a colour prior.

    `noise` is the noise in the metadata of its weights, as `NoiseModel.as_dict`; None for white noise.
    """
    if noise is None:
        return math.sqrt(3.0)
    together = np.asarray(noise["correlation"], np.float64)[..., 0, 0]
    rho = float((together.sum() - np.trace(together)) / 6)
    return math.sqrt(3.0 / (1.0 + 2.0 * max(rho, 0.0)))
