"""k = arg min over k >= 0, sum k = 1 of  sum |k * mu - y|^2 + |k|^2 sum z: the kernel, given q(x)

The gradient is exact. The Hessian is approximated by that of a picture surrounded by black, a Toeplitz matrix
made of its autocorrelation (a proximal Newton step). Each quadratic program is solved by FISTA (Beck and
Teboulle 2009) with projection onto the simplex (Duchi et al. 2008).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

from alr_cli.core.blind.gradients import Gradients
from alr_cli.core.blind.posterior import Posterior, ValidBlur

Kernel = NDArray[np.float64]


def kernel_step(
    y: Gradients, q: Posterior, blur: ValidBlur, kernel: Kernel, steps: int, inner: int
) -> Kernel:
    spectrum = np.asarray(rfft2(q.mean))
    spread = float(q.variance.astype(np.float64).sum())
    hessian = _Toeplitz(q.mean, blur.sides, spread)
    for _ in range(steps):
        residual = blur.of_kernel(spectrum, kernel) - y.values
        slope = blur.correlate(spectrum, residual) + spread * kernel
        kernel = _quadratic_program(hessian, slope, kernel, inner)
    return kernel


class _Toeplitz:
    """k -> sum_lags autocorrelation(x) k + spread k, and an upper bound of its largest eigenvalue."""

    def __init__(self, x: NDArray[np.float32], sides: tuple[int, int], spread: float) -> None:
        self.sides, self.spread = sides, spread
        whole = tuple(next_fast_len(n + side, real=True) for n, side in zip(x.shape[1:], sides, strict=True))
        lags = irfft2((np.abs(rfft2(x, whole)) ** 2).sum(axis=0), whole).astype(np.float64)
        a, b = sides
        near = np.roll(lags, (a - 1, b - 1), axis=(0, 1))[: 2 * a - 1, : 2 * b - 1]
        self.shape = tuple(next_fast_len(3 * side, real=True) for side in sides)
        self.transfer = rfft2(near, self.shape)
        self.largest = float(np.abs(rfft2(near, tuple(4 * s for s in sides))).max()) + spread

    def __call__(self, k: Kernel) -> Kernel:
        a, b = self.sides
        full = irfft2(rfft2(k, self.shape) * self.transfer, self.shape)
        return np.asarray(full[a - 1 : 2 * a - 1, b - 1 : 2 * b - 1]) + self.spread * k


def _quadratic_program(hessian: _Toeplitz, slope: Kernel, kernel: Kernel, steps: int) -> Kernel:
    """Minimise slope (k - kernel) + (k - kernel) hessian (k - kernel) / 2 over the simplex."""
    start, z, t = kernel, kernel, 1.0
    for _ in range(steps):
        new = on_simplex(z - (slope + hessian(z - start)) / hessian.largest)
        t_new = (1 + (1 + 4 * t * t) ** 0.5) / 2
        z = new + (t - 1) / t_new * (new - kernel)
        kernel, t = new, t_new
    return kernel


def on_simplex(v: Kernel) -> Kernel:
    """The nearest array of weights >= 0 with sum 1."""
    ordered = np.sort(v, axis=None)[::-1]
    excess = (np.cumsum(ordered) - 1) / np.arange(1, v.size + 1)
    count = np.nonzero(ordered > excess)[0][-1]
    return np.asarray(np.maximum(v - excess[count], 0))
