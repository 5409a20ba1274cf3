"""PSNR and SSIM against the true picture, by scikit-image, with settings that leave nothing to guess."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

SSIM_WINDOW = 11  # pixels: a Gaussian of sigma 1.5 cut off at 3.5 sigma


def psnr(clean: NDArray[Any], restored: NDArray[Any]) -> float | None:
    """In dB, peak 1, all channels together, the restored picture clamped to [0,1]; None if they are equal.

    clean, restored: (H, W, C).
    """
    from skimage.metrics import peak_signal_noise_ratio

    clamped = np.clip(restored, 0, 1)
    if np.array_equal(clean, clamped):
        return None
    value = float(peak_signal_noise_ratio(clean, clamped, data_range=1.0))  # type: ignore[no-untyped-call]
    return value if math.isfinite(value) else None


def ssim(clean: NDArray[Any], restored: NDArray[Any]) -> float | None:
    """With the Gaussian window of its paper (sigma 1.5); None for pictures smaller than that window."""
    from skimage.metrics import structural_similarity

    if min(clean.shape[:2]) < SSIM_WINDOW:
        return None
    return float(
        structural_similarity(  # type: ignore[no-untyped-call]
            clean,
            np.clip(restored, 0, 1),
            data_range=1.0,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )
