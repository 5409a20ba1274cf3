"""x+ = prox_{tau f}(x - tau lam grad g(x)):    F = f + lam g falls at every step

Proximal gradient descent with backtracking (Hurault, Leclaire and Papadakis 2022, Algorithm 2): tau shrinks
until

    F(x) - F(x+) >= gamma / tau ||x+ - x||^2.

F has many minimisers, and what a blur or holes leave of a picture lies far from the good ones. The way there
begins with x+ = prox_{tau f}(D_s(x)) for ever less noise s, tau in proportion to s^2 (half-quadratic
splitting: Geman and Yang 1995; with a learned denoiser, Zhang et al. 2021), and ends with D_s. These steps
have no energy in common, and none is computed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import Tensor

from alr_cli.core.energy import Terms
from alr_cli.core.numerics.reductions import rms, squared_norm
from alr_cli.core.priors.protocol import Denoises
from alr_cli.core.proximal import Fits, prox, smooth
from alr_cli.core.solvers.base import Iterate, Objective, is_finite, per_picture

_ROUNDING = 1e-6  # of F: it must not refuse the last small steps


class Splits(Objective, Fits, Protocol):
    """An objective of two terms. See `energy.Energy`.

    unit: what makes its value F, and its gradient one in units of single pixels.
    """

    @property
    def unit(self) -> float: ...
    def misfit(self, x: Tensor) -> Tensor:
        """The data term alone, (B,)."""
        ...


@dataclass(frozen=True)
class Position:
    """x (B, C, H, W), the terms there, the gradient of lam g there, and the steps tau (B,) that led to it."""

    x: Tensor
    terms: Terms
    gradient: Tensor
    tau: Tensor


@dataclass(frozen=True)
class Splitting:
    """way: what denoises on the way, and tau for each, 0 for D alone.  tau: of the descent, to begin with.
    momentum: on the way, beta x (x - x before) is added before D; beta falls from this to 0 in a straight
    line.  mu: of the smooth picture to begin with (see `proximal.smooth`), 0 to begin as a problem does.
    rounds: see `proximal.prox`.  iterations: steps of the way and the descent together.  gamma: how much of
    the movement F must fall by.  eta: what tau shrinks by.  most: refusals in a row, after which a picture
    rests. Its objective is a `Splits`."""

    way: tuple[tuple[Denoises, float], ...]
    tau: float
    iterations: int
    tol: float = 1e-4
    momentum: float = 0.0
    mu: float = 0.0
    rounds: int = 1
    gamma: float = 0.1
    eta: float = 0.8
    most: int = 30
    name: str = field(default="splitting", init=False)
    compares: bool = field(default=True, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        energy = cast(Splits, objective)
        data = energy.misfit(x)
        moving = torch.ones_like(data, dtype=torch.bool)
        yield Iterate(x, _unknown(data), torch.zeros_like(data), moving, True)
        x = smooth(energy, x, self.mu) if self.mu else x
        before = x
        for number, (denoiser, tau) in enumerate(self.way[: self.iterations]):
            beta = self.momentum * (1 - number / len(self.way))
            z = self._held(energy, denoiser.denoise(x + beta * (x - before)), x)
            before, x = x, self._prox(energy, z, torch.full_like(data, tau))
            data = energy.misfit(x)
            yield Iterate(x, _unknown(data), rms(x - before), moving, bool(torch.isfinite(data).all()))
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
        """One accepted step of each picture, and which pictures made one (B,)."""
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

    def _prox(self, energy: Splits, z: Tensor, tau: Tensor) -> Tensor:
        return prox(energy, z, tau, self.rounds)

    def _held(self, energy: Splits, z: Tensor, x: Tensor) -> Tensor:
        """z where x may move, x elsewhere."""
        return z if energy.free is None else torch.where(energy.free > 0, z, x)


def _unknown(data: Tensor) -> Terms:
    """The terms of an energy of which only the data term is known."""
    unknown = torch.full_like(data, torch.nan)
    return Terms(unknown, data, unknown, known=False)


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
