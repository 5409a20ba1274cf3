"""y = A x + e: the five tasks of Oberlin and Verm (2021)

The paper does not state the sizes of its degradations, so these are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.operators.compose import Compose
from alr_cli.core.operators.convolution import Convolution
from alr_cli.core.operators.downsample import box
from alr_cli.core.operators.pixels import Crop, Mask
from alr_cli.core.operators.protocol import LinearOperator
from alr_cli.core.problems import Problem

SIGMA = 0.01  # standard deviation of the noise, which is not clipped
BLUR = 5  # side of the uniform blur in pixels; pictures are reflected at their frame
MISSING = 0.6  # share of missing pixels; one mask for all pictures
SQUARE = 10 / 32  # side of the missing square divided by that of the picture


@dataclass(frozen=True)
class Degradation:
    """A task.

    Attributes:
        name: Its name in the table.
        operator: A.
        begin: y (B, C, H', W') -> an initial guess (B, C, H, W).
        known: (H, W), 0 where a pixel is missing. None if none is missing.
    """

    name: str
    operator: LinearOperator
    begin: Callable[[Tensor], Tensor]
    known: Tensor | None = None

    def observe(self, x: Tensor, seed: int) -> Tensor:
        """A x + e, set to 0 at missing pixels: (B, C, H, W) -> (B, C, H', W')."""
        y = self.operator.forward(x)
        y = y + SIGMA * torch.randn(y.shape, generator=torch.Generator().manual_seed(seed))
        return y if self.known is None else y * self.known

    def problem(self, y: Tensor, margin: int) -> Problem:
        """The problem for a prior that needs `margin` pixels beyond the frame."""
        height, width = self.operator.input_shape
        crop = Crop((height + 2 * margin, width + 2 * margin), margin)
        return Problem(
            Compose(self.operator, crop),
            y,
            lambda: problems.extend(self.begin(y), margin),
            (height, width),
            holes=self.known is not None,
        )


def degradations(size: int, seed: int = 0) -> list[Degradation]:
    """The five tasks for pictures of size x size pixels."""
    kernel = np.full((BLUR, BLUR), 1 / BLUR**2)
    random = torch.rand(size, size, generator=torch.Generator().manual_seed(seed)) >= MISSING
    side = round(SQUARE * size)
    first = (size - side) // 2
    square = torch.ones(size, size)
    square[first : first + side, first : first + side] = 0

    def masked(name: str, known: Tensor) -> Degradation:
        return Degradation(name, Mask(known), lambda y: problems.fill(y, known), known)

    def averaged(scale: int) -> Degradation:
        name = f"means of {scale} x {scale}"
        return Degradation(name, box((size, size), scale), lambda y: enlarged(y, size))

    blur = Convolution(kernel, (size, size), "reflect")
    return [
        Degradation(f"blur {BLUR} x {BLUR}", blur, lambda y: y),
        averaged(2),
        averaged(4),
        masked(f"{100 * MISSING:g} % missing", random.float()),
        masked(f"square {side} x {side}", square),
    ]


def enlarged(y: Tensor, size: int) -> Tensor:
    """y enlarged to size x size by bicubic interpolation."""
    return torch.nn.functional.interpolate(y, size=(size, size), mode="bicubic", align_corners=False)
