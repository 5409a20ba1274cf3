"""BM3D (Dabov et al. 2007) by the package bm3d

Its licence is non-commercial, so it is imported only when it is asked for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alr_cli.bench.degradations import Observation, Pixels


def bm3d(observation: Observation) -> Pixels:
    """BM3D of each channel."""
    planes = [package().bm3d(plane, observation.sigma) for plane in np.moveaxis(observation.pixels, 2, 0)]
    return np.stack(planes, axis=2).astype(np.float32).reshape(observation.pixels.shape)


def cbm3d(observation: Observation) -> Pixels:
    """BM3D in a luminance-chrominance space, with blocks matched in luminance. BM3D for gray pictures."""
    if observation.pixels.shape[2] == 1:
        return bm3d(observation)
    return np.asarray(package().bm3d_rgb(observation.pixels, observation.sigma), np.float32)


def package() -> Any:
    """The package bm3d, imported when it is needed."""
    import bm3d

    return bm3d
