"""x+ = prox_{tau f}(x - tau lam grad R(x)),    tau falling: plug-and-play descent with an implicit data term

With f = 1/2 ||A x - y||^2 this is x - (A* A + 1 / tau)^-1 (A* (A x - y) + lam grad R(x)). For every tau it
stands still where plain gradient descent does, and unlike that, it soon reaches what a blur has nearly
extinguished. Only lam grad R limits tau: a learned gradient makes grain with steps that are too long. One
that has seen only denoised pictures makes it of noise, too, so that the descent begins at a smooth picture.

tau falls geometrically, whatever the number of iterations, so that the steps come to an end. If the learned
gradient is no gradient, the point where the descent would stand still need not be its best one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from alr_cli.core.numerics.reductions import rms
from alr_cli.core.proximal import smooth
from alr_cli.core.solvers.base import Iterate, Objective, is_finite, per_picture
from alr_cli.core.solvers.splitting import Splits, prox_within, slope_of_prior


@dataclass(frozen=True)
class Implicit:
    """The descent. Its objective is a `Splits`.

    Attributes:
        tau: The first step.
        fall: The factor from each step to the next one.
        iterations, tol: As in `base.Solver`.
        mu: Weight of the smooth start (see `proximal.smooth`); 0 uses the start of the problem.
        rounds: See `proximal.prox`.
    """

    tau: float
    fall: float = 0.955
    iterations: int = 1000
    tol: float = 1e-4
    mu: float = 0.0
    rounds: int = 1
    name: str = field(default="pnp-pgd", init=False)
    compares: bool = field(default=False, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        energy = cast(Splits, objective)
        terms, gradient = energy.value_and_grad(x)
        moving = torch.ones_like(terms.data, dtype=torch.bool)
        yield Iterate(x, terms, torch.zeros_like(terms.data), moving, is_finite(terms, gradient))
        if self.mu:
            x = smooth(energy, x, self.mu)
            terms, gradient = energy.value_and_grad(x)
        tau = self.tau
        for _ in range(self.iterations):
            ahead = x - tau * slope_of_prior(energy, x, gradient)
            nearer = prox_within(energy, ahead, torch.full_like(terms.data, tau), self.rounds)
            before, x = x, torch.where(per_picture(moving, x), nearer, x)
            change = rms(x - before)
            terms, gradient = energy.value_and_grad(x)
            moving = moving & (change > self.tol)
            finite = is_finite(terms, gradient)
            yield Iterate(x if finite else before, terms, change, moving, finite)
            tau *= self.fall
