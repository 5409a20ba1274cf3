"""The methods ours is measured against: an observation in, a picture (H, W, C) out, not clamped

Each has one number to choose, a function of the noise level, tuned on validation pictures (see tuned.py), so
that none is a straw man.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from alr_cli.bench import total_variation, tuned
from alr_cli.bench.degradations import Observation, Pixels

Restore = Callable[[Observation], Pixels]

CHAMBOLLE_STOP, CHAMBOLLE_MAX_ITER = 1e-6, 2000  # its defaults stop early, by luck of the weight


def tv(observation: Observation) -> Pixels:
    """Total variation in our energy and solver (Rudin, Osher and Fatemi 1992)."""
    return total_variation.restore(observation, tuned.value("tv", observation))


def chambolle(observation: Observation) -> Pixels:
    """Chambolle's projection (2004), channel by channel."""
    return chambolle_with(observation, tuned.value("chambolle", observation))


def chambolle_with(observation: Observation, weight: float) -> Pixels:
    """weight: of TV against half the squared error."""
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(  # type: ignore[no-any-return, no-untyped-call]
        observation.pixels, weight, eps=CHAMBOLLE_STOP, max_num_iter=CHAMBOLLE_MAX_ITER, channel_axis=2
    )


def wiener(observation: Observation) -> Pixels:
    """Wiener-Hunt deconvolution (Hunt 1971), channel by channel."""
    return wiener_with(observation, tuned.value("wiener", observation))


def wiener_with(observation: Observation, balance: float) -> Pixels:
    """balance: of the Laplacian prior against the squared error.

    The filter takes every picture for periodic: unless the blur was, the picture is continued by an even
    reflection, and what the seams spoil is cut off with it.
    """
    from skimage.restoration import wiener as filtered

    assert observation.kernel is not None
    y, margin = observation.pixels, 0
    if observation.setting.boundary != "circular":
        margin = min(2 * max(observation.kernel.shape), min(y.shape[:2]))
        y = np.pad(y, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    planes = [
        filtered(plane, observation.kernel, balance, clip=False)  # type: ignore[no-untyped-call]
        for plane in np.moveaxis(y, 2, 0)
    ]
    x = np.stack(planes, axis=2).astype(np.float32)
    return x[margin : x.shape[0] - margin, margin : x.shape[1] - margin]


def biharmonic(observation: Observation) -> Pixels:
    """Biharmonic interpolation (Damelin and Hoang 2018); it takes the observed pixels for exact."""
    from skimage.restoration import inpaint_biharmonic

    x = inpaint_biharmonic(observation.pixels, observation.missing, channel_axis=2)
    return np.asarray(x, np.float32)


def bm3d(observation: Observation) -> Pixels:
    """BM3D (Dabov et al. 2007), channel by channel."""
    planes = [_bm3d().bm3d(plane, observation.sigma) for plane in np.moveaxis(observation.pixels, 2, 0)]
    return np.stack(planes, axis=2).astype(np.float32).reshape(observation.pixels.shape)


def cbm3d(observation: Observation) -> Pixels:
    """BM3D in a luminance-chrominance space, blocks matched in luminance; of a gray picture, BM3D."""
    if observation.pixels.shape[2] == 1:
        return bm3d(observation)
    return np.asarray(_bm3d().bm3d_rgb(observation.pixels, observation.sigma), np.float32)


def _bm3d() -> Any:
    import bm3d

    return bm3d


BASELINES: dict[str, Restore] = {
    "tv": tv,
    "chambolle": chambolle,
    "wiener": wiener,
    "biharmonic": biharmonic,
    "bm3d": bm3d,
    "cbm3d": cbm3d,
}
