"""x+ = v - w grad R(v),    v = x - grad f(x):    one gradient step of a regularizer that denoises

With white noise alone, v is the observation, and the first step is the last one. Where pixels were clipped, v
replaces them by their expected values given x (the E step of expectation maximisation), which settle within a
few steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import Tensor

from alr_cli.core.energy import unknown
from alr_cli.core.numerics.reductions import rms
from alr_cli.core.priors.protocol import Denoises
from alr_cli.core.solvers.base import Iterate, Objective, per_picture


class Identical(Objective, Protocol):
    """An objective whose operator is the identity. See `energy.Energy`."""

    def misfit(self, x: Tensor) -> Tensor:
        """The data term alone, (B,)."""
        ...

    def add_misfit(self, x: Tensor, gradient: Tensor) -> None:
        """Add the gradient of half of the data term, in units of single pixels."""
        ...


@dataclass(frozen=True)
class Direct:
    """Denoise in one or a few steps. Energies are not computed, because a gradient step is all the work there
    is.

    The objective must be an `Identical`.

    Attributes:
        regularizer: The regularizer that denoises.
        share: w; the regularizer was trained for 1.
        iterations: Largest number of steps.
        tol: A picture stops once the root mean square of the change of v is below this.
    """

    regularizer: Denoises
    share: float = 1.0
    iterations: int = 6
    tol: float = 5e-4
    name: str = field(default="direct", init=False)
    compares: bool = field(default=False, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        energy = cast(Identical, objective)
        data = energy.misfit(x)
        moving, change = torch.ones_like(data, dtype=torch.bool), torch.zeros_like(data)
        yield Iterate(x, unknown(data), change, moving, True)
        v = _shifted(energy, x)
        for _ in range(self.iterations):
            step = per_picture(moving.to(x.dtype), x) * (self.regularizer.denoise(v, self.share) - x)
            x, before = x + step, v
            v = _shifted(energy, x)
            moving = moving & (rms(v - before) > self.tol)
            data = energy.misfit(x)
            yield Iterate(x, unknown(data), rms(step), moving, bool(torch.isfinite(data).all()))


def _shifted(energy: Identical, x: Tensor) -> Tensor:
    """x - grad f(x)."""
    gradient = torch.zeros_like(x)
    energy.add_misfit(x, gradient)
    return x - gradient
