"""The degradations on which plug and play is compared: blurs, reduced pictures, and missing pixels

They are those of Fermanian, Le Pendu and Guillemot (2022): four Gaussian blurs (circular) with three levels
of noise, factors 2 and 3 with noise (bicubic, or every n-th pixel after a Gaussian of 0.5 pixels), and 20 %
and 10 % of the pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.operators.convolution import Downsample
from alr_cli.core.operators.downsample import Smaller, bicubic
from alr_cli.core.operators.protocol import Shape
from alr_cli.core.tasks import Deblurring, Floats, Inpainting, Task, Upscaling, observed

SIDE = 25  # of the kernels, in pixels
# Covariances of four of the twelve kernels of Zhang et al. (2021), in pixels
BLURS = {
    "blur 1.6": ((2.56, 0.0), (0.0, 2.56)),
    "blur 2.0": ((4.0, 0.0), (0.0, 4.0)),
    "blur 1.2 x 3.0": ((4.09, -3.57), (-3.57, 6.41)),
    "blur 2.2 x 2.7": ((6.25, 0.97), (0.97, 5.75)),
}
LEVELS = (2**0.5 / 255, 2.55 / 255, 7.65 / 255)
UPSCALING_NOISE = 2.55 / 255


@dataclass(frozen=True)
class Setting:
    """One task. `task` makes it for a picture (H, W, C)."""

    name: str
    sigma: float
    task: Callable[[Floats], Task]


def gaussian(covariance: Sequence[Sequence[float]], side: int = SIDE) -> NDArray[np.float64]:
    """exp(-x^T C^-1 x / 2) on side x side pixels, with sum 1. The axes of C are rows and columns."""
    offset = np.mgrid[:side, :side].reshape(2, -1) - side // 2
    exponent = np.einsum("in,ij,jn->n", offset, np.linalg.inv(np.asarray(covariance)), offset)
    kernel = np.exp(-0.5 * exponent).reshape(side, side)
    return np.asarray(kernel / kernel.sum())


def settings(seed: int) -> list[Setting]:
    """All tasks. `seed` decides which pixels are missing."""

    def blurred(name: str) -> Callable[[Floats], Task]:
        return lambda clean: Deblurring(gaussian(BLURS[name]), "circular")

    def reduced(scale: int, smaller: Callable[[Shape, int], Smaller]) -> Callable[[Floats], Task]:
        return lambda clean: Upscaling(scale, smaller)

    def holes(known: float) -> Callable[[Floats], Task]:
        return lambda clean: Inpainting(np.random.default_rng(seed).random(clean.shape[:2]) >= known)

    blurs = [Setting(f"{name}, {255 * s:.3g}/255", s, blurred(name)) for name in BLURS for s in LEVELS]
    kinds = {"": bicubic, " of Gaussian": smoothed}
    enlarged = [
        Setting(f"x{scale}{kind}", UPSCALING_NOISE, reduced(scale, kinds[kind]))
        for kind in kinds
        for scale in (2, 3)
    ]
    return blurs + enlarged + [Setting(f"{known:.0%} known", 0.0, holes(known)) for known in (0.2, 0.1)]


def smoothed(shape: Shape, scale: int) -> Smaller:
    """The operator that blurs by a Gaussian of 0.5 pixels and keeps every scale-th pixel."""
    return Downsample(scale, gaussian(((0.25, 0.0), (0.0, 0.25)), 5), shape, "reflect")


def observe(task: Task, clean: Floats, sigma: float, seed: int) -> Floats:
    """A x plus unclipped noise, (H', W', C)."""
    y = observed(task, clean)
    return np.asarray(y + sigma * np.random.default_rng(seed).standard_normal(y.shape), np.float32)
