"""x* = arg min 1/(2 sigma^2) ||x - y||^2 - sum_i log p(P_i x)    (EPLL, Zoran and Weiss 2011)

P_i extracts the i-th 8 x 8 patch, and p is a Gaussian mixture (mixture.py). The solver is half-quadratic
splitting. For beta = 1, 4, 8, 16, 32 times 1 / sigma^2 in turn,

    z_i = the most probable patch given P_i x with noise of variance 1 / beta
    x   = (y / sigma^2 + beta mean_i P_i^T z_i) / (1 / sigma^2 + beta)

As in the original, z_i is the Wiener estimate under the most probable component. The picture is reflected at
its frame, so that each pixel is in 64 patches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alr_cli.bench.degradations import Observation, Pixels
from alr_cli.bench.methods import mixture as mixtures
from alr_cli.bench.methods.colours import plane_by_plane
from alr_cli.bench.methods.mixture import SIDE, Mixture, basis, mixture_path

Floats = NDArray[np.float32]

BETAS = (1.0, 4.0, 8.0, 16.0, 32.0)  # in units of 1 / sigma^2, as published
# The component of a patch is chosen for the first betas and then kept, which halves the work and costs 0.02
# dB.
CHOICES = 3
# For this choice, variances below this multiple of the noise variance are replaced by their mean, at a
# similar gain and cost.
NEGLIGIBLE = 1.0
PATCHES_AT_ONCE = 256  # keeps the projections in the processor's cache, which halves the time


def epll(observation: Observation) -> Pixels:
    """EPLL in luminance and two colour differences. Raises InputError for a damaged mixture."""
    mixture = _loaded(mixture_path())
    sigma = observation.sigma

    # the mixture was fitted to gray patches, which correspond to the mean of the channels
    def restore(plane: Pixels, unit: float) -> Pixels:
        return restore_plane(plane / np.float32(unit), sigma / unit, mixture) * np.float32(unit)

    return plane_by_plane(observation.pixels, restore)


@lru_cache(maxsize=1)
def _loaded(path: Path) -> Mixture:
    return mixtures.load(path)


def restore_plane(y: Floats, sigma: float, mixture: Mixture) -> Floats:
    """EPLL of one plane.

    Args:
        y: (H, W).
        sigma: Standard deviation of its noise, > 0.
        mixture: The prior.

    Returns:
        x, (H, W), not clamped.
    """
    x, chosen = y, np.zeros(0, np.intp)
    for number, beta in enumerate(BETAS):
        components = Components.of(mixture, sigma**2 / beta)
        patches = coefficients(x)
        if number < CHOICES:
            chosen = components.choose(patches.shapes)
        patches.shapes[:] = components.estimate(patches.shapes, chosen)
        x = np.asarray((y + beta * patches.average()) / (1 + beta), np.float32)
    return x


@dataclass(frozen=True)
class Patches:
    """All patches of a picture (H, W) that is reflected at its borders, so that each pixel is in 64 of them.

    Attributes:
        means: (n, 1).
        shapes: (n, 63), coefficients in the basis of the mixture.
        frame: (H, W).
    """

    means: Floats
    shapes: Floats
    frame: tuple[int, int]

    def average(self) -> Floats:
        """mean_i P_i^T z_i, (H, W): each pixel is the mean of its values in all patches."""
        height, width = self.frame
        rows, columns = height + SIDE - 1, width + SIDE - 1  # numbers of patches
        pixels = (self.shapes @ basis().T + self.means).reshape(rows, columns, SIDE, SIDE)
        total = np.zeros((rows + SIDE - 1, columns + SIDE - 1), np.float32)
        for down in range(SIDE):
            for right in range(SIDE):
                total[down : down + rows, right : right + columns] += pixels[..., down, right]
        return total[SIDE - 1 : SIDE - 1 + height, SIDE - 1 : SIDE - 1 + width] / np.float32(SIDE**2)


def coefficients(x: Floats) -> Patches:
    """All patches of a picture x, (H, W)."""
    extended = np.pad(x, SIDE - 1, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(extended, (SIDE, SIDE)).reshape(-1, SIDE**2)
    means = windows.mean(axis=1, keepdims=True)
    return Patches(means, (windows - means) @ basis(), (x.shape[0], x.shape[1]))


@dataclass(frozen=True)
class Components:
    """A mixture plus noise of one variance s: components N(0, S_k + s I), by the eigenvectors of the S_k.

    To choose a component quickly, those directions whose variance is below s are replaced by one mean
    variance.

    Attributes:
        noise: s.
        variances: Eigenvalues of the S_k, (K, 63).
        vectors: Their eigenvectors in columns, (K, 63, 63).
        directions: The remaining directions of all components side by side, (63, M), each multiplied by the
            square root of 1 / (tail + s) - 1 / (variance + s).
        firsts: The first column of each component in `directions`, (K,).
        tails: The mean variances, (K,).
        offsets: log w_k - 1/2 log det(S_k + s I), (K,).
    """

    noise: float
    variances: Floats
    vectors: Floats
    directions: Floats
    firsts: NDArray[np.intp]
    tails: Floats
    offsets: Floats

    @classmethod
    def of(cls, mixture: Mixture, noise: float) -> Components:
        variances, vectors = mixture.spectra
        count = variances.shape[1]
        ranks = np.clip((variances > NEGLIGIBLE * noise).sum(axis=1), 1, count)
        kept = np.arange(count) < ranks[:, None]
        tails = np.where(kept, 0, variances).sum(axis=1) / np.maximum(count - ranks, 1)
        spread = np.where(kept, variances, tails[:, None]) + noise
        gains = (1 / (tails[:, None] + noise) - 1 / spread)[kept]
        log_weights = np.log(np.maximum(mixture.weights.astype(np.float64), 1e-30))
        return cls(
            noise=noise,
            variances=variances.astype(np.float32),
            vectors=vectors.astype(np.float32),
            directions=np.ascontiguousarray(
                (vectors.transpose(0, 2, 1)[kept].T * np.sqrt(gains)), np.float32
            ),
            firsts=np.concatenate([[0], np.cumsum(ranks)[:-1]]),
            tails=tails.astype(np.float32),
            offsets=(log_weights - 0.5 * np.log(spread).sum(axis=1)).astype(np.float32),
        )

    def choose(self, patches: Floats) -> NDArray[np.intp]:
        """The most probable component of each patch (n, 63), as (n,)."""
        parts = range(0, len(patches), PATCHES_AT_ONCE)
        return np.concatenate([self._choose(patches[first : first + PATCHES_AT_ONCE]) for first in parts])

    def _choose(self, patches: Floats) -> NDArray[np.intp]:
        projected = patches @ self.directions
        explained = np.add.reduceat(np.square(projected, out=projected), self.firsts, axis=1)
        energy = np.square(patches).sum(axis=1, keepdims=True)
        scores = self.offsets - 0.5 * (energy / (self.tails + np.float32(self.noise)) - explained)
        return np.asarray(scores.argmax(axis=1))

    def estimate(self, patches: Floats, chosen: NDArray[np.intp]) -> Floats:
        """E[patch | noisy patch, component], (n, 63), for the components `chosen` (n,)."""
        estimates = np.empty_like(patches)
        for component in np.unique(chosen):
            members = chosen == component
            variances, vectors = self.variances[component], self.vectors[component]
            shrinkage = variances / (variances + np.float32(self.noise))
            estimates[members] = patches[members] @ ((vectors * shrinkage) @ vectors.T)
        return estimates
