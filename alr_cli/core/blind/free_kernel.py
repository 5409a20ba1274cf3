"""k* = arg min over k >= 0, sum k = 1 of F(k) >= -2 log p(dy | k): any kernel, from coarse to fine

The expectation-maximisation of posterior.py (its E step) and kernel_step.py (its M step) on a pyramid whose
coarsest kernel has three to five pixels a side. On each level the noise that is assumed falls to the true
one, which lets the kernel find strong edges before it fits weak ones.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import shift, zoom
from scipy.signal import fftconvolve

from alr_cli.core.blind.gradients import Floats, gradients, smaller
from alr_cli.core.blind.kernel_step import Kernel, kernel_step
from alr_cli.core.blind.posterior import ValidBlur, posterior, start

COARSEST = 5  # pixels a side of the first kernel, at most
ROUNDS = 12  # of E and M on each level
FIRST_NOISE, NOISE_DECAY = 8.0, 1.3  # times the true variance; by how much it falls in a round
LEAST_VARIANCE = 5e-5  # of derivatives: the model is no better, whatever the noise
EM_STEPS = (2, 12, 2, 60)  # rounds of variances, conjugate gradients, proximal Newton steps, FISTA in each
FAINT = 0.02  # of the largest weight: weights below it are forgotten between levels
FAINT_AT_LAST = 0.05


def free_kernel(plane: Floats, sigma: float, size: int) -> Kernel:
    """The kernel of a blurred plane (H, W) with white noise of standard deviation sigma: at most size x size
    (odd, smaller than the plane), centred on its centroid and trimmed to what is not 0."""
    sides = _sides(size)
    kernel = _first_guess(sides[0])
    for side in sides:
        kernel = _resized(kernel, side)
        kernel = _on_one_level(*smaller(plane, sigma, side / size), kernel)
        kernel = _cleaned(kernel, FAINT)
    return trimmed(_cleaned(kernel, FAINT_AT_LAST))


def agreement(first: Kernel, second: Kernel) -> float:
    """The largest correlation of two kernels over all shifts, 1 for equal ones (Hu and Yang 2012)."""
    products = fftconvolve(first, second[::-1, ::-1])
    return float(products.max() / math.sqrt(float((first**2).sum() * (second**2).sum())))


def trimmed(kernel: Kernel) -> Kernel:
    """The middle of a kernel, with odd sides, outside of which all weights are 0."""
    rows, columns = (np.nonzero(kernel.any(axis=axis))[0] for axis in (1, 0))
    middle = [side // 2 for side in kernel.shape]
    reach = [int(np.abs(found - m).max()) for found, m in zip((rows, columns), middle, strict=True)]
    return kernel[
        middle[0] - reach[0] : middle[0] + reach[0] + 1, middle[1] - reach[1] : middle[1] + reach[1] + 1
    ]


def _sides(size: int) -> list[int]:
    """Odd sides from coarse to fine, each about sqrt 2 times the one before."""
    sides = [size]
    while sides[0] > COARSEST:
        side = int(sides[0] / math.sqrt(2))
        sides.insert(0, max(3, side - (side % 2 == 0)))
    return sides


def _first_guess(side: int) -> Kernel:
    """Two pixels beside each other: not quite sharp, as a kernel of one pixel is a fixed point."""
    kernel = np.zeros((side, side))
    kernel[side // 2, side // 2 : side // 2 + 2] = 0.5
    return kernel


def _on_one_level(plane: Floats, sigma: float, kernel: Kernel) -> Kernel:
    y = gradients(plane, sigma)
    blur = ValidBlur(y.shape, (kernel.shape[0], kernel.shape[1]))
    least = max(y.variance, LEAST_VARIANCE)
    noise = FIRST_NOISE * least
    gamma = start(y, blur)
    mean = np.zeros_like(gamma)
    variances, conjugate, newton, fista = EM_STEPS
    for each in range(ROUNDS):
        rounds = variances if each else 2 * variances
        q = posterior(y, kernel, blur, noise, gamma, mean, rounds, conjugate)
        gamma, mean = q.gamma, q.mean
        kernel = kernel_step(y, q, blur, kernel, newton, fista)
        noise = max(noise / NOISE_DECAY, least)
    return kernel


def _cleaned(kernel: Kernel, faint: float) -> Kernel:
    """Without faint weights, its centroid within half a pixel of the middle, sum 1."""
    kernel = np.where(kernel >= faint * kernel.max(), kernel, 0)
    kernel /= kernel.sum()
    middle = kernel.shape[0] // 2
    position = np.arange(kernel.shape[0]) - middle
    offset = [round(float((kernel.sum(axis=axis) * position).sum())) for axis in (1, 0)]
    moved: NDArray[np.float64] = shift(kernel, [-o for o in offset], order=0)
    return np.asarray(moved / moved.sum())


def _resized(kernel: Kernel, side: int) -> Kernel:
    """The kernel on a finer level, side x side."""
    if kernel.shape[0] == side:
        return kernel
    framed = np.pad(kernel, 1)
    finer = zoom(framed, (side + 2) / framed.shape[0], order=1)
    cut = (finer.shape[0] - side) // 2
    finer = np.maximum(finer[cut : cut + side, cut : cut + side], 0)
    return np.asarray(finer / finer.sum())
