"""k = arg min over k >= 0, sum k = 1 of  |k * g - dy|^2 + ridge |k|^2: the kernel, given the edges g

The gradient is exact. The Hessian is approximated by that of a picture surrounded by black, a Toeplitz matrix
made of its autocorrelation (a proximal Newton step). Each quadratic program is solved by FISTA (Beck and
Teboulle 2009) with projection onto the simplex (Duchi et al. 2008).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

Kernel = NDArray[np.float64]
Floats = NDArray[np.floating]

NEWTON_STEPS, FISTA_STEPS = 3, 60


class EdgeFit:
    """|k * g - dy|^2 where no pixel beyond the frame is needed, as a function of the kernel.

    Args:
        y: (2, H, W), the derivatives of the blurred picture.
        edges: (2, H, W), those of the sharp picture.
        side: Pixels per side of the kernel, odd.
    """

    def __init__(self, y: Floats, edges: Floats, side: int) -> None:
        reach = side // 2
        self.side = side
        self.inside = (slice(None), *(slice(side - 1, n) for n in edges.shape[1:]))
        self.shape = tuple(next_fast_len(n, real=True) for n in edges.shape[1:])
        self.observed = y[:, reach : y.shape[1] - reach, reach : y.shape[2] - reach].astype(np.float32)
        self.edges = rfft2(edges.astype(np.float32), self.shape)
        self.hessian = _Toeplitz(edges, side)

    def residual(self, kernel: Kernel) -> Floats:
        """k * g - dy."""
        whole = irfft2(self.edges * rfft2(kernel.astype(np.float32), self.shape), self.shape)
        return np.asarray(whole[self.inside] - self.observed)

    def slope(self, residual: Floats) -> Kernel:
        """Half of the gradient with respect to the kernel."""
        padded = np.zeros((2, *self.shape), np.float32)
        padded[self.inside] = residual
        both = irfft2((rfft2(padded) * self.edges.conj()).sum(axis=0), self.shape)
        return np.asarray(both[: self.side, : self.side], np.float64)


def kernel_step(fit: EdgeFit, kernel: Kernel, ridge: float) -> Kernel:
    """The kernel that explains the derivatives best, starting from `kernel`."""
    for _ in range(NEWTON_STEPS):
        slope = fit.slope(fit.residual(kernel)) + ridge * kernel
        kernel = _quadratic_program(fit.hessian, ridge, slope, kernel)
    return kernel


class _Toeplitz:
    """k -> sum_lags autocorrelation(x) k, and an upper bound of its largest eigenvalue."""

    def __init__(self, x: Floats, side: int) -> None:
        self.side = side
        whole = tuple(next_fast_len(n + side, real=True) for n in x.shape[1:])
        lags = irfft2((np.abs(rfft2(x, whole)) ** 2).sum(axis=0), whole).astype(np.float64)
        near = np.roll(lags, (side - 1, side - 1), axis=(0, 1))[: 2 * side - 1, : 2 * side - 1]
        self.shape = (next_fast_len(3 * side, real=True),) * 2
        self.transfer = rfft2(near, self.shape)
        self.largest = float(np.abs(rfft2(near, (4 * side, 4 * side))).max())

    def __call__(self, k: Kernel) -> Kernel:
        inside = slice(self.side - 1, 2 * self.side - 1)
        return np.asarray(irfft2(rfft2(k, self.shape) * self.transfer, self.shape)[inside, inside])


def _quadratic_program(hessian: _Toeplitz, ridge: float, slope: Kernel, kernel: Kernel) -> Kernel:
    """Minimise slope (k - kernel) + (k - kernel) (hessian + ridge) (k - kernel) / 2 over the simplex."""
    start, z, t = kernel, kernel, 1.0
    for _ in range(FISTA_STEPS):
        step = slope + hessian(z - start) + ridge * (z - start)
        new = on_simplex(z - step / (hessian.largest + ridge))
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
