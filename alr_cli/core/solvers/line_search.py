"""x_{l+1} = x_l - eta_l dE/dx(x_l)    (eq. 5), with eta_l found by comparing energies

GradientDescent  eq. 5 with a backtracking line search: the energy of no picture ever increases.
Nmapg            nonmonotone accelerated gradient descent (Li and Lin 2015, algorithm 4, no proximal part).

The first calls `Objective.value_and_grad` once or twice per iteration, the second two or three times. Both
compare energies and cannot use a regularizer of which only the gradient is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from alr_cli.core.energy import Terms
from alr_cli.core.numerics.reductions import rms, squared_norm, total
from alr_cli.core.solvers.base import Iterate, Objective, is_finite, per_picture
from alr_cli.errors import UsageError

_SUFFICIENT = 1e-4  # delta: the share of the decrease predicted by the slope that a step must achieve


@dataclass(frozen=True)
class GradientDescent:
    """Eq. 5. Each step starts with the length of Barzilai and Borwein, which is halved until E decreases.

    If not `adapts`, the step size is the same for all iterations: 1 / L, halved for good where E would rise.
    """

    iterations: int = 300
    tol: float = 1e-4
    adapts: bool = True
    name: str = field(default="gd", init=False)
    compares: bool = field(default=True, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        point = _at(objective, x)
        moving = torch.ones_like(point.terms.energy, dtype=torch.bool)
        yield _iterate(point, point, moving)
        eta = torch.full_like(point.terms.energy, objective.natural_step)
        for _ in range(self.iterations):
            found = _line_search(objective, point, point.terms.energy, eta, moving)
            before, point = point, found.point
            eta = _next_step(found, before) if self.adapts else found.eta
            moving = found.accepted & (rms(point.x - before.x) > self.tol)
            yield _iterate(point, before, moving)


@dataclass(frozen=True)
class Nmapg:
    """Algorithm 4 of Li and Lin (2015), with their names.

    A step from the extrapolated y to z is accepted if its energy is below c, a running mean of the energies
    so far. Otherwise a step from x to v competes with it. Their delta is absolute; here it is in units of 1 /
    (2 eta), so that the scale of E does not matter.
    """

    iterations: int = 150
    tol: float = 1e-3
    name: str = field(default="nmapg", init=False)
    compares: bool = field(default=True, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        memory = 0.8  # their eta
        before = point = _at(objective, x)
        z = x
        t_before, t = 0.0, 1.0
        c, q = point.terms.energy, 1.0
        moving = torch.ones_like(c, dtype=torch.bool)
        eta_y = eta_x = torch.full_like(c, objective.natural_step)
        yield _iterate(point, point, moving)
        for iteration in range(self.iterations):
            x = point.x
            y = x + (t_before / t) * (z - x) + ((t_before - 1.0) / t) * (x - before.x)
            from_y = _at(objective, y) if iteration else point
            fast = _line_search(objective, from_y, torch.fmax(from_y.terms.energy, c), eta_y, moving)
            promise = squared_norm(fast.point.x - from_y.x) / fast.eta
            good = fast.accepted & (fast.point.terms.energy <= c - _SUFFICIENT * promise)
            chosen, advanced = _select(good, fast.point, point), good
            if bool((moving & ~good).any()):
                plain = _line_search(objective, point, c, eta_x, moving & ~good)
                # If not even the plain step gets below c, x stays, because z would only lead uphill.
                advanced = good | plain.accepted
                wins = plain.accepted & ~(
                    fast.accepted & (fast.point.terms.energy <= plain.point.terms.energy)
                )
                chosen = _select(wins, plain.point, _select(advanced, fast.point, point))
                eta_x = _next_step(plain, point)
            eta_y = _next_step(fast, from_y)
            z = torch.where(per_picture(fast.accepted, z), fast.point.x, chosen.x)
            before, point = point, chosen
            moving = advanced & (rms(point.x - x) > self.tol)
            t_before, t = t, (1.0 + (4.0 * t * t + 1.0) ** 0.5) / 2.0
            c, q = (memory * q * c + point.terms.energy) / (memory * q + 1.0), memory * q + 1.0
            yield _iterate(point, before, moving)


@dataclass(frozen=True)
class Point:
    """A point x (B, ...), the terms of the energy there (B,), and its gradient."""

    x: Tensor
    terms: Terms
    gradient: Tensor


@dataclass(frozen=True)
class _Found:
    """The result of a line search and the step size eta (B,) it took.

    Pictures that are not accepted keep their point and their step size.
    """

    point: Point
    eta: Tensor
    accepted: Tensor


def _line_search(objective: Objective, point: Point, level: Tensor, eta: Tensor, moving: Tensor) -> _Found:
    """Halve eta until E(z) <= level - delta ||z - x||^2 / eta, for each picture that is `moving`.

    z is x - eta g, projected onto the allowed points. A picture gives up once the predicted decrease is below
    the rounding of its energy.
    """
    slope = squared_norm(point.gradient)
    rounding = torch.finfo(slope.dtype).eps * level.abs()
    found, searching, accepted, first = point, moving, torch.zeros_like(moving), eta
    while bool(searching.any()):
        step = torch.where(searching, eta, 0.0)
        candidate = _at(objective, _moved(objective, point, step))
        promise = squared_norm(candidate.x - point.x) / eta
        below = searching & (candidate.terms.energy <= level - _SUFFICIENT * promise)
        found = _select(below, candidate, found)
        accepted = accepted | below
        searching = searching & ~below & (eta * slope > rounding)
        eta = torch.where(searching, 0.5 * eta, eta)
    return _Found(found, torch.where(accepted, eta, first), accepted)


def _next_step(found: _Found, begin: Point) -> Tensor:
    """<s, s> / <s, r>, with s and r the differences of x and of the gradient (Barzilai and Borwein 1988).

    The step is at most ten times the last one, and twice the last one if the curvature is negative.
    """
    s, r = found.point.x - begin.x, found.point.gradient - begin.gradient
    curvature = total(s * r) / squared_norm(s)  # NaN where s = 0
    step = torch.where(curvature > 0, torch.minimum(1 / curvature, 10 * found.eta), 2 * found.eta)
    return torch.where(found.accepted, step, found.eta)


def _moved(objective: Objective, point: Point, step: Tensor) -> Tensor:
    """x - step g, projected onto the allowed points; step is (B,)."""
    x = point.x - per_picture(step, point.x) * point.gradient
    objective.project(x)
    return x


def _at(objective: Objective, x: Tensor) -> Point:
    terms, gradient = objective.value_and_grad(x)
    if not terms.known:
        raise UsageError(
            "this solver compares energies, but the prior has only a gradient: choose the solver adam"
        )
    return Point(x, terms, gradient)


def _iterate(point: Point, before: Point, moving: Tensor) -> Iterate:
    finite = is_finite(point.terms, point.gradient)
    return Iterate(point.x if finite else before.x, point.terms, rms(point.x - before.x), moving, finite)


def _select(condition: Tensor, yes: Point, no: Point) -> Point:
    """The pictures of `yes` where the condition (B,) holds, and those of `no` elsewhere."""
    if bool(condition.all()):
        return yes
    wide = per_picture(condition, yes.x)
    return Point(
        torch.where(wide, yes.x, no.x),
        Terms(
            torch.where(condition, yes.terms.energy, no.terms.energy),
            torch.where(condition, yes.terms.data, no.terms.data),
            torch.where(condition, yes.terms.regularizer, no.terms.regularizer),
        ),
        torch.where(wide, yes.gradient, no.gradient),
    )
