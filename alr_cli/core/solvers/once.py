"""x = prox_{tau f}(mean over flips T of T^-1 D(T x_0)): a network that is applied once, to the start x_0

A flip maps views at equally spaced angles over half a turn onto each other, so that the network knows the
artefacts of the flipped start. The proximal map of the data term then moves the result towards what was
observed, where the noise is weak enough for that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import Tensor

from alr_cli.core.energy import unknown
from alr_cli.core.numerics.reductions import rms
from alr_cli.core.priors.orientations import FLIPS, means
from alr_cli.core.priors.protocol import PostProcesses
from alr_cli.core.proximal import Fits, prox
from alr_cli.core.solvers.base import Iterate, Objective


class Measures(Objective, Fits, Protocol):
    """An objective with a data term. See `energy.Energy`."""

    def misfit(self, x: Tensor) -> Tensor:
        """The data term alone, (B,)."""
        ...


@dataclass(frozen=True)
class Once:
    """Post-processing. The objective must be a `Measures`.

    Attributes:
        regularizer: It has the network.
        sides: The orientations T. Each counts as an iteration, whose x is the mean so far.
        tau: The weight of the data term; 0 leaves its proximal map out. Otherwise it is the last iteration.
        steps: Largest number of its steps of conjugate gradients.
    """

    regularizer: PostProcesses
    sides: tuple[int, ...] = FLIPS
    tau: float = 0.0
    steps: int = 15
    tol: float = field(default=0.0, init=False)
    name: str = field(default="once", init=False)
    compares: bool = field(default=False, init=False)

    @property
    def iterations(self) -> int:
        return len(self.sides) + (self.tau > 0)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        measured = cast(Measures, objective)
        data = measured.misfit(x)
        moving = torch.ones_like(data, dtype=torch.bool)
        yield Iterate(x, unknown(data), torch.zeros_like(data), moving, True)
        for number, (mean, step) in enumerate(means(self.regularizer, x, self.sides), 1):
            yield self._iterate(measured, mean, step, moving & (number < self.iterations))
        if self.tau > 0:
            near = prox(measured, mean, torch.full_like(data, self.tau), steps=self.steps)
            yield self._iterate(measured, near, near - mean, torch.zeros_like(moving))

    def _iterate(self, measured: Measures, x: Tensor, step: Tensor, moving: Tensor) -> Iterate:
        measured.project(x)
        data = measured.misfit(x)
        return Iterate(x, unknown(data), rms(step), moving, bool(torch.isfinite(data).all()))
