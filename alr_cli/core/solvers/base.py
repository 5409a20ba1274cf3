"""x* = arg min E(x): the interface of objectives and solvers, and the loop that runs a solver    (eq. 4)

A solver is a frozen dataclass with its own parameters; `solve` runs it. All solvers work on batches. Every
picture of a batch has its own step sizes and stops when it has converged, so that a batch gives the same
results as single pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from alr_cli.core.energy import Terms
from alr_cli.core.numerics.reductions import squared_norm

Stop = Literal["converged", "discrepancy", "max_iter", "diverged", "non_finite"]


class Objective(Protocol):
    """All that a solver knows of a problem. `energy.Energy` is one whose unknown is a picture; others are
    possible.

    Attributes:
        natural_step: 1 / L, where L is the largest curvature as far as it is known.
        size: N, the number by which the objective was divided. The gradient times N does not depend on the
            size of the problem.
    """

    @property
    def natural_step(self) -> float: ...
    @property
    def size(self) -> float: ...

    def value_and_grad(self, x: Tensor) -> tuple[Terms, Tensor]:
        """x: (B, ...) -> (terms (B,), gradient like x)."""
        ...

    def project(self, x: Tensor) -> None:
        """Move x, in place, to the nearest allowed point."""
        ...


@dataclass(frozen=True)
class Iterate:
    """The state of a descent.

    Attributes:
        x: The current point.
        terms: The terms of the objective there.
        change: The root mean square of the last step, (B,).
        moving: Which pictures still move, (B,).
        finite: Whether the objective and its gradient are finite. If not, x is the last point where they
            were.
        astray: Which pictures ran away, (B,), and were put back where their steps were shortest; None for a
            descent that cannot.
        fits: Which pictures are as near to the observation as the noise allows, (B,); None if this does not
            matter.
    """

    x: Tensor
    terms: Terms
    change: Tensor
    moving: Tensor
    finite: bool
    astray: Tensor | None = None
    fits: Tensor | None = None


class Solver(Protocol):
    """A minimisation algorithm with its parameters.

    Attributes:
        name: Its name on the command line.
        iterations: Largest number of iterations.
        tol: A picture stops once the root mean square of an update, in pixel values, is not larger than this.
        compares: Whether the solver compares energies.
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
        """Yield the start, and the result of each iteration. x (B, ...) may be changed in place."""
        ...


@dataclass(frozen=True)
class Record:
    """One iteration: the energy terms (B,) at x_l, and the root mean square of the last update (B,)."""

    iteration: int
    terms: Terms
    change: Tensor


@dataclass(frozen=True)
class Solution:
    """The result of a descent.

    Attributes:
        x: The minimiser that was found.
        stop: "converged" if the last update of every picture was at most tol, or no step lowers the energy
            measurably; "discrepancy" if a picture was left as near to the observation as the noise allows
            (see discrepancy.py); "max_iter"; "diverged" if a picture ran away; or "non_finite", and then x is
            the last point with a finite energy and gradient, up to rounding.
        history: A record for each iteration; the first one is the start.
    """

    x: Tensor
    stop: Stop
    history: list[Record]


Callback = Callable[[Record, Tensor], None]


def solve(objective: Objective, start: Tensor, solver: Solver, callback: Callback | None = None) -> Solution:
    """Minimise `objective` from `start` (B, ...), which is not changed.

    Args:
        objective: What is minimised.
        start: The starting point.
        solver: The algorithm.
        callback: Called with the record and x at the start and after every iteration. It must copy what it
            wants to keep of x, because solvers may work in place.
    """
    history: list[Record] = []
    x, diverged = start.clone(), False
    del start
    for iteration, iterate in enumerate(solver.run(objective, x)):
        x = iterate.x
        if not iterate.finite:
            return Solution(x, "non_finite", history)
        history.append(Record(iteration, iterate.terms, iterate.change))
        if callback is not None:
            callback(history[-1], x)
        diverged = iterate.astray is not None and bool(iterate.astray.any())
        if not bool(iterate.moving.any()):
            fits = iterate.fits is not None and bool(iterate.fits.any())
            return Solution(x, "diverged" if diverged else "discrepancy" if fits else "converged", history)
    return Solution(x, "diverged" if diverged else "max_iter", history)


def is_finite(terms: Terms, gradient: Tensor) -> bool:
    """Whether the known terms of an objective and its gradient are finite."""
    value = terms.energy if terms.known else terms.data
    return bool(torch.isfinite(value + squared_norm(gradient)).all())


def per_picture(values: Tensor, x: Tensor | None = None) -> Tensor:
    """(B,) -> (B, 1, ...), to be multiplied with x (B, ...).

    Without x the result is for pictures (B, C, H, W).
    """
    return values.reshape(-1, *(1,) * (3 if x is None else x.dim() - 1))
