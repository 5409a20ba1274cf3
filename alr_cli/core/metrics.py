"""PSNR = -10 log10( mean((x* - x)^2) ) and SSIM, computed by scikit-image with explicit settings

The estimate is clamped to [0,1], the peak is 1, and all channels count together.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SSIM_WINDOW = 11  # pixels: a Gaussian of sigma 1.5 cut off at 3.5 sigma

Pixels = NDArray[np.float32]


def psnr(clean: Pixels, estimate: Pixels) -> float | None:
    """The PSNR in dB; None for equal pictures, which have no finite value. Both are (H, W, C)."""
    from skimage.metrics import peak_signal_noise_ratio

    clamped = np.clip(estimate, 0, 1)
    if np.array_equal(clean, clamped):
        return None
    value = float(peak_signal_noise_ratio(clean, clamped, data_range=1.0))  # type: ignore[no-untyped-call]
    return value if math.isfinite(value) else None


def infinite_psnr(clean: Pixels, estimate: Pixels) -> float:
    """As `psnr`, but infinity for equal pictures, which can be compared and averaged."""
    value = psnr(clean, estimate)
    return math.inf if value is None else value


def ssim(clean: Pixels, estimate: Pixels) -> float | None:
    """The SSIM with the Gaussian window of its paper; None for pictures smaller than the window. Both are (H,
    W, C)."""
    from skimage.metrics import structural_similarity

    if min(clean.shape[:2]) < SSIM_WINDOW:
        return None
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            clean,
            np.clip(estimate, 0, 1),
            data_range=1.0,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )
