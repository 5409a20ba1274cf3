"""Constants of operators, beside the pictures that they are applied to"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from alr_cli.core.operators.protocol import Shape


class Placed:
    """A constant of an operator, created once for each dtype and device of a picture."""

    def __init__(self, make: Callable[[torch.dtype], Tensor]) -> None:
        self._make = make
        self._made: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def beside(self, x: Tensor) -> Tensor:
        key = (x.dtype, x.device)
        if key not in self._made:
            self._made[key] = self._make(x.dtype).to(x.device)
        return self._made[key]


def checked(x: Tensor, shape: Shape) -> Tensor:
    if tuple(x.shape[-2:]) != shape:
        raise ValueError(f"the operator expects pictures of {shape}, not {tuple(x.shape[-2:])}")
    return x
