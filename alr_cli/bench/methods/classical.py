"""scikit-image's methods for denoising and inpainting

Their parameters are tuned, and defaults that stop before convergence are replaced.
"""

from __future__ import annotations

import numpy as np

from alr_cli.bench.degradations import Observation, Pixels, missing_of
from alr_cli.bench.methods import tuned
from alr_cli.bench.methods.colours import plane_by_plane

# the defaults stop early, at a point that depends on the weight
CHAMBOLLE_STOP, CHAMBOLLE_MAX_ITER = 1e-6, 2000
PATCH, REACH = 5, 10  # non-local means compares 5 x 5 patches in a 21 x 21 window
SHIFTS = 4  # per side: wavelets are averaged over 4 x 4 shifts of their grid
WAVELET, LEVELS = "sym4", 4
MARGIN = 32  # pixels of reflection around the picture, so that small pictures have enough levels


def chambolle(observation: Observation) -> Pixels:
    """Chambolle's projection (2004), channel by channel."""
    return chambolle_with(observation, tuned.value("chambolle", observation))


def chambolle_with(observation: Observation, weight: float) -> Pixels:
    """Chambolle's projection with a given parameter.

    Args:
        observation: What is restored.
        weight: Weight of the total variation against half the squared error.
    """
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(  # type: ignore[no-any-return, no-untyped-call]
        observation.pixels, weight, eps=CHAMBOLLE_STOP, max_num_iter=CHAMBOLLE_MAX_ITER, channel_axis=2
    )


def nlm(observation: Observation) -> Pixels:
    """Non-local means (Buades, Coll and Morel 2005), with patches compared in all channels together."""
    return nlm_with(observation, tuned.value("nlm", observation))


def nlm_with(observation: Observation, h: float) -> Pixels:
    """Non-local means with a given parameter.

    Args:
        observation: What is restored.
        h: How much patches may differ, beyond the effect of noise, and still be averaged.
    """
    from skimage.restoration import denoise_nl_means

    y = observation.pixels
    many = y.shape[2] > 1  # the function takes and returns a plane for one channel
    x = denoise_nl_means(
        y if many else y[..., 0],
        patch_size=PATCH,
        patch_distance=REACH,
        h=h,
        sigma=observation.sigma,
        preserve_range=True,
        channel_axis=2 if many else None,
    )
    return np.asarray(x, np.float32).reshape(y.shape)


def wavelets(observation: Observation) -> Pixels:
    """Soft thresholding by BayesShrink, averaged over shifts, in luminance and colour differences.

    References: Chang, Yu and Vetterli (2000) for the thresholds, Coifman and Donoho (1995) for the shifts.
    """
    return wavelets_with(observation, tuned.value("wavelets", observation))


def wavelets_with(observation: Observation, sigma: float) -> Pixels:
    """Wavelet thresholding with a given parameter.

    Args:
        observation: What is restored.
        sigma: The noise level that determines the thresholds.
    """
    return plane_by_plane(observation.pixels, lambda plane, unit: _shrunk(plane, sigma))


def _shrunk(plane: Pixels, sigma: float) -> Pixels:
    import pywt
    from skimage.restoration import denoise_wavelet

    quarter = np.float32(0.25)  # the function clips to [-1,1], which scaled noise does not reach
    extended = quarter * np.pad(plane, MARGIN, mode="symmetric")
    total = np.zeros_like(plane)
    height, width = plane.shape
    levels = min(LEVELS, pywt.dwt_max_level(min(extended.shape) - SHIFTS, WAVELET))
    for down in range(SHIFTS):
        for right in range(SHIFTS):
            shifted = extended[down:, right:]
            x = denoise_wavelet(
                shifted,
                sigma=0.25 * sigma,
                wavelet=WAVELET,
                wavelet_levels=levels,  # the default of one or two levels leaves most of strong noise
                method="BayesShrink",
                rescale_sigma=False,
            )
            top, left = MARGIN - down, MARGIN - right
            total += x[top : top + height, left : left + width]
    return total / (quarter * SHIFTS**2)


def biharmonic(observation: Observation) -> Pixels:
    """Biharmonic interpolation (Damelin and Hoang 2018). It treats observed pixels as exact."""
    from skimage.restoration import inpaint_biharmonic

    x = inpaint_biharmonic(observation.pixels, missing_of(observation), channel_axis=2)
    return np.asarray(x, np.float32)
