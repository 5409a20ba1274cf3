"""x+ = prox_{tau f}(x - tau lam grad g(x)):    F = f + lam g decreases at every step

This is proximal gradient descent with backtracking (Hurault, Leclaire and Papadakis 2022, Algorithm 2). tau
is reduced until

    F(x) - F(x+) >= gamma / tau ||x+ - x||^2.

F has many minimisers. For a prior that denoises at any level, the descent therefore begins where a path of
half-quadratic splitting ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from alr_cli.core.energy import Terms
from alr_cli.core.numerics.reductions import rms, squared_norm
from alr_cli.core.solvers.base import Iterate, Objective, is_finite, per_picture
from alr_cli.core.solvers.splitting import Splits, Splitting, prox_within, slope_of_prior

_ROUNDING = 1e-6  # relative to F, so that rounding errors do not reject the last small steps
_ROUGH = 1e-3  # tolerance of the proximal maps


@dataclass(frozen=True)
class Position:
    """A point of the minimisation of F.

    Attributes:
        x: (B, C, H, W).
        terms: The terms of the energy at x.
        gradient: The gradient of lam g at x.
        tau: The step sizes (B,) that led to x.
    """

    x: Tensor
    terms: Terms
    gradient: Tensor
    tau: Tensor


@dataclass(frozen=True)
class ProximalGradient:
    """Its objective is a `Splits` whose energy is known.

    Attributes:
        tau: Initial step size.
        iterations: Largest number of steps, with those of the path.
        tol: As in `base.Solver`.
        first: The path before it, whose rounds and steps of proximal maps are used further on. One without
            steps of its own begins at the start of the problem.
        gamma: The required decrease of F, relative to the squared length of the step.
        eta: The factor by which tau is reduced.
        most: Number of consecutive rejections after which a picture is not changed any more.
    """

    tau: float
    iterations: int = 400
    tol: float = 1e-5
    first: Splitting = field(default_factory=lambda: Splitting(()))
    gamma: float = 0.1
    eta: float = 0.8
    most: int = 30
    name: str = field(default="pgd", init=False)
    compares: bool = field(default=True, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        energy = cast(Splits, objective)
        for iterate in self.first.run(objective, x):
            x, moving = iterate.x, iterate.moving
            yield iterate
        at = self._at(energy, x, torch.full_like(energy.misfit(x), self.tau))
        for _ in range(self.iterations - self.first.iterations):
            before, (at, advanced) = at, self._step(energy, at)
            change = rms(at.x - before.x)
            moving = moving & advanced & (change > self.tol)
            yield Iterate(at.x, at.terms, change, moving, is_finite(at.terms, at.gradient))

    def _step(self, energy: Splits, at: Position) -> tuple[Position, Tensor]:
        """One accepted step for each picture, and which pictures accepted one, (B,)."""
        tau, value = at.tau.clone(), energy.unit * at.terms.energy
        for _ in range(self.most):
            found = self._at(energy, self._prox(energy, at.x - per_picture(tau) * at.gradient, tau), tau)
            fall = value - energy.unit * found.terms.energy
            good = fall >= self.gamma / tau * squared_norm(found.x - at.x) - _ROUNDING * value.abs()
            if bool(good.all()):
                break
            tau = torch.where(good, tau, self.eta * tau)
        return _select(good, found, at), good

    def _at(self, energy: Splits, x: Tensor, tau: Tensor) -> Position:
        terms, gradient = energy.value_and_grad(x)
        return Position(x, terms, slope_of_prior(energy, x, gradient), tau)

    def _prox(self, energy: Splits, z: Tensor, tau: Tensor) -> Tensor:
        return prox_within(energy, z, tau, self.first.rounds, self.first.steps, _ROUGH)


def _select(condition: Tensor, yes: Position, no: Position) -> Position:
    """The pictures of `yes` where the condition (B,) holds, those of `no` elsewhere."""
    wide, a, b = per_picture(condition), yes.terms, no.terms
    return Position(
        torch.where(wide, yes.x, no.x),
        Terms(
            torch.where(condition, a.energy, b.energy),
            torch.where(condition, a.data, b.data),
            torch.where(condition, a.regularizer, b.regularizer),
        ),
        torch.where(wide, yes.gradient, no.gradient),
        torch.where(condition, yes.tau, no.tau),
    )
