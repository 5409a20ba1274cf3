"""x* = arg min E(x): what a solver is told of E, what it yields, and the loop that all of them share    (eq.
4)

A solver is a frozen dataclass with its own knobs; `solve` runs it. All work on batches. Every picture of a
batch has its own step sizes and rests once it has converged, so a batch gives what each picture would give
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from alr_cli.core.energy import Terms
from alr_cli.core.numerics.reductions import squared_norm

Stop = Literal["converged", "max_iter", "non_finite"]


class Objective(Protocol):
    """All that a solver knows of a problem. `energy.Energy` over pictures is one; x may be something else.

    natural_step: 1 / L, L being the largest curvature of what is known of it.  size: N, what the objective
    was divided by, so that the gradient times N does not depend on the size of the problem.
    """

    @property
    def natural_step(self) -> float: ...
    @property
    def size(self) -> float: ...

    def value_and_grad(self, x: Tensor) -> tuple[Terms, Tensor]:
        """x: (B, ...) -> (terms (B,), gradient like x)."""
        ...

    def project(self, x: Tensor) -> None:
        """Move x, in place, to where it is allowed to be."""
        ...


@dataclass(frozen=True)
class Iterate:
    """Where a descent has got to, the terms there, the root mean square of its last step (B,), and who still
    moves (B,). finite: whether the objective and its gradient are; if not, x is where they last were."""

    x: Tensor
    terms: Terms
    change: Tensor
    moving: Tensor
    finite: bool


class Solver(Protocol):
    """A way to descend, with its knobs.

    name: as on the command line.  iterations: steps at most.  tol: a picture rests once an update does not
    exceed it (root mean square, in units of pixel values).  compares: whether it compares energies.
    """

    @property
    def name(self) -> str: ...
    @property
    def iterations(self) -> int: ...
    @property
    def tol(self) -> float: ...
    @property
    def compares(self) -> bool: ...

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        """Yield the start, and where each step leads. x: (B, ...), which may be changed in place."""
        ...


@dataclass(frozen=True)
class Record:
    """One iteration: the energy terms (B,) at x_l and the root mean square of the last update (B,)."""

    iteration: int
    terms: Terms
    change: Tensor


@dataclass(frozen=True)
class Solution:
    """The minimiser found, why the descent ended, and a record per iteration (the first is the start).

    stop: converged (every picture's last update was at most tol, or no step lowers its energy measurably),
    max_iter, or non_finite (then x is the last point with a finite energy and gradient, up to rounding).
    """

    x: Tensor
    stop: Stop
    history: list[Record]


Callback = Callable[[Record, Tensor], None]


def solve(objective: Objective, start: Tensor, solver: Solver, callback: Callback | None = None) -> Solution:
    """Descend on `objective` from `start` (B, ...), which is not changed.

    callback: called with the record and x at the start and after every iteration. What it wants to keep of x
    it must copy, since solvers may work in place.
    """
    history: list[Record] = []
    x = start.clone()
    del start
    for iteration, iterate in enumerate(solver.run(objective, x)):
        x = iterate.x
        if not iterate.finite:
            return Solution(x, "non_finite", history)
        history.append(Record(iteration, iterate.terms, iterate.change))
        if callback is not None:
            callback(history[-1], x)
        if not bool(iterate.moving.any()):
            return Solution(x, "converged", history)
    return Solution(x, "max_iter", history)


def is_finite(terms: Terms, gradient: Tensor) -> bool:
    """Whether what is known of an objective is finite."""
    value = terms.energy if terms.known else terms.data
    return bool(torch.isfinite(value + squared_norm(gradient)).all())


def per_picture(values: Tensor, x: Tensor | None = None) -> Tensor:
    """(B,) -> (B, 1, ...), to be multiplied with x (B, ...), which is a batch of pictures (B, C, H, W) unless
    it is given."""
    return values.reshape(-1, *(1,) * (3 if x is None else x.dim() - 1))
