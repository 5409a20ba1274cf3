"""y = x + eps, eps ~ N(0, sigma^2)  (eq. 1 with A = I): estimating sigma, and degrading pictures on purpose.

Pictures are (H, W, C) with values in [0, 1]; sigma is on the same scale.
"""

import hashlib
import math
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.numerics.cosine_matrix import cosine_matrix

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PATCH_SIDES = (7, 5, 3, 2)  # the largest is used of which the picture has enough
ENOUGH_PATCHES = 1000
FEWEST_PATCHES = 64
FEWEST_SMOOTH = 200
_CLOSE = 1e-4  # relative to a value that is found by bisection
BINS = 12  # of brightness, with equally many patches
FEWEST_ALIKE = 400  # patches of similar brightness
FEWEST_WITH_GRAIN = 0.1  # share of the patches; fewer have grain in a drawing
MOST_PATCHES = 30_000  # more of them cost time and do not improve the estimate


def estimate_sigma(
    pixels: NDArray[np.floating], mask: Bools | None = None, most: int = MOST_PATCHES
) -> float:
    """The standard deviation of white Gaussian noise in a picture, from that picture alone.

    An orthonormal cosine transform of small patches (also over the colours) leaves white noise white and
    concentrates the picture in its low frequencies. The patches with the least energy in the low frequencies
    are the smooth ones. The energy of their high frequencies is sigma^2, because for white noise it is
    independent of that choice (after Ponomarenko et al. 2007; Colom and Buades 2013). Noise that was clipped
    to [0, 1] has a smaller variance, which is a known function of the local mean (Foi 2009) and is inverted.

    docs/notebook/noise-estimate.md has the measured errors. Noise that is not white, as in most camera JPEGs,
    is underestimated.

    Args:
        pixels: (H, W, C).
        mask: (H, W), True where a pixel must not be used. NaN and infinite pixels are never used.
        most: Number of patches to use. A tenth of the usual number takes a tenth of the time, but is affected
            more by texture.

    Returns:
        sigma >= 0. It is 0 for a picture without any grain, and NaN if there are fewer than 64 patches of 2 x
            2 usable pixels.
    """
    return WhiteNoise(pixels, mask, most).sigma


