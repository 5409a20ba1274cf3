"""What scikit-image offers for denoising and inpainting, its numbers tuned, its defaults made to converge"""

from __future__ import annotations

import numpy as np

from alr_cli.bench.degradations import Observation, Pixels, missing_of
from alr_cli.bench.methods import tuned
from alr_cli.bench.methods.colours import plane_by_plane

CHAMBOLLE_STOP, CHAMBOLLE_MAX_ITER = 1e-6, 2000  # its defaults stop early, by luck of the weight
PATCH, REACH = 5, 10  # of non-local means: patches 5 x 5, sought for in 21 x 21
SHIFTS = 4  # a side: wavelets are averaged over 4 x 4 shifts of their grid
WAVELET, LEVELS = "sym4", 4
MARGIN = 32  # pixels of reflection around the picture, so that a small one has levels, too


def chambolle(observation: Observation) -> Pixels:
    """Chambolle's projection (2004), channel by channel."""
    return chambolle_with(observation, tuned.value("chambolle", observation))


def chambolle_with(observation: Observation, weight: float) -> Pixels:
    """weight: of TV against half the squared error."""
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(  # type: ignore[no-any-return, no-untyped-call]
        observation.pixels, weight, eps=CHAMBOLLE_STOP, max_num_iter=CHAMBOLLE_MAX_ITER, channel_axis=2
    )


def nlm(observation: Observation) -> Pixels:
    """Non-local means (Buades, Coll and Morel 2005), patches compared in all channels together."""
    return nlm_with(observation, tuned.value("nlm", observation))


def nlm_with(observation: Observation, h: float) -> Pixels:
    """h: how unlike patches may be, beyond what their noise explains, and still count."""
    from skimage.restoration import denoise_nl_means

    y = observation.pixels
    many = y.shape[2] > 1  # of one channel it takes and gives a plane
    x = denoise_nl_means(
        y if many else y[..., 0],
        *(PATCH, REACH, h),
        sigma=observation.sigma,
        preserve_range=True,
        channel_axis=2 if many else None,
    )
    return np.asarray(x, np.float32).reshape(y.shape)


def wavelets(observation: Observation) -> Pixels:
    """Soft thresholds after BayesShrink (Chang, Yu and Vetterli 2000), averaged over shifts (Coifman and
    Donoho 1995), in luminance and differences of colours."""
    return wavelets_with(observation, tuned.value("wavelets", observation))


def wavelets_with(observation: Observation, sigma: float) -> Pixels:
    """sigma: the noise level that the thresholds are made for."""
    return plane_by_plane(observation.pixels, lambda plane, unit: _shrunk(plane, sigma))


def _shrunk(plane: Pixels, sigma: float) -> Pixels:
    import pywt
    from skimage.restoration import denoise_wavelet

    quarter = np.float32(0.25)  # the function clips at -1 and 1: the noise should not get there
    extended = quarter * np.pad(plane, MARGIN, mode="symmetric")
    total = np.zeros_like(plane)
    height, width = plane.shape
    levels = min(LEVELS, pywt.dwt_max_level(min(extended.shape) - SHIFTS, WAVELET))
    for down in range(SHIFTS):
        for right in range(SHIFTS):
            shifted = extended[down:, right:]
            x = denoise_wavelet(
                *(shifted, 0.25 * sigma, WAVELET),
                wavelet_levels=levels,  # by itself it takes one or two, which leave most of strong noise
                method="BayesShrink",
                rescale_sigma=False,
            )
            top, left = MARGIN - down, MARGIN - right
            total += x[top : top + height, left : left + width]
    return total / (quarter * SHIFTS**2)


def biharmonic(observation: Observation) -> Pixels:
    """Biharmonic interpolation (Damelin and Hoang 2018); it takes the observed pixels for exact."""
    from skimage.restoration import inpaint_biharmonic

    x = inpaint_biharmonic(observation.pixels, missing_of(observation), channel_axis=2)
    return np.asarray(x, np.float32)
