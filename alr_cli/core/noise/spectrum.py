"""S_o(f) = sum_d w(d) rho_o(d) cos(2 pi f d): correlated noise by frequency and opponent colour

rho_o = M rho M^T at opponent colour o, with M of opponent_colours.py. Correlation between opponent colours is
neglected. The parabola w prevents oscillations of S around zero, because rho is cut off at the longest lag.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.opponent_colours import opponent_matrix

# relative to the mean; no frequency is assumed to be free of noise, because estimates are not that certain
LEAST = 0.05
STEEPEST = 0.01  # relative to the maximum of its colour; descents fail with much less


def on_cosines(model: NoiseModel, shape: tuple[int, int]) -> Tensor:
    """S at the frequencies of the cosine transform of a picture of `shape`.

    (C, H, W) float32, with mean 1 over colours and frequencies.
    """
    return _spectrum(model, *(np.arange(size) / (2 * size) for size in shape))


def on_torus(model: NoiseModel, shape: tuple[int, int]) -> Tensor:
    """S at the frequencies of the real Fourier transform on a torus of `shape`: (C, H, W // 2 + 1)
    float32."""
    return _spectrum(model, np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1]))


def on_frequencies(model: NoiseModel, shape: tuple[int, int]) -> Tensor:
    """S at all frequencies of the Fourier transform on a torus of `shape`: (C, H, W) float32."""
    return _spectrum(model, *(np.fft.fftfreq(size) for size in shape))


def luma_share(model: NoiseModel) -> float:
    """The variance of the noise along the first opponent colour, which is gray.

    It is 1 if the channels are independent, and C if they are equal.
    """
    gray = opponent_matrix(model.channels)[0]
    return float(gray @ model.correlation[..., 0, 0] @ gray)


def _spectrum(model: NoiseModel, rows: NDArray[np.floating], columns: NDArray[np.floating]) -> Tensor:
    mixing = opponent_matrix(model.channels)
    opponent = np.einsum("oa,abyx,ob->oyx", mixing, model.correlation, mixing)
    lags = np.arange(opponent.shape[-1])
    weight = np.where(lags == 0, 1.0, 2.0) * (1 - (lags / len(lags)) ** 2)
    along = [weight * np.cos(2 * np.pi * frequency[:, None] * lags) for frequency in (rows, columns)]
    density = np.einsum("hy,oyx,wx->ohw", along[0], opponent, along[1], optimize=True)
    least = np.maximum(LEAST, STEEPEST * density.max(axis=(1, 2), keepdims=True))
    return torch.from_numpy(np.maximum(density, least).astype(np.float32))
