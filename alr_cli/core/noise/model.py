"""n_c(i) = sigma_c(x_c(i)) g_c(i), g Gaussian with E g_a(i) g_b(i + d) = rho_ab(d): a model of camera noise

sigma_c depends on the brightness (photon noise, transformed by the tone curve). g is correlated between
neighbours (demosaicking, in-camera filtering, JPEG) and between channels (colour matrices). White noise of
one level is the special case of a constant sigma and rho = 1 at lag 0 alone.

All arrays are NumPy arrays. `estimation` and `finding` estimate a model from a picture, and `field` draws
noise from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POISSON_KNOTS = 257  # the square root is steep where there is little light
KNOTS = 17  # number of brightnesses 0, 1/16, ... 1 at which sigma_c is known
CORRELATED = 0.2  # a smaller correlation of neighbours comes from texture, and the noise counts as white
EVEN = 1.5  # a smaller spread comes from texture, too; photon noise has 2 to 3
LAGS = 8  # rho_ab is known for 0 to 7 pixels in each direction
_BAND = 128  # rows


@dataclass(frozen=True)
class NoiseModel:
    """A model of noise. Raises ValueError for invalid arrays.

    Attributes:
        sigma: (C, K) >= 0, at K brightnesses from 0 to 1 in equal steps.
        correlation: (C, C, L, L), rho_ab(dy, dx) for lags from 0. It is the same for negative lags, and
            rho_aa(0, 0) = 1.
    """

    sigma: Floats
    correlation: Floats

    def __post_init__(self) -> None:
        channels, knots = self.sigma.shape
        lags = self.correlation.shape[-1]
        if knots < 2 or not 1 <= lags <= 64 or self.correlation.shape != (channels, channels, lags, lags):
            raise ValueError("a noise model needs sigma (C, K) and a correlation (C, C, L, L)")
        if not (np.isfinite(self.sigma).all() and (self.sigma >= 0).all()):
            raise ValueError("the noise levels must be finite and not negative")
        if not (np.abs(self.correlation) <= 1 + 1e-6).all():
            raise ValueError("the correlations must be finite and at most 1")
        if not np.allclose(self.correlation[..., 0, 0].diagonal(), 1, atol=1e-6):
            raise ValueError("the correlation of a channel with itself must be 1")

    @property
    def channels(self) -> int:
        return len(self.sigma)

    @property
    def brightness(self) -> Floats:
        """The brightnesses (K,) at which sigma is known."""
        return np.linspace(0.0, 1.0, self.sigma.shape[1])

    def sigma_at(self, pixels: NDArray[np.floating]) -> Floats:
        """sigma_c of each pixel (H, W, C) of a picture that has no noise or was smoothed."""
        planes = [
            np.interp(pixels[..., channel], self.brightness, levels)
            for channel, levels in enumerate(self.sigma)
        ]
        return np.stack(planes, axis=-1)

    def level(self, pixels: NDArray[np.floating]) -> float:
        """The root mean square of sigma over the pixels and channels of a picture (H, W, C)."""
        # in bands, because double precision would need much memory for a large picture
        bands = np.array_split(pixels, max(1, len(pixels) // _BAND))
        return float(np.sqrt(sum(np.sum(self.sigma_at(band) ** 2) for band in bands) / pixels.size))

    @property
    def nominal(self) -> float:
        """Its strength as one number: the root mean square of sigma over middle brightnesses and channels."""
        return float(np.sqrt(np.mean(self.middle_levels**2)))

    @property
    def middle_levels(self) -> Floats:
        """The root mean square of sigma over middle brightnesses, for each channel (C,)."""
        levels: Floats = np.sqrt(np.mean(self.sigma[:, self._middle] ** 2, axis=1))
        return levels

    @property
    def _middle(self) -> NDArray[np.bool_]:
        return (self.brightness >= 0.1) & (self.brightness <= 0.9)

    @property
    def spread(self) -> float:
        """The largest ratio of sigma between middle brightnesses of a channel; 1 for noise of one level."""
        middle = self.sigma[:, self._middle]
        return float((middle.max(axis=1) / np.maximum(middle.min(axis=1), 1e-12)).max())

    @property
    def neighbours(self) -> float:
        """The mean correlation of horizontal and vertical neighbours over the channels; 0 for white noise."""
        beside = self.correlation[..., 0, 1].diagonal() + self.correlation[..., 1, 0].diagonal()
        return float(beside.mean() / 2)

    @property
    def correlated(self) -> bool:
        """Whether neighbours are more correlated than texture can explain. Otherwise the noise counts as
        white."""
        return self.neighbours >= CORRELATED

    def scaled(self, factor: float) -> NoiseModel:
        """The same noise, `factor` times as strong."""
        return NoiseModel(self.sigma * factor, self.correlation)

    def of_one_channel(self) -> NoiseModel:
        """The average over its channels, for a prior that sees them one by one."""
        variance = np.mean(self.sigma**2, axis=0, keepdims=True)
        correlation = np.einsum("aayx->ayx", self.correlation).mean(axis=0)
        return NoiseModel(np.sqrt(variance), correlation[None, None])

    def of_equal_channels(self, channels: int) -> NoiseModel:
        """The noise of one channel, repeated in several equal channels."""
        same = np.ones((channels, channels, 1, 1)) * self.correlation[0, 0]
        return NoiseModel(np.tile(self.sigma, (channels, 1)), same)

    def uncorrelated(self) -> NoiseModel:
        """Noise of the same levels without correlation."""
        return NoiseModel(self.sigma, NoiseModel.white(1.0, self.channels).correlation)

    def as_dict(self) -> dict[str, Any]:
        """The model as data that JSON can represent, with four digits."""
        return {
            "sigma": [[float(f"{value:.4g}") for value in levels] for levels in self.sigma],
            "correlation": np.round(self.correlation, 4).tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> NoiseModel:
        """The inverse of `as_dict`. Raises KeyError, TypeError or ValueError."""
        return cls(np.array(values["sigma"], np.float64), np.array(values["correlation"], np.float64))

    @classmethod
    def white(cls, sigma: float, channels: int) -> NoiseModel:
        """Noise of one level without correlation."""
        correlation = np.zeros((channels, channels, LAGS, LAGS))
        correlation[..., 0, 0] = np.eye(channels)
        return cls(np.full((channels, KNOTS), float(sigma)), correlation)

    @classmethod
    def poisson(cls, gain: float, read: float, offset: float, channels: int) -> NoiseModel:
        """White noise of variance gain * (x - offset) + read^2, as light that is counted and read out has."""
        light = np.maximum(np.linspace(0, 1, POISSON_KNOTS) - offset, 0)
        sigma = np.sqrt(gain * light + read**2)
        return cls(np.tile(sigma, (channels, 1)), cls.white(1.0, channels).correlation)


def pooled(models: Sequence[NoiseModel]) -> NoiseModel:
    """The common noise of several pictures of the same kind: the means of variances and correlations."""
    variance = np.mean([model.sigma**2 for model in models], axis=0)
    correlation = np.mean([model.correlation for model in models], axis=0)
    return NoiseModel(np.sqrt(variance), correlation)
