"""scikit-image's pictures, blurred with a known kernel, with white noise."""

import numpy as np
from scipy.signal import fftconvolve
from skimage import data

SIGMA = 0.01


def blurred(kernel: np.ndarray, name: str = "astronaut", side: int = 255) -> np.ndarray:
    """(side - h + 1, side - w + 1) float32: the centre of a gray picture, where its blur is determined."""
    picture = np.asarray(getattr(data, name)(), np.float64) / 255
    plane = picture.mean(axis=2) if picture.ndim == 3 else picture
    top, left = ((n - side) // 2 for n in plane.shape)
    clean = plane[top : top + side, left : left + side]
    noise = np.random.default_rng(0).normal(
        0, SIGMA, (side - kernel.shape[0] + 1, side - kernel.shape[1] + 1)
    )
    return (fftconvolve(clean, kernel, mode="valid") + noise).astype(np.float32)


def trace() -> np.ndarray:
    """A bent path of 11 x 11 pixels, like that of a shaking hand."""
    kernel = np.zeros((11, 11))
    rows, columns = (2, 3, 4, 5, 6, 6, 5, 4, 3, 7, 8), (2, 2, 3, 4, 5, 6, 7, 8, 8, 5, 5)
    kernel[rows, columns] = 1
    return kernel / kernel.sum()
