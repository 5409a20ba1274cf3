"""k* = arg min over k >= 0, sum k = 1 of  -2 log p(|F y|^2 | k) + |k * g - dy|^2 / v: any kernel

From coarse to fine, the strong edges g of the sharp picture (sharp_edges.py) and the kernel that explains the
blurred picture by them (kernel_step.py) are found in turn. On the finest level, the spectrum of the picture
then adds what the edges do not tell (joint_step.py). Edges that are a little different lead to other kernels,
so that several searches are made, of which the one that explains both best is chosen.

Minimising E over picture and kernel together would favour no blur (Levin, Weiss, Durand and Freeman 2009).
Keeping only strong edges avoids this, because a blur weakens them (Cho and Lee 2009, Xu and Jia 2010).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label, shift, zoom
from scipy.signal import fftconvolve

from alr_cli.core.blind.joint_step import joint_cost, joint_step
from alr_cli.core.blind.kernel_step import EdgeFit, Kernel, kernel_step
from alr_cli.core.blind.sharp_edges import sharp_edges
from alr_cli.core.blind.smaller import smaller
from alr_cli.core.blind.spectrum import Likelihood, spectrum

Plane = NDArray[np.floating]

COARSEST = 5  # pixels per side of the first kernel, at most
FIRST_WEIGHT = 4e-3  # lambda of sharp_edges.py on the coarsest level
LAST_WEIGHT = 1e-3  # that of the joint steps
FIRST_TRUSTS = (0.3,) * 4  # trust in the edges in the joint steps of each search
LAST_TRUSTS = (1.0,) * 4  # that in the steps of the chosen one
FAINT = 0.01  # relative to the largest weight; smaller weights are dropped after each joint step
SCATTERED = 0.02  # connected parts of a kernel that have less than this share of the largest are dropped


@dataclass(frozen=True)
class Search:
    """How a kernel is searched for.

    Attributes:
        rounds: Rounds on each level.
        decay: Factor by which the weight of the edges decreases in each round.
        ridge: Weight of |k|^2.
        blur: Standard deviation in pixels by which the kernel is smoothed in each round.
        faint: Smaller weights are dropped in each round, relative to the largest.
    """

    rounds: int = 5
    decay: float = 1 / 1.1
    ridge: float = 1.0
    blur: float = 0.0
    faint: float = 0.01


SEARCHES = (Search(rounds=8, decay=1 / 1.06), Search(blur=0.4), Search(ridge=0.5, faint=0.05))


def free_kernel(plane: Plane, sigma: float, size: int, searches: tuple[Search, ...] = SEARCHES) -> Kernel:
    """The kernel of a blurred plane (H, W) with white noise of standard deviation sigma.

    It is at most size x size (odd, smaller than the plane), centred on its centroid, and trimmed of zeros.
    """
    likelihood = Likelihood(spectrum(plane, sigma))
    found = [
        _refined(plane, _kernel_of_edges(plane, size, each), likelihood, FIRST_TRUSTS) for each in searches
    ]
    best = min(found, key=lambda k: joint_cost(_edge_fit(plane, k, LAST_WEIGHT), likelihood, k))
    return trimmed(_centred(_refined(plane, best, likelihood, LAST_TRUSTS)))


def kernel_of_edges(plane: Plane, size: int) -> Kernel:
    """A first kernel, from the edges alone, like that of `free_kernel`."""
    return trimmed(_kernel_of_edges(plane, size, SEARCHES[0]))


def _kernel_of_edges(plane: Plane, size: int, how: Search) -> Kernel:
    sides = _sides(size)
    kernel, weight = _first_guess(sides[0]), FIRST_WEIGHT
    for side in sides:
        kernel = _resized(kernel, side)
        reduced = smaller(plane, side / size)
        for _ in range(how.rounds):
            fit = _edge_fit(reduced, kernel, weight)
            kernel = kernel_step(fit, kernel, how.ridge)
            kernel = _cleaned(gaussian_filter(kernel, how.blur) if how.blur else kernel, how.faint)
            weight *= how.decay
        kernel = _centred(_connected(kernel, 0.1))
    return kernel


def _refined(plane: Plane, kernel: Kernel, likelihood: Likelihood, trusts: tuple[float, ...]) -> Kernel:
    for trust in trusts:
        fit = _edge_fit(plane, kernel, LAST_WEIGHT)
        kernel = _connected(_cleaned(joint_step(fit, likelihood, kernel, trust), FAINT), SCATTERED)
    return kernel


def _edge_fit(plane: Plane, kernel: Kernel, weight: float) -> EdgeFit:
    y = plane.astype(np.float64)
    observed = np.stack([np.diff(y, axis=1)[:-1], np.diff(y, axis=0)[:, :-1]])
    return EdgeFit(observed, sharp_edges(y, kernel, weight), kernel.shape[0])


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


def _cleaned(kernel: Kernel, faint: float) -> Kernel:
    """The kernel without faint weights, and sum 1."""
    kernel = np.where(kernel >= faint * kernel.max(), kernel, 0)
    return np.asarray(kernel / kernel.sum())


def _connected(kernel: Kernel, least: float) -> Kernel:
    """The kernel without parts that have less than a share `least` of the weight of the heaviest part."""
    part, _ = label(kernel > 0, np.ones((3, 3)))
    weights = np.bincount(part.ravel(), kernel.ravel())
    kernel = np.where((weights >= least * weights.max())[part], kernel, 0)
    return np.asarray(kernel / kernel.sum())


def _centred(kernel: Kernel) -> Kernel:
    """The kernel with its centroid within half a pixel of the middle, and sum 1."""
    position = np.arange(kernel.shape[0]) - kernel.shape[0] // 2
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
