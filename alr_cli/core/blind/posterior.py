"""q(x) = N(mu, diag z) close to p(dx | dy, k), at the minimum of a bound of -2 log p(dy | k)

    |k * mu - y|^2 / v + sum_i mu_i^2 / gamma_i + log(v + gamma_i |k|^2),

with z_i = 1 / (|k|^2 / v + 1 / gamma_i)

y are the derivatives of the blurred picture with noise of variance v. x are those of the sharp picture, each
a Gaussian whose own variance gamma_i is unknown (a sparse prior without parameters). Minimising over x and k
jointly favours no blur (Levin, Weiss, Durand and Freeman 2009). Here x is integrated out, which leaves the
term |k|^2 and does not have this bias.

Levin et al., Efficient marginal likelihood optimization in blind deconvolution, CVPR 2011; Wipf and Zhang,
Revisiting Bayesian blind deconvolution, JMLR 2014.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

from alr_cli.core.blind.gradients import Gradients

Floats = NDArray[np.float32]


class ValidBlur:
    """x -> k * x without pixels beyond x: from (2, h, w) on a torus to (2, H, W).

    The kernels have up to (a, b) pixels, odd. h >= H + a - 1 and w >= W + b - 1 are fast sizes for Fourier
    transforms.
    """

    def __init__(self, observed: tuple[int, int], sides: tuple[int, int]) -> None:
        self.observed, self.sides = observed, sides
        self.shape = tuple(
            next_fast_len(n + side - 1, real=True) for n, side in zip(observed, sides, strict=True)
        )

    def transfer(self, kernel: NDArray[np.float64]) -> NDArray[np.complex64]:
        """The Fourier transform of a kernel (a, b), as `forward` and `adjoint` need it."""
        return np.asarray(rfft2(kernel.astype(np.float32), self.shape))

    def forward(self, transfer: NDArray[np.complex64], x: Floats) -> Floats:
        a, b = self.sides
        full = irfft2(rfft2(x) * transfer, self.shape)
        return np.asarray(full[:, a - 1 : a - 1 + self.observed[0], b - 1 : b - 1 + self.observed[1]])

    def of_kernel(self, spectrum: NDArray[np.complex64], kernel: NDArray[np.float64]) -> Floats:
        """`forward` as a linear function of the kernel; `spectrum` is rfft2 of x."""
        a, b = self.sides
        full = irfft2(spectrum * self.transfer(kernel), self.shape)
        return np.asarray(full[:, a - 1 : a - 1 + self.observed[0], b - 1 : b - 1 + self.observed[1]])

    def adjoint(self, transfer: NDArray[np.complex64], y: Floats) -> Floats:
        return np.asarray(irfft2(rfft2(self._padded(y)) * transfer.conj(), self.shape))

    def correlate(self, spectrum: NDArray[np.complex64], y: Floats) -> NDArray[np.float64]:
        """The adjoint of k -> k * x, summed over both derivatives; `spectrum` is rfft2 of x."""
        both = irfft2((rfft2(self._padded(y)) * spectrum.conj()).sum(axis=0), self.shape)
        return np.asarray(both[: self.sides[0], : self.sides[1]], np.float64)

    def _padded(self, y: Floats) -> Floats:
        a, b = self.sides
        padded = np.zeros((2, *self.shape), np.float32)
        padded[:, a - 1 : a - 1 + self.observed[0], b - 1 : b - 1 + self.observed[1]] = y
        return padded


@dataclass(frozen=True)
class Posterior:
    """mu, z and gamma, each (2, h, w)."""

    mean: Floats
    variance: Floats
    gamma: Floats


def start(y: Gradients, blur: ValidBlur) -> Floats:
    """The initial gamma: the mean square of the derivatives, at all pixels."""
    return np.full((2, *blur.shape), float((y.values**2).mean()), np.float32)


def posterior(
    y: Gradients,
    kernel: NDArray[np.float64],
    blur: ValidBlur,
    noise: float,
    gamma: Floats,
    mean: Floats,
    rounds: int,
    steps: int,
) -> Posterior:
    """Alternate `rounds` times between mu (by `steps` of conjugate gradients) and gamma."""
    transfer = blur.transfer(kernel)
    energy = float((kernel**2).sum())
    variance = gamma
    for _ in range(rounds):
        mean = _mean(y.values, blur, transfer, noise, gamma, mean, steps)
        variance = np.float32(1) / (np.float32(energy / noise) + np.float32(1) / gamma)
        gamma = np.asarray(mean**2 + variance, np.float32)
    return Posterior(mean, variance, gamma)


def _mean(
    y: Floats,
    blur: ValidBlur,
    transfer: NDArray[np.complex64],
    noise: float,
    gamma: Floats,
    mean: Floats,
    steps: int,
) -> Floats:
    """(K^T K / v + 1 / gamma)^-1 K^T y / v, by conjugate gradients in u = mu / sqrt(gamma), starting from
    `mean`."""
    root = np.sqrt(gamma)

    def apply(u: Floats) -> Floats:
        return root * blur.adjoint(transfer, blur.forward(transfer, root * u)) / np.float32(noise) + u

    u = np.asarray(mean / root, np.float32)
    r = root * blur.adjoint(transfer, y) / np.float32(noise) - apply(u)
    p, square = r, float(np.vdot(r, r))
    for _ in range(steps):
        if square < 1e-12:
            break
        a = apply(p)
        step = square / float(np.vdot(p, a))
        u = u + np.float32(step) * p
        r = r - np.float32(step) * a
        before, square = square, float(np.vdot(r, r))
        p = r + np.float32(square / before) * p
    return np.asarray(root * u)
