"""Stop at the first l with ||A x_l - y||^2 <= tau^2 E||e||^2: the discrepancy principle    (Morozov 1966)

The noise e is the distance of the true picture from the observation. A descent from a start that fits the
observation badly reaches this distance once, and after it begins to follow the noise. The rule does not look
at the true picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from alr_cli.core.energy import Terms
from alr_cli.core.solvers.base import Iterate, Objective, Solver, per_picture


@dataclass(frozen=True)
class Discrepancy:
    """A solver that stops earlier.

    Attributes:
        of: The solver.
        enough: The data term at which a picture is left as it is.
    """

    of: Solver
    enough: float

    @property
    def name(self) -> str:
        return self.of.name

    @property
    def iterations(self) -> int:
        return self.of.iterations

    @property
    def tol(self) -> float:
        return self.of.tol

    @property
    def compares(self) -> bool:
        return self.of.compares

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        kept: Iterate | None = None
        for iterate in self.of.run(objective, x):
            fits = iterate.terms.data <= self.enough
            if kept is not None:
                before = kept.fits if kept.fits is not None else torch.zeros_like(fits)
                iterate = _where(before, kept, iterate)
                fits = fits | before
            iterate = replace(iterate, moving=iterate.moving & ~fits, fits=fits)
            kept = replace(iterate, x=iterate.x.clone())  # the solver may work in place
            yield iterate


def _where(condition: Tensor, yes: Iterate, no: Iterate) -> Iterate:
    """`no`, with the pictures of `yes` where the condition (B,) holds."""

    def chosen(a: Tensor, b: Tensor) -> Tensor:
        return torch.where(condition, a, b)

    terms = Terms(
        chosen(yes.terms.energy, no.terms.energy),
        chosen(yes.terms.data, no.terms.data),
        chosen(yes.terms.regularizer, no.terms.regularizer),
        no.terms.known,
        no.terms.slope,
    )
    x = torch.where(per_picture(condition, no.x), yes.x, no.x)
    return replace(no, x=x, terms=terms, change=torch.where(condition, 0.0, no.change))
