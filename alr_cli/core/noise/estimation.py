"""E X_c(u, v)^2 = sigma_c^2 P_c(u, v) in flat patches: a NoiseModel from one picture, without its truth

X is the orthonormal cosine transform of a 16 x 16 patch, which nearly decorrelates stationary noise. P is its
power spectrum, whose inverse transform is rho. The texture of the picture is kept out as follows:

1. Patches are chosen by one half of the frequencies (a checkerboard) and measured in the other half, and vice
versa. What makes a patch look flat by chance then does not make its measured noise smaller.
2. Among patches of similar brightness the spectrum is sigma^2 P plus texture, and texture adds mostly to low
frequencies. P is therefore the lower quartile, over brightnesses, of spectra of unit level. sigma^2 at a
brightness is the median over the frequencies of the ratio to P.
3. At brightnesses where a picture has only texture, sigma is bounded by the levels at neighbouring
brightnesses.

Second moments are medians of squares, so that a few edges do not count. docs/notebook/noise-estimate.md has
the measured errors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.noise.model import KNOTS, LAGS, NoiseModel
from alr_cli.core.numerics.cosine_matrix import cosine_matrix

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

SIDE = 16
MOST_PATCHES = 20_000
FEWEST_PATCHES = 400
FLAT_SHARE = 0.03  # share of the patches of similar brightness that count as flat
FEWEST_FLAT = 30
BINS = 12  # bins of brightness, with equally many patches
CLIPPED_SHARE = 0.02  # patches with a larger share of clipped pixels are left out
MEDIAN_OF_SQUARE = 0.4549364  # the median of the square of a standard normal variable
FLOOR = (0.05 / 255) ** 2  # smallest variance that is divided by
STEEPEST = 8.0  # |d log sigma / d sqrt(brightness)| of camera noise, except where white is clipped
NEARLY_WHITE = 0.93
COSINES = cosine_matrix(SIDE)  # (u, i)
ORDER = np.add.outer(np.arange(SIDE), np.arange(SIDE))
_AT_LAG = np.stack(
    [(COSINES[:, : SIDE - lag] * COSINES[:, lag:]).mean(axis=1) for lag in range(LAGS)], axis=1
)
HALVES = tuple((ORDER > 1) & (parity == ORDER % 2) for parity in (0, 1))  # without the mean and the slopes


def estimate_noise(pixels: NDArray[np.floating], mask: Bools | None = None) -> NoiseModel | None:
    """The noise of a picture (H, W, C) on [0,1]; None if there are fewer than 400 patches.

    mask: (H, W), True where a pixel must not be used. NaN and infinite pixels are never used.
    """
    patches = patches_of(pixels, mask)
    if len(patches) < FEWEST_PATCHES:
        return None
    means = patches.mean(axis=(2, 3))
    spectra = spectra_of(patches)
    look = Look(spectra)
    levels, shapes = [], []
    for channel in range(pixels.shape[2]):
        brightness, powers = look.powers(spectra[:, channel], means[:, channel])
        variance, shape = without_texture(powers)
        levels.append(at_knots(brightness, np.sqrt(variance)))
        shapes.append(shape)
    sigma = np.array(levels)
    return NoiseModel(
        sigma, _correlation(look, _normalised(spectra, means, sigma), means.mean(axis=1), shapes)
    )


class Look:
    """Flat patches, chosen by either half of the frequencies of all channels."""

    def __init__(self, spectra: NDArray[np.float32]) -> None:
        squares = np.einsum("ncuv,ncuv->nuv", spectra, spectra)
        self.energies = [squares[:, half].sum(axis=1) for half in HALVES]

    def powers(self, signal: NDArray[np.float32], brightness: Floats) -> tuple[Floats, Floats]:
        """Second moments of `signal` in flat patches, by brightness.

        The mean and the slopes, where shading hides the noise, are replaced by neighbouring frequencies.

        Args:
            signal: (n, u, v), spectra of patches.
            brightness: (n,), their brightness.

        Returns:
            The K brightnesses (K,) and the second moments (K, u, v).
        """
        order = np.argsort(brightness, kind="stable")
        groups = np.array_split(order, min(BINS, len(order) // (2 * FEWEST_FLAT)))
        powers = np.empty((len(groups), SIDE, SIDE))
        for power, group in zip(powers, groups, strict=True):
            count = max(int(FLAT_SHARE * len(group)), FEWEST_FLAT)
            for energy, measured in zip(self.energies, reversed(HALVES), strict=True):
                flat = group[np.argpartition(energy[group], count - 1)[:count]]
                squares = signal[flat][:, measured] ** 2
                power[measured] = np.median(squares, axis=0) / MEDIAN_OF_SQUARE
            power[ORDER < 2] = power[ORDER == 2].mean()
        return np.array([brightness[group].mean() for group in groups]), powers


def patches_of(pixels: NDArray[np.floating], mask: Bools | None) -> NDArray[np.float32]:
    """A seeded sample (n, C, 16, 16) of patches of usable pixels that are hardly clipped."""
    usable = np.isfinite(pixels).all(axis=2)
    if mask is not None:
        usable &= ~mask
    height, width, _ = pixels.shape
    if height < SIDE or width < SIDE:
        return np.empty((0, pixels.shape[2], SIDE, SIDE), np.float32)
    shape = (height - SIDE + 1, width - SIDE + 1)
    total = shape[0] * shape[1]
    # Patches that overlap by half add little, but a small picture has no others.
    count = min(total, max(total // 16, 10 * FEWEST_PATCHES), MOST_PATCHES)
    chosen = np.sort(np.random.default_rng(0).choice(total, count, replace=False))
    corners = np.unravel_index(chosen, shape)
    views = np.lib.stride_tricks.sliding_window_view(usable, (SIDE, SIDE))
    whole = views[corners].all(axis=(1, 2))
    corners = (corners[0][whole], corners[1][whole])
    views = np.lib.stride_tricks.sliding_window_view(pixels, (SIDE, SIDE), axis=(0, 1))
    patches = views[corners].astype(np.float32)
    clipped = ((patches <= 0) | (patches >= 1)).mean(axis=(1, 2, 3))
    result: NDArray[np.float32] = patches[clipped < CLIPPED_SHARE]
    return result


def spectra_of(patches: NDArray[np.float32]) -> NDArray[np.float32]:
    """X (n, C, u, v) of patches (n, C, 16, 16)."""
    cosines = COSINES.astype(np.float32)
    result: NDArray[np.float32] = np.matmul(np.matmul(cosines, patches), cosines.T)
    return result


def without_texture(powers: Floats) -> tuple[Floats, Floats]:
    """Spectra at K brightnesses (K, u, v) -> sigma^2 (K,) and P (u, v) with mean 1, both without texture."""
    variance = np.maximum(np.median(powers, axis=(1, 2)), FLOOR)
    for _ in range(5):
        shape = np.quantile(powers / variance[:, None, None], 0.25, axis=0)
        shape = np.maximum(shape / max(shape.mean(), 1e-12), 1e-3)
        shape /= shape.mean()
        variance = np.maximum(np.median(powers / shape, axis=(1, 2)), FLOOR)
    return variance, shape


def at_knots(brightness: Floats, sigma: Floats) -> Floats:
    """sigma at the knots, nowhere steeper than that of a camera.

    Where everything is texture, sigma is therefore bounded by its neighbours.
    """
    knots = np.linspace(0, 1, KNOTS)
    sources = brightness < max(NEARLY_WHITE, brightness.min() + 1e-6)
    distance = np.abs(np.sqrt(knots)[:, None] - np.sqrt(brightness[sources].clip(0)))
    bound = (sigma[sources] * np.exp(STEEPEST * distance)).min(axis=1)
    result: Floats = np.minimum(np.interp(knots, brightness, sigma), bound)
    return result


def _normalised(
    spectra: NDArray[np.float32], means: NDArray[np.float32], sigma: Floats
) -> NDArray[np.float32]:
    """The spectra in units of the noise of their channel and brightness."""
    knots = np.linspace(0, 1, KNOTS)
    levels = np.stack([np.interp(means[:, c], knots, sigma[c]) for c in range(len(sigma))], axis=1)
    result: NDArray[np.float32] = (
        spectra / np.maximum(levels, np.sqrt(FLOOR)).astype(np.float32)[..., None, None]
    )
    return result


def _correlation(look: Look, spectra: NDArray[np.float32], luma: Floats, shapes: list[Floats]) -> Floats:
    """rho (C, C, L, L) from spectra in units of the noise. For two channels, 4 E ab = E(a+b)^2 - E(a-b)^2."""
    channels = len(shapes)
    power = np.zeros((channels, channels, SIDE, SIDE))
    for a in range(channels):
        power[a, a] = shapes[a]
        for b in range(a):
            both = []
            for sign in (1, -1):
                variance, shape = without_texture(look.powers(spectra[:, a] + sign * spectra[:, b], luma)[1])
                both.append(np.median(variance) * shape)
            power[a, b] = power[b, a] = (both[0] - both[1]) / 4
    return _back(_possible(power))


def _possible(power: Floats) -> Floats:
    """The nearest spectra that noise can have: at each frequency they are a covariance of the channels."""
    values, vectors = np.linalg.eigh(power.transpose(2, 3, 0, 1))
    result: Floats = (vectors * values.clip(0)[..., None, :] @ vectors.swapaxes(-1, -2)).transpose(2, 3, 0, 1)
    return result


def correlation_of(shape: Floats) -> Floats:
    """rho (L, L) of noise with spectrum P (u, v).

    It is the mean over pixels i of E x(i) x(i + d), where the cosine coefficients of x are uncorrelated.
    """
    covariance = np.einsum("uv,uy,vx->yx", shape, _AT_LAG, _AT_LAG)
    result: Floats = np.clip(covariance / covariance[0, 0], -1, 1)
    return result


def _back(power: Floats) -> Floats:
    """As `correlation_of`, for several channels."""
    covariance = np.einsum("abuv,uy,vx->abyx", power, _AT_LAG, _AT_LAG)
    deviation = np.sqrt(np.einsum("aa->a", covariance[..., 0, 0]))
    result: Floats = np.clip(covariance / (deviation[:, None] * deviation)[..., None, None], -1, 1)
    return result
