"""A x = x,    A x = m * x,    A x = x without its margins: operators that keep pixels or drop them"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alr_cli.core.operators.placed import Placed, checked
from alr_cli.core.operators.protocol import Shape


class Identity:
    """A x = x: denoising."""

    norm = 1.0

    def __init__(self, shape: Shape) -> None:
        self.input_shape = self.output_shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return checked(x, self.input_shape)

    adjoint = forward

    def power(self, shape: Shape) -> float:
        return 1.0


class Mask:
    """A x = m * x, with m (H, W) equal to 1 where a pixel is observed and 0 where it is missing."""

    def __init__(self, mask: Tensor | NDArray[np.generic]) -> None:
        self._mask = torch.as_tensor(mask)
        self._placed = Placed(lambda dtype: self._mask.to(dtype))
        self.input_shape = self.output_shape = (self._mask.shape[-2], self._mask.shape[-1])
        self.norm = float(self._mask.double().abs().max())

    def forward(self, x: Tensor) -> Tensor:
        return checked(x, self.input_shape) * self._placed.beside(x)

    adjoint = forward

    def power(self, shape: Shape) -> float:
        return self.norm**2


class Crop:
    """A x = x without its margins: one width, or (top, bottom, left, right). A* pads with zeros."""

    norm = 1.0

    def __init__(self, shape: Shape, margins: int | tuple[int, int, int, int]) -> None:
        top, bottom, left, right = (margins,) * 4 if isinstance(margins, int) else margins
        self.input_shape = shape
        self.output_shape = (shape[0] - top - bottom, shape[1] - left - right)
        if min(top, bottom, left, right) < 0 or min(self.output_shape) < 1:
            raise ValueError(f"cannot crop margins {margins} from a picture of {shape}")
        self._window = (..., slice(top, shape[0] - bottom), slice(left, shape[1] - right))

    def forward(self, x: Tensor) -> Tensor:
        return checked(x, self.input_shape)[self._window]

    def adjoint(self, y: Tensor) -> Tensor:
        x = y.new_zeros(*y.shape[:-2], *self.input_shape)
        x[self._window] = checked(y, self.output_shape)
        return x

    def power(self, shape: Shape) -> float:
        return 1.0
