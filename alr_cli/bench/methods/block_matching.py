"""BM3D (Dabov et al. 2007) by the package bm3d

Its licence is non-commercial, so it is imported only when it is asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alr_cli.bench.degradations import Observation, Pixels
from alr_cli.core.coloured_noise import level_of
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.opponent_colours import opponent_matrix
from alr_cli.core.noise.spectrum import on_frequencies


def bm3d(observation: Observation) -> Pixels:
    """BM3D of each channel."""
    planes = [_package().bm3d(plane, observation.sigma) for plane in np.moveaxis(observation.pixels, 2, 0)]
    return np.stack(planes, axis=2).astype(np.float32).reshape(observation.pixels.shape)


def cbm3d(observation: Observation) -> Pixels:
    """BM3D in a luminance-chrominance space, with blocks matched in luminance. BM3D for gray pictures."""
    if observation.pixels.shape[2] == 1:
        return bm3d(observation)
    return np.asarray(_package().bm3d_rgb(observation.pixels, observation.sigma), np.float32)


def coloured_bm3d(pixels: Pixels, model: NoiseModel) -> Pixels:
    """BM3D for correlated noise (Mäkinen, Azzari and Foi 2020) of a picture (H, W, 3) on [0,1].

    It sees the opponent colours, each with the power spectrum of its noise. It knows no noise that depends on
    brightness, and receives the mean variance of the picture.
    """
    mixing = opponent_matrix(3) / np.sqrt(3)  # so that gray is on [0,1]
    height, width = pixels.shape[:2]
    variance = level_of(pixels, model) ** 2 / 3
    density = on_frequencies(model, (height, width)).numpy().transpose(1, 2, 0)
    seen = pixels.astype(np.float64) @ mixing.T
    vars(np).setdefault("trapz", np.trapezoid)  # which the package calls, and NumPy 2.4 has no more
    restored = _package().bm3d(seen, variance * height * width * density.astype(np.float64))
    return np.asarray(restored @ np.linalg.inv(mixing).T, np.float32)


def _package() -> Any:
    import bm3d

    return bm3d
