"""x+ = prox_{tau f}(x - tau lam grad g(x)):    F = f + lam g decreases at every step

This is proximal gradient descent with backtracking (Hurault, Leclaire and Papadakis 2022, Algorithm 2). tau
is reduced until

    F(x) - F(x+) >= gamma / tau ||x+ - x||^2.

F has many minimisers, and an observation through a blur or with holes is far from the good ones. The solver
therefore begins with a path of half-quadratic splitting, x+ = prox_{tau f}(D_s(x)) for decreasing noise
levels s with tau proportional to s^2, and a last D_s (Geman and Yang 1995; with a learned denoiser, Zhang et
al. 2021). The steps of this path have no common energy, so none is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import Tensor

from alr_cli.core.energy import Terms, unknown
from alr_cli.core.numerics.reductions import rms, squared_norm
from alr_cli.core.priors.protocol import Denoises
from alr_cli.core.proximal import Fits, prox, smooth
from alr_cli.core.solvers.base import Iterate, Objective, is_finite, per_picture

_ROUNDING = 1e-6  # relative to F, so that rounding errors do not reject the last small steps


class Splits(Objective, Fits, Protocol):
    """An objective with two terms. See `energy.Energy`.

    Attributes:
        unit: The factor that converts its value to F, and its gradient to units of single pixels.
    """

    @property
    def unit(self) -> float: ...
    def misfit(self, x: Tensor) -> Tensor:
        """The data term alone, (B,)."""
        ...


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
class Splitting:
    """The path, and then proximal gradient descent on F. Its objective is a `Splits`.

    Attributes:
        way: The denoisers of the path, and tau for each; 0 for D alone.
        tau: Initial step size for F.
        iterations: Number of steps of both parts together.
        tol: As in `base.Solver`.
        momentum: On the path, beta x (x - previous x) is added before D. beta decreases linearly from this
            value to 0.
        mu: Weight of the smooth start (see `proximal.smooth`); 0 uses the start of the problem.
        rounds: See `proximal.prox`.
        rough: Tolerance of the proximal maps on the path.
        steps: Largest number of steps of conjugate gradients in `proximal.prox`.
        gamma: The required decrease of F, relative to the squared length of the step.
        eta: The factor by which tau is reduced.
        most: Number of consecutive rejections after which a picture is not changed any more.
    """

    way: tuple[tuple[Denoises, float], ...]
    tau: float
    iterations: int
    tol: float = 1e-4
    momentum: float = 0.0
    mu: float = 0.0
    rounds: int = 1
    steps: int = 30
    rough: float = 1e-3
    gamma: float = 0.1
    eta: float = 0.8
    most: int = 30
    name: str = field(default="splitting", init=False)
    compares: bool = field(default=True, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        energy = cast(Splits, objective)
        data = energy.misfit(x)
        moving = torch.ones_like(data, dtype=torch.bool)
        yield Iterate(x, unknown(data), torch.zeros_like(data), moving, True)
        x = smooth(energy, x, self.mu) if self.mu else x
        before = x
        for number, (denoiser, tau) in enumerate(self.way[: self.iterations]):
            beta = self.momentum * (1 - number / len(self.way))
            z = self._held(energy, denoiser.denoise(x + beta * (x - before)), x)
            before, x = x, self._prox(energy, z, torch.full_like(data, tau), self.rough) if tau else z
            data = energy.misfit(x)
            yield Iterate(x, unknown(data), rms(x - before), moving, bool(torch.isfinite(data).all()))
        if self.iterations > len(self.way):
            yield from self._descent(energy, x, moving)

    def _descent(self, energy: Splits, x: Tensor, moving: Tensor) -> Iterator[Iterate]:
        at = self._at(energy, x, torch.full_like(energy.misfit(x), self.tau))
        for _ in range(self.iterations - len(self.way)):
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
        misfit = torch.zeros_like(x)
        energy.add_misfit(x, misfit)
        if energy.free is not None:
            misfit *= energy.free
        return Position(x, terms, gradient.mul_(energy.unit).sub_(misfit), tau)

    def _prox(self, energy: Splits, z: Tensor, tau: Tensor, tol: float = 1e-3) -> Tensor:
        x = prox(energy, z, tau, self.rounds, self.steps, tol)
        energy.project(x)
        return x

    def _held(self, energy: Splits, z: Tensor, x: Tensor) -> Tensor:
        """z where x may move, and x elsewhere."""
        return z if energy.free is None else torch.where(energy.free > 0, z, x)


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
