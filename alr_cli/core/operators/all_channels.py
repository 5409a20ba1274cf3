"""A x = (B x_1, ..., B x_C): an operator on planes, applied to each channel of a picture"""

from __future__ import annotations

from torch import Tensor

from alr_cli.core.operators.protocol import LinearOperator, Shape


class AllChannels:
    """An operator B on planes, applied to each of `channels` planes.

    input_shape and output_shape are (C, H, W).
    """

    def __init__(self, of_planes: LinearOperator, channels: int) -> None:
        self._of_planes = of_planes
        self.input_shape = (channels, *of_planes.input_shape)
        self.output_shape = (channels, *of_planes.output_shape)

    @property
    def norm(self) -> float:
        return self._of_planes.norm

    def forward(self, x: Tensor) -> Tensor:
        return self._of_planes.forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self._of_planes.adjoint(y)

    def power(self, shape: Shape) -> Tensor | float | None:
        return self._of_planes.power(shape)
