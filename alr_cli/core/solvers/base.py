"""Where a descent has got to, step by step: what all of them (solver.py, fourier.py) yield"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from alr_cli.core.energy import Terms
from alr_cli.core.numerics.reductions import squared_norm


@dataclass(frozen=True)
class Iterate:
    """Where a descent has got to, the terms there, the root mean square of its last step (B,), and who still
    moves (B,). finite: whether the energy and its gradient are; if not, x is where they last were."""

    x: Tensor
    terms: Terms
    change: Tensor
    moving: Tensor
    finite: bool


def is_finite(terms: Terms, gradient: Tensor) -> bool:
    return bool(torch.isfinite(terms.energy + squared_norm(gradient)).all())


def per_picture(values: Tensor) -> Tensor:
    return values.reshape(-1, 1, 1, 1)
