"""k* = arg max p(y | k) over the kernels of some families and, from coarse to fine, over all kernels

All candidates are compared by the same likelihood of the spectrum (spectrum.py). It distinguishes a disk from
a Gaussian by its zeros, and any kernel from none. The shape of a free kernel comes from the edges of the
picture (free_kernel.py), because a spectrum contains no phases. To choose between a free kernel and a family,
the free kernel is the one of the edges alone: one that is fitted to the spectrum always explains it better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from alr_cli.core.blind.families import FAMILIES, Fit, fit
from alr_cli.core.blind.free_kernel import SEARCHES, agreement, free_kernel, kernel_of_edges
from alr_cli.core.blind.spectrum import Evidence, Spectrum, evidence, spectrum, transfer_of
from alr_cli.core.operators.kernels import Kernel, parse_kernel
from alr_cli.errors import UsageError

Plane = NDArray[np.float32]

FREE = "free"
DEFAULT_SIZE = 31  # pixels per side of a free kernel
WIDEST = 61  # pixels across a kernel of a family
SMALLEST_PICTURE = 64  # pixels per side
WINDOW = 384  # pixels per side of the part from which a free kernel is estimated
TELLING = 0.004  # share of the frequencies that must be above the noise
SHARP = 0.65  # pixels; a picture is sharp if its blur spreads less than this in every direction
SIMPLER = 0.005  # by how much, per frequency, a free kernel must be better than one of a family


@dataclass(frozen=True)
class KernelEstimate:
    """An estimated kernel.

    Attributes:
        kernel: (h, w), sum 1; (1, 1) if the picture is sharp.
        spec: A text for `parse_kernel`, or `free` or `none`.
        gain: Log likelihood relative to no blur, per frequency.
        between: For a family, the range of sizes that explain the picture equally well.
        agreement: For a free kernel, the agreement of the kernels of two halves of the picture; 1 if they are
            equal.
    """

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
    """Estimate the blur of a picture.

    Args:
        pixels: (H, W, C) on [0,1].
        sigma: Standard deviation of the noise.
        family: "gaussian", "disk", "motion" or "free". None takes the best of the first three, or a free
            kernel if that explains the picture better.
        size: Odd, the largest side of the kernel. None for 31 pixels for a free kernel and 61 for families,
            if the picture is large enough.

    Raises:
        UsageError: The picture is too small, also for the size, or reveals nothing about a blur.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < SMALLEST_PICTURE:
        raise UsageError(
            f"a blur cannot be found in {width} x {height} pixels, at least {SMALLEST_PICTURE} per side "
            "are needed: give the kernel"
        )
    bound = min(height, width) // 3
    if size is not None and size > bound:
        raise UsageError(
            f"a kernel of {size} pixels cannot be found in {width} x {height} pixels: at most {bound} can"
        )
    plane = pixels.mean(axis=2, dtype=np.float32)
    grain = sigma / math.sqrt(pixels.shape[2])
    y = spectrum(plane, grain)
    none = evidence(y, np.ones(y.power.shape))
    if none.telling < TELLING * y.power.size:
        raise UsageError("the picture has no edges above its noise that reveal a blur: give the kernel")
    window = _most_telling(plane, grain)
    side = min(size or DEFAULT_SIZE, bound - (bound % 2 == 0))
    best = None
    if family != FREE:
        names = tuple(FAMILIES) if family is None else (family,)
        fits = [fit(FAMILIES[name], y, min(size or WIDEST, bound)) for name in names]
        best = _of_family(min(fits, key=lambda each: each.cost), none.cost)
    if best is None or (
        family is None and _gain(kernel_of_edges(window, side), y, none) > best.gain + SIMPLER
    ):
        kernel = free_kernel(window, grain, side)
        best = KernelEstimate(kernel, FREE, _gain(kernel, y, none))
    if _spread(best.kernel) < SHARP:
        return KernelEstimate(np.ones((1, 1)), "none", best.gain)
    if best.spec == FREE:
        return replace(best, agreement=_agreement(window, grain, max(best.kernel.shape)))
    return best


def _of_family(best: Fit, none: float) -> KernelEstimate:
    size = best.parameters[0]
    if best.family.name == "gaussian":
        spec = f"gaussian:{2 * math.ceil(3 * size) + 1}:{size:.3g}"
    else:
        spec = ":".join((best.family.name, *(f"{value:.3g}" for value in best.parameters)))
    return KernelEstimate(parse_kernel(spec), spec, none - best.cost, between=best.between)


def _gain(kernel: Kernel, y: Spectrum, none: Evidence) -> float:
    return none.cost - evidence(y, transfer_of(kernel, y)).cost


def _agreement(window: Plane, sigma: float, side: int) -> float:
    """How similar the kernels are that two halves of the window give separately."""
    axis = int(window.shape[1] > window.shape[0])
    first, second = (
        free_kernel(half, sigma, side, SEARCHES[:1]) for half in np.array_split(window, 2, axis=axis)
    )
    return agreement(first, second)


def _spread(kernel: Kernel) -> float:
    """Standard deviation of a kernel along its widest direction, in pixels."""
    rows, columns = (np.arange(side) - side // 2 for side in kernel.shape)
    y, x = np.meshgrid(rows, columns, indexing="ij")
    y, x = y - (kernel * y).sum(), x - (kernel * x).sum()
    moments = [[(kernel * a * b).sum() for a in (x, y)] for b in (x, y)]
    return math.sqrt(max(0.0, float(np.linalg.eigvalsh(moments)[-1])))


def _most_telling(plane: Plane, sigma: float) -> Plane:
    """The part of a plane, at most WINDOW pixels per side, whose derivatives are most above the noise."""
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
