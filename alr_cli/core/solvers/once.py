"""x = mean over flips T of T^-1 D(T x_0): a network that is applied once, to the start of a problem

A flip maps views at equally spaced angles over half a turn onto each other, so that the network knows the
artefacts of the flipped start.
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
from alr_cli.core.solvers.base import Iterate, Objective


class Measures(Objective, Protocol):
    """An objective with a data term. See `energy.Energy`."""

    def misfit(self, x: Tensor) -> Tensor:
        """The data term alone, (B,)."""
        ...


@dataclass(frozen=True)
class Once:
    """Post-processing. The data term is reported, but plays no part. The objective must be a `Measures`.

    Attributes:
        regularizer: It has the network.
        sides: The orientations T. Each counts as an iteration, whose x is the mean so far.
    """

    regularizer: PostProcesses
    sides: tuple[int, ...] = FLIPS
    tol: float = field(default=0.0, init=False)
    name: str = field(default="once", init=False)
    compares: bool = field(default=False, init=False)

    @property
    def iterations(self) -> int:
        return len(self.sides)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        measured = cast(Measures, objective)
        data = measured.misfit(x)
        moving = torch.ones_like(data, dtype=torch.bool)
        yield Iterate(x, unknown(data), torch.zeros_like(data), moving, True)
        for number, (mean, step) in enumerate(means(self.regularizer, x, self.sides), 1):
            objective.project(mean)
            data = measured.misfit(mean)
            finite = bool(torch.isfinite(data).all())
            yield Iterate(mean, unknown(data), rms(step), moving & (number < self.iterations), finite)
