"""k* = arg min over k >= 0, sum k = 1 of F(k) >= -2 log p(dy | k): any kernel, from coarse to fine

Expectation maximisation with the E step of posterior.py and the M step of kernel_step.py, on a pyramid whose
coarsest kernel has three to five pixels per side. On each level the assumed noise decreases to the true one,
so that the kernel finds strong edges before it fits weak ones.
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

COARSEST = 5  # pixels per side of the first kernel, at most
ROUNDS = 12  # number of E and M steps on each level
# initial multiple of the true variance; factor by which it decreases in each round
FIRST_NOISE, NOISE_DECAY = 8.0, 1.3
LEAST_VARIANCE = 5e-5  # of derivatives; the model is not more accurate than this, whatever the noise
# rounds of variances, conjugate gradient steps, proximal Newton steps, FISTA steps in each
EM_STEPS = (2, 12, 2, 60)
FAINT = 0.02  # relative to the largest weight; smaller weights are dropped between levels
FAINT_AT_LAST = 0.05


def free_kernel(plane: Floats, sigma: float, size: int) -> Kernel:
    """The kernel of a blurred plane (H, W) with white noise of standard deviation sigma.

    It is at most size x size (odd, smaller than the plane), centred on its centroid, and trimmed of zeros.
    """
    sides = _sides(size)
    kernel = _first_guess(sides[0])
    for side in sides:
        kernel = _resized(kernel, side)
        kernel = _on_one_level(*smaller(plane, sigma, side / size), kernel)
        kernel = _cleaned(kernel, FAINT)
    return trimmed(_cleaned(kernel, FAINT_AT_LAST))


def agreement(first: Kernel, second: Kernel) -> float:
    """The largest correlation of two kernels over all shifts; 1 for equal kernels (Hu and Yang 2012)."""
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
    """Odd sides from coarse to fine; each is about sqrt 2 times the previous one."""
    sides = [size]
    while sides[0] > COARSEST:
        side = int(sides[0] / math.sqrt(2))
        sides.insert(0, max(3, side - (side % 2 == 0)))
    return sides


def _first_guess(side: int) -> Kernel:
    """Two neighbouring pixels. A kernel of a single pixel would be a fixed point."""
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
    """The kernel without faint weights, with its centroid within half a pixel of the middle, and sum 1."""
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