class WhiteNoise:
    """What the patches of a picture tell of white noise. The arguments are those of `estimate_sigma`."""

    def __init__(
        self, pixels: NDArray[np.floating], mask: Bools | None = None, most: int = MOST_PATCHES
    ) -> None:
        usable = _usable(pixels, mask)
        patches, self._share = _patches(pixels, usable, most)
        if self._share >= FEWEST_WITH_GRAIN:
            self._energy, self._fine = _spectrum(patches)
            self._means, self._bounds = patches.mean(axis=(2, 3)), _bounds(pixels, usable)

    @cached_property
    def sigma(self) -> float:
        """See `estimate_sigma`."""
        if self._share == 0.0:
            return float("nan")
        if self._share < FEWEST_WITH_GRAIN:
            return 0.0  # a drawing
        return _sigma_of_smoothest(self._energy, self._fine, self._means, *self._bounds)

    def by_brightness(self) -> tuple[Floats, Floats]:
        """The level at up to twelve brightnesses (K,), and these brightnesses.

        It is the level of the patches of similar brightness. K is smaller for small pictures, and 0 if
        nothing can be estimated.
        """
        if self._share < FEWEST_WITH_GRAIN:
            return np.empty(0), np.empty(0)
        brightness = self._means.mean(axis=1)
        count = min(BINS, len(brightness) // FEWEST_ALIKE) or 1
        groups = np.array_split(np.argsort(brightness, kind="stable"), count)
        start = max(self.sigma, 1e-4)
        sigma = [
            _sigma_of_smoothest(
                self._energy[group], self._fine[group], self._means[group], *self._bounds, start
            )
            for group in groups
        ]
        return np.array(sigma), np.array([brightness[group].mean() for group in groups])


def _usable(pixels: NDArray[np.floating], mask: Bools | None) -> Bools:
    usable = np.ones(pixels.shape[:2], bool) if mask is None else ~mask
    for channel in range(pixels.shape[2]):
        usable &= np.isfinite(pixels[..., channel])
    return usable


def _patches(pixels: NDArray[np.floating], usable: Bools, most: int) -> tuple[Floats, float]:
    """Patches (n, C, side, side) that have grain, and their share; the share is 0 if there are too few
    patches."""
    for side in PATCH_SIDES:
        corners = _corners(usable, side, most)
        if len(corners) >= np.clip(np.count_nonzero(usable) / 3, FEWEST_PATCHES, ENOUGH_PATCHES):
            break
    if len(corners) < FEWEST_PATCHES:
        return np.empty((0, pixels.shape[2], side, side)), 0.0
    views = np.lib.stride_tricks.sliding_window_view(pixels, (side, side), axis=(0, 1))
    seen = views[tuple(corners.T)]
    patches = seen[~_without_grain(seen)].astype(np.float64)
    return patches, max(len(patches), 1e-3) / len(corners)


def _bounds(pixels: NDArray[np.floating], usable: Bools) -> tuple[float, float]:
    """The bounds at which noise was clipped, infinite if it was not.

    A bound of the range was involved in clipping only if the extreme value is exactly on it.
    """
    low = 0.0 if pixels.min(where=usable[..., None], initial=np.inf) == 0 else -np.inf
    high = 1.0 if pixels.max(where=usable[..., None], initial=-np.inf) == 1 else np.inf
    return low, high


def _corners(usable: Bools, side: int, most: int) -> NDArray[np.intp]:
    """Corners (n, 2) of a seeded sample of the side x side patches that consist of usable pixels."""
    height, width = usable.shape
    if height < side or width < side:
        return np.empty((0, 2), np.intp)
    shape = (height - side + 1, width - side + 1)
    inside = None if usable.all() else np.flatnonzero(_windows_all(usable, side))
    total = shape[0] * shape[1] if inside is None else len(inside)
    if total > most:
        chosen = np.unique(np.random.default_rng(0).integers(0, total, most))
    else:
        chosen = np.arange(total)
    return np.stack(np.unravel_index(chosen if inside is None else inside[chosen], shape), axis=1)


def _windows_all(usable: Bools, side: int) -> Bools:
    """Whether all pixels of each side x side window are usable, indexed by its first pixel."""
    count = np.zeros(
        (usable.shape[0] + 1, usable.shape[1] + 1), np.int32
    )  # number of unusable pixels above and to the left
    np.cumsum(np.cumsum(~usable, axis=0, dtype=np.int32), axis=1, out=count[1:, 1:])
    unusable = count[side:, side:] - count[:-side, side:] - count[side:, :-side] + count[:-side, :-side]
    result: Bools = unusable == 0
    return result


def _without_grain(patches: NDArray[np.floating]) -> Bools:
    """Which patches (n, C, side, side) have mostly equal neighbours: frames and blown skies, which have no
    noise.

    In an 8-bit file, noise of half a level leaves about half of the neighbours equal.
    """
    equal = (patches[..., 1:] == patches[..., :-1]).all(axis=1)
    result: Bools = equal.mean(axis=(1, 2)) > 0.75
    return result


def _spectrum(patches: Floats) -> tuple[Floats, Floats]:
    """The energy of the low frequencies (n,) and the coefficients of the highest ones (n, m) of
    each patch."""
    _, channels, side, _ = patches.shape
    cosines = cosine_matrix(side)
    colours = cosine_matrix(channels)
    basis = np.einsum("ac,ui,vj->auvcij", colours, cosines, cosines).reshape(channels, side, side, -1)
    order = np.add.outer(np.arange(side), np.arange(side))
    fine = order >= 1.5 * (side - 1)
    flat = patches.reshape(len(patches), -1)
    means, high_part = (flat @ basis[:, part].reshape(-1, flat.shape[1]).T for part in (order == 0, fine))
    # The transform keeps the energy, so that of the low frequencies is what the others leave.
    whole, constant, high = (np.einsum("nm,nm->n", part, part) for part in (flat, means, high_part))
    return whole - constant - high, high_part


def _sigma_of_smoothest(
    energy: Floats, fine: Floats, means: Floats, low: float, high: float, start: float = 0.01
) -> float:
    """sigma from the smooth patches among those that were hardly clipped, found by iteration."""
    sigma = start
    for _ in range(6):
        before, chosen = sigma, np.arange(len(energy))
        if np.isfinite([low, high]).any():
            kept = _clipped_variance(means, sigma, low, high).mean(axis=1)
            chosen = np.flatnonzero(kept >= min(0.6 * sigma**2, np.quantile(kept, 0.8)))
        # With more noise, texture matters less, and clipping couples high frequencies to low ones.
        share = min(0.02 + 15 * sigma**2, 1.0)
        count = min(max(int(share * len(energy)), FEWEST_SMOOTH), len(chosen))
        chosen = chosen[np.argpartition(energy[chosen], count - 1)[:count]]
        variance = float(np.median(np.mean(fine[chosen] ** 2, axis=0)))
        sigma = _unclipped(variance, means[chosen[:: 1 + count // 1000]], low, high)
        if abs(sigma - before) <= 0.005 * before:
            break
    return sigma


def _unclipped(variance: float, means: Floats, low: float, high: float) -> float:
    """The sigma whose noise has this variance when it is clipped to [low, high] around pixels with these
    means."""
    smallest = float(np.sqrt(variance))
    if smallest == 0 or (np.isinf(low) and np.isinf(high)):
        return smallest
    if _clipped_variance(means, smallest, low, high).mean() >= (1 - _CLOSE) * variance:
        return smallest
    largest = max(1.0, smallest)
    while largest - smallest > _CLOSE * smallest:
        sigma = (smallest + largest) / 2
        if _clipped_variance(means, sigma, low, high).mean() < variance:
            smallest = sigma
        else:
            largest = sigma
    return (smallest + largest) / 2


def _clipped_variance(means: Floats, sigma: float, low: float, high: float) -> Floats:
    """Var clip(mu + sigma z, low, high), z ~ N(0, 1), where its mean is `means`."""
    mu = np.linspace(max(low, means.min()) - 4 * sigma, min(high, means.max()) + 4 * sigma, 500)
    a, b = np.maximum((low - mu) / sigma, -40), np.minimum((high - mu) / sigma, 40)
    below, above = (_below(t) for t in (a, -b))
    density_a, density_b = (np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi) for t in (a, b))
    first = a * below + b * above + density_a - density_b
    second = a**2 * below + b**2 * above + 1 - below - above + a * density_a - b * density_b
    result: Floats = np.interp(means, mu + sigma * first, sigma**2 * np.maximum(second - first**2, 0))
    return result


def _below(t: Floats) -> Floats:
    """P(z < t), z ~ N(0, 1), within 2e-7: linear between the entries of a table.

    scipy.special.ndtr is exact, but importing it takes longer than estimating.
    """
    result: Floats = np.interp(t, *_table_of_below())
    return result


@cache
def _table_of_below() -> tuple[Floats, Floats]:
    t = np.linspace(-8, 8, 8001)
    return t, np.array([math.erfc(-each / math.sqrt(2)) / 2 for each in t.tolist()])


def add_gaussian_noise(
    pixels: NDArray[np.floating], sigma: float, seed: int, clip: bool = False
) -> NDArray[np.float32]:
    """pixels + sigma z, float32, with z ~ N(0, 1) determined by `seed`; with `clip`, clipped to [0, 1]."""
    noisy = pixels + np.float32(sigma) * _generator(seed).standard_normal(pixels.shape, np.float32)
    return (noisy.clip(0, 1) if clip else noisy).astype(np.float32)


def random_mask(shape: tuple[int, int], missing: float, seed: int) -> Bools:
    """(H, W), True at round(missing H W) pixels, which are determined by `seed`."""
    pixels = shape[0] * shape[1]
    order = _generator(seed).permutation(pixels)
    result: Bools = (order < round(missing * pixels)).reshape(shape)
    return result


def seed_for(seed: int, name: str) -> int:
    """A seed that depends on (seed, name) only, so that a picture is degraded equally in any batch."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8])


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))
