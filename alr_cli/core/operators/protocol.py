"""y = A x + eps  (eq. 1): what a linear operator A has, its exact adjoint A* and its norm

Tensors are (B, C, H, W), float32 or float64. An operator treats all channels alike and keeps dtype and
device.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

Shape = tuple[int, int]


class LinearOperator(Protocol):
    """A linear map of pictures. For every operator here `<A x, y> = <x, A* y>` holds up to rounding.

    Attributes:
        input_shape, output_shape: (H, W) and (H', W'), or (C, H, W) if channels are mixed.
        norm: The largest singular value on input_shape.
        forward: A, (B, C, H, W) -> (B, C, H', W').
        adjoint: A*, (B, C, H', W') -> (B, C, H, W).
        power: A multiplier of frequencies on a torus of the given shape, which contains the picture. It
            bounds A* A from above and is as small as possible: (H, W // 2 + 1), or one number for all
            frequencies. None if only the useless bound ||A||^2 is known.
    """

    @property
    def input_shape(self) -> tuple[int, ...]: ...
    @property
    def output_shape(self) -> tuple[int, ...]: ...
    @property
    def norm(self) -> float: ...
    def forward(self, x: Tensor) -> Tensor: ...
    def adjoint(self, y: Tensor) -> Tensor: ...
    def power(self, shape: Shape) -> Tensor | float | None: ...
