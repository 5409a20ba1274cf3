"""k* = arg max p(y | k) over the kernels of some families and, from coarse to fine, over all kernels

Every candidate is judged by the same likelihood of the spectrum (spectrum.py): it tells a disk from a
Gaussian by its zeros, and any kernel from none. Only the shape of a free kernel comes from elsewhere
(free_kernel.py), because a spectrum does not see phases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from alr_cli.core.blind.families import FAMILIES, Fit, fit
from alr_cli.core.blind.free_kernel import agreement, free_kernel
from alr_cli.core.blind.spectrum import Spectrum, evidence, spectrum, transfer_of
from alr_cli.core.operators.kernels import Kernel, parse_kernel
from alr_cli.errors import UsageError

Plane = NDArray[np.float32]

FREE = "free"
DEFAULT_SIZE = 31  # pixels a side of a free kernel
WIDEST = 61  # pixels across a kernel of a family
SMALLEST_PICTURE = 64  # pixels a side
WINDOW = 384  # pixels a side of the part from which a free kernel is found
TELLING = 0.004  # share of the frequencies that must stand above the noise
SHARP = 0.65  # pixels: pictures whose blur spreads less than this in every direction are sharp
SIMPLER = 0.005  # by how much a free kernel must be better, per frequency, than one of a family


@dataclass(frozen=True)
class KernelEstimate:
    """kernel: (h, w), sum 1, (1, 1) where the picture is sharp.  spec: as for `parse_kernel`, `free` or
    `none`. between: the sizes of a family that explain the picture as well.  agreement: of the free kernels
    of two halves of the picture, 1 for equal ones.  gain: in log likelihood over no blur, per frequency."""

    kernel: Kernel
    spec: str
    gain: float
    between: tuple[float, float] | None = None
    agreement: float | None = None

    @property
    def sharp(self) -> bool:
        return self.kernel.size == 1


def estimate_kernel(
    pixels: NDArray[np.floating], sigma: float, family: str | None = None, size: int | None = None
) -> KernelEstimate:
    """The blur of a picture (H, W, C) on [0,1] with noise of standard deviation sigma.

    family: gaussian, disk, motion or free; None takes the best of the first three, or a free kernel where
    that explains the picture better.  size: odd, the largest side of the kernel; None for 31 pixels, or 61
    for families, in pictures that are large enough. Raises UsageError where the picture is too small, for the
    size too, or has nothing to tell a blur by.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST_PICTURE:
        raise UsageError(
            f"a blur cannot be found in {width} x {height} pixels, {SMALLEST_PICTURE} a side are the least: "
            "give the kernel"
        )
    bound = min(height, width) // 3
    if size is not None and size > bound:
        raise UsageError(
            f"a kernel of {size} pixels cannot be found in {width} x {height} pixels: {bound} are the most"
        )
    plane = pixels.mean(axis=2, dtype=np.float32)
    grain = sigma / math.sqrt(pixels.shape[2])
    y = spectrum(plane, grain)
    none = evidence(y, np.ones(y.power.shape))
    if none.telling < TELLING * y.power.size:
        raise UsageError("the picture has no edges above its noise to tell a blur by: give the kernel")
    found = []
    if family != FREE:
        names = tuple(FAMILIES) if family is None else (family,)
        fits = [fit(FAMILIES[name], y, min(size or WIDEST, bound)) for name in names]
        found.append(_of_family(min(fits, key=lambda each: each.cost), none.cost))
    if family in (None, FREE):
        found.append(_free(plane, grain, min(size or DEFAULT_SIZE, bound - (bound % 2 == 0)), y, none.cost))
    best = found[0] if len(found) == 1 or found[0].gain + SIMPLER > found[1].gain else found[1]
    if _spread(best.kernel) < SHARP:
        return KernelEstimate(np.ones((1, 1)), "none", best.gain)
    if best.spec == FREE:
        return replace(best, agreement=_agreement(plane, grain, max(best.kernel.shape)))
    return best


def _of_family(best: Fit, none: float) -> KernelEstimate:
    size = best.parameters[0]
    if best.family.name == "gaussian":
        spec = f"gaussian:{2 * math.ceil(3 * size) + 1}:{size:.3g}"
    else:
        spec = ":".join((best.family.name, *(f"{value:.3g}" for value in best.parameters)))
    return KernelEstimate(parse_kernel(spec), spec, none - best.cost, between=best.between)


def _free(plane: Plane, sigma: float, side: int, y: Spectrum, none: float) -> KernelEstimate:
    kernel = free_kernel(_most_telling(plane, sigma), sigma, side)
    return KernelEstimate(kernel, FREE, none - evidence(y, transfer_of(kernel, y)).cost)


def _agreement(plane: Plane, sigma: float, side: int) -> float:
    """How alike the kernels are that two halves of the picture give on their own."""
    window = _most_telling(plane, sigma)
    axis = int(window.shape[1] > window.shape[0])
    first, second = (free_kernel(half, sigma, side) for half in np.array_split(window, 2, axis=axis))
    return agreement(first, second)


def _spread(kernel: Kernel) -> float:
    """Standard deviation of a kernel along its widest direction, in pixels."""
    rows, columns = (np.arange(side) - side // 2 for side in kernel.shape)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    y, x = y - (kernel * y).sum(), x - (kernel * x).sum()
    moments = [[(kernel * a * b).sum() for a in (x, y)] for b in (x, y)]
    return math.sqrt(max(0.0, float(np.linalg.eigvalsh(moments)[-1])))


def _most_telling(plane: Plane, sigma: float) -> Plane:
    """The part of a plane, at most WINDOW pixels a side, whose derivatives stand most above the noise."""
    height, width = (min(side, WINDOW) for side in plane.shape)
    if (height, width) == plane.shape:
        return plane
    steep = np.hypot(*np.gradient(plane))
    told = uniform_filter(steep / (steep + 4 * sigma + 1e-3), (height, width), mode="constant")
    inside = told[
        height // 2 : plane.shape[0] - (height - 1) // 2, width // 2 : plane.shape[1] - (width - 1) // 2
    ]
    row, column = np.unravel_index(int(inside.argmax()), inside.shape)
    return plane[row : row + height, column : column + width]
