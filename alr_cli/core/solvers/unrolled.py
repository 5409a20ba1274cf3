"""x_{k+1} = x_k - mu_k (A* (A x_k - y) + w_k G(x_k)),    k = 0 ... K - 1: a few steps that were trained as
a whole

G, the step sizes mu_k and the weights w_k are such that x_K is the best picture (training/unrolled.py). The
steps minimise nothing: there is no energy, more steps are not better, and another operator needs another
training. Unrolled gradient descent as in Fermanian, Le Pendu and Guillemot (2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast, runtime_checkable

import torch
from torch import Tensor

from alr_cli.core.energy import unknown
from alr_cli.core.numerics.reductions import rms
from alr_cli.core.priors.protocol import Regularizer
from alr_cli.core.problems import Problem
from alr_cli.core.solvers.base import Iterate, Objective
from alr_cli.core.solvers.splitting import Splits

Pace = tuple[tuple[float, float], ...]


@runtime_checkable
class Unrolls(Protocol):
    """A regularizer that was trained for a few steps on one task.

    Attributes:
        task: The task, see task_names.py.
        pace: mu_k and w_k of every step.
    """

    @property
    def task(self) -> str: ...
    @property
    def pace(self) -> Pace: ...

    def suits(self, problem: Problem) -> bool:
        """Whether a problem is the one of the training, for a picture of any size."""
        ...


@dataclass(frozen=True)
class Unrolled:
    """The steps. Their objective is a `Splits`.

    Attributes:
        regularizer: Its gradient is G.
        pace: mu_k and w_k of every step.
        iterations: Number of steps; the training was for all of them.
        tol: It has no meaning here, because the number of steps is fixed.
    """

    regularizer: Regularizer
    pace: Pace
    iterations: int
    tol: float = 0.0
    name: str = field(default="unrolled", init=False)
    compares: bool = field(default=False, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        energy = cast(Splits, objective)
        data = energy.misfit(x)
        moving = torch.ones_like(data, dtype=torch.bool)
        yield Iterate(x, unknown(data), torch.zeros_like(data), moving, True)
        for size, weight in self.pace[: self.iterations]:
            _, slope = self.regularizer.value_and_grad(x)
            slope *= weight
            energy.add_misfit(x, slope)
            x = x - size * slope
            data = energy.misfit(x)
            yield Iterate(x, unknown(data), size * rms(slope), moving, bool(torch.isfinite(data).all()))
