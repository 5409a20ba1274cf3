"""-2 log p(y | k) = sum_f log S(f) + P(f) / S(f),   S(f) = c(angle f) |f|^(-2 alpha) |K(f)|^2 + sigma^2

P is the periodogram of the blurred picture. The spectra of natural pictures are close to a power of the
frequency (Field 1987), with a different height c in each direction. c and alpha are fitted to the picture for
each kernel, so that only the additional effect of a kernel counts: its zeros and its curvature. The
likelihood is Whittle's (1953): pictures are integrated out as a Gaussian process, and the phase of the kernel
is not seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2

Floats = NDArray[np.float64]

BLOCK = 256  # pixels per side of the blocks whose periodograms are averaged
MOST_BLOCKS = 5  # blocks along each side of the picture
SECTORS = 8  # number of directions with a height c of their own
LOWEST = 3  # periods per block, below which the window dominates
ROUNDS = 12  # iterations of Fisher scoring


@dataclass(frozen=True)
class Spectrum:
    """An averaged periodogram at the n frequencies that are used, and quantities that depend only on the
    frequency.

    Attributes:
        power: (n,).
        noise: sigma^2.
        shape: (block, block), the shape of the transform.
        used: Which frequencies of rfft2 are used.
        fx, fy: (n,), in periods per pixel; y points down.
        scale: -2 log |f|, centred.
        sector: The direction of each frequency.
    """

    power: Floats
    noise: float
    shape: tuple[int, int]
    used: NDArray[np.bool_]
    fx: Floats
    fy: Floats
    scale: Floats
    sector: NDArray[np.intp]

    def thinned(self, step: int) -> Spectrum:
        """Every step-th frequency, for a first search."""
        few = slice(None, None, step)
        some = np.zeros(len(self.power), bool)
        some[few] = True
        used = self.used.copy()
        used[self.used] = some
        return replace(
            self,
            power=self.power[few],
            used=used,
            fx=self.fx[few],
            fy=self.fy[few],
            scale=self.scale[few],
            sector=self.sector[few],
        )


@dataclass(frozen=True)
class Evidence:
    """How well a kernel explains a spectrum.

    Attributes:
        cost: -2 log p(y | k) per frequency.
        telling: Number of frequencies above the noise.
    """

    cost: float
    telling: float


def spectrum(plane: NDArray[np.floating], sigma: float) -> Spectrum:
    """The spectrum of a plane (H, W) with white noise of standard deviation sigma. Both sides have at least
    16 pixels."""
    block = min(BLOCK, *plane.shape)
    window = np.outer(np.hanning(block + 2)[1:-1], np.hanning(block + 2)[1:-1])
    window /= math.sqrt(float((window**2).sum()))
    corners = [_spread(side, block) for side in plane.shape]
    total: Floats = np.zeros((block, block // 2 + 1))
    for row in corners[0]:
        for column in corners[1]:
            piece = plane[row : row + block, column : column + block].astype(np.float64)
            piece = piece - (piece * window).sum() / window.sum()
            total += np.abs(rfft2(piece * window)) ** 2
    power = total / (len(corners[0]) * len(corners[1]))
    fy, fx = np.fft.fftfreq(block)[:, None], np.fft.rfftfreq(block)[None]
    radius = np.hypot(fy, fx)
    used = (radius >= LOWEST / block) & (radius < 0.5) & ((fx > 0) | (fy > 0))
    scale = -2 * np.log(radius[used])
    angle = np.broadcast_to(np.arctan2(fy, fx), used.shape)[used] / math.pi + 0.5
    sector = np.minimum((angle * SECTORS).astype(np.intp), SECTORS - 1)
    right, down = (np.broadcast_to(f, used.shape)[used] for f in (fx, fy))
    noise = max(sigma, 1e-4) ** 2
    return Spectrum(power[used], noise, (block, block), used, right, down, scale - scale.mean(), sector)


def transfer_of(kernel: Floats, y: Spectrum) -> Floats:
    """|K|^2 of a kernel (h, w), which is smaller than a block, at the frequencies of y."""
    return np.asarray((np.abs(rfft2(kernel, y.shape)) ** 2)[y.used])


def evidence(y: Spectrum, transfer: Floats) -> Evidence:
    """How badly a kernel with |K|^2 = transfer (n,) explains the spectrum of the blurred picture."""
    model = _fitted(y, transfer, _first(y, transfer)).picture(y) * transfer + y.noise
    share = 1 - y.noise / model
    return Evidence(float((np.log(model) + y.power / model).mean()), float((share**2).sum()))


class Likelihood:
    """-2 log p(y | k) per frequency as a function of a kernel (h, w), with its gradient.

    Each call begins its fit of the spectrum where the previous call ended, so that calls with similar kernels
    are fast.
    """

    def __init__(self, y: Spectrum) -> None:
        self.y = y
        self.count = len(y.power)
        self._fit: _Fit | None = None

    def __call__(self, kernel: Floats) -> tuple[float, Floats]:
        y = self.y
        whole = np.asarray(rfft2(kernel, y.shape))
        transfer = np.asarray((np.abs(whole) ** 2)[y.used])
        self._fit = _fitted(y, transfer, self._fit or _first(y, transfer))
        picture = self._fit.picture(y)
        model = picture * transfer + y.noise
        weight = np.zeros(whole.shape)
        weight[y.used] = picture * (1 / model - y.power / model**2)
        weight[:, 0] *= 2  # an inverse transform of real numbers counts all other columns twice
        weight[:, 0] = (weight[:, 0] + np.roll(weight[::-1, 0], 1)) / 2
        slope = irfft2(weight * whole, y.shape) * (y.shape[0] * y.shape[1] / self.count)
        cost = float((np.log(model) + y.power / model).mean())
        return cost, np.asarray(slope[: kernel.shape[0], : kernel.shape[1]])


@dataclass(frozen=True)
class _Fit:
    """log c (SECTORS,) and alpha."""

    height: Floats
    alpha: float

    def picture(self, y: Spectrum) -> Floats:
        """The spectrum of the sharp picture."""
        return np.asarray(np.exp(self.height[y.sector] + self.alpha * y.scale))


def _first(y: Spectrum, transfer: Floats) -> _Fit:
    alpha = 1.2
    excess = np.bincount(y.sector, np.maximum(y.power - y.noise, 0), SECTORS)
    modelled = np.bincount(y.sector, transfer * np.exp(alpha * y.scale), SECTORS)
    return _Fit(np.log(np.maximum(excess, 1e-12)) - np.log(modelled + 1e-12), alpha)


def _fitted(y: Spectrum, transfer: Floats, fit: _Fit) -> _Fit:
    """The fit that maximises the likelihood for |K|^2 = transfer (n,), from an initial one."""
    count = np.bincount(y.sector, minlength=SECTORS)
    for _ in range(ROUNDS):
        signal = fit.picture(y) * transfer
        model = signal + y.noise
        share = signal / model
        slope = (y.power / model - 1) * share
        weight = share**2
        # The Fisher information of (height, alpha) is an arrowhead matrix: eliminate the heights.
        a = np.bincount(y.sector, weight, SECTORS) + 1e-6 * count
        b = np.bincount(y.sector, weight * y.scale, SECTORS)
        d = float((weight * y.scale**2).sum()) + 1e-6
        s = np.bincount(y.sector, slope, SECTORS)
        step = float((slope * y.scale).sum()) - float((b * s / a).sum())
        step = float(np.clip(step / (d - float((b**2 / a).sum())), -0.3, 0.3))
        shift = np.clip((s - b * step) / a, -1, 1)
        fit = _Fit(fit.height + shift, fit.alpha + step)
        if abs(step) < 1e-4 and np.abs(shift).max() < 1e-3:
            break
    return fit


def _spread(side: int, block: int) -> NDArray[np.intp]:
    """Corners of blocks, which overlap by half if there are few enough of them."""
    count = min(MOST_BLOCKS, math.ceil(2 * (side - block) / block) + 1)
    return np.linspace(0, side - block, count).round().astype(np.intp)
