"""x_{l+1} = x_l - eta_l H_l dE/dx(x_l), H_l ~ (d^2 E)^-1 from the last m steps (Nocedal 1980, L-BFGS)

It is for objectives without a known curvature, such as those over the latents of a flow. Their valleys are
too narrow for gradient descent, and Adam's steps have no suitable scale there. One iteration needs one or two
evaluations.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from alr_cli.core.energy import Terms
from alr_cli.core.numerics.reductions import rms, total
from alr_cli.core.solvers.base import Iterate, Objective, is_finite, per_picture
from alr_cli.errors import UsageError

_SUFFICIENT = 1e-4  # the share of the predicted decrease that a step must achieve
_FIRST = 0.01  # root mean square of the first step, when the curvature is not known yet
_HALVINGS = 12


@dataclass(frozen=True)
class Lbfgs:
    """L-BFGS with m = `memory`. Every picture of a batch has its own H and its own steps."""

    iterations: int = 100
    tol: float = 1e-5
    memory: int = 10
    name: str = field(default="lbfgs", init=False)
    compares: bool = field(default=True, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        terms, gradient = objective.value_and_grad(x)
        if not terms.known:
            raise UsageError("lbfgs compares energies and the prior has none: choose the solver adam")
        moving = torch.ones_like(terms.energy, dtype=torch.bool)
        yield Iterate(x, terms, torch.zeros_like(terms.energy), moving, is_finite(terms, gradient))
        memory: deque[tuple[Tensor, Tensor]] = deque(maxlen=self.memory)
        for _ in range(self.iterations):
            direction = _direction(gradient, memory)
            # If rounding or negative curvature has spoilt H, the gradient itself is still a descent
            # direction.
            uphill = _dot(direction, gradient) >= 0
            direction = torch.where(per_picture(uphill, x), _scaled(gradient), direction)
            to, to_terms, to_gradient, accepted = _search(objective, x, terms, gradient, direction, moving)
            memory.append((to - x, to_gradient - gradient))
            change = rms(to - x)
            moving = accepted & (change > self.tol)
            x, terms, gradient = to, to_terms, to_gradient
            yield Iterate(x, terms, change, moving, is_finite(terms, gradient))


def _direction(gradient: Tensor, memory: deque[tuple[Tensor, Tensor]]) -> Tensor:
    """-H g by Nocedal's two loops. Pairs with negative curvature are left out."""
    if not memory:
        return _scaled(gradient)
    q, weights = gradient.clone(), []
    for s, r in reversed(memory):
        curvature = _dot(s, r)
        rho = torch.where(curvature > 1e-10 * _dot(s, s).sqrt() * _dot(r, r).sqrt(), 1 / curvature, 0.0)
        alpha = rho * _dot(s, q)
        q -= per_picture(alpha, q) * r
        weights.append((rho, alpha))
    s, r = memory[-1]
    scale = _dot(s, r) / _dot(r, r).clamp_min(torch.finfo(r.dtype).tiny)
    q *= per_picture(torch.where(scale > 0, scale, _scale(gradient)), q)
    for (s, r), (rho, alpha) in zip(memory, reversed(weights), strict=True):
        q += per_picture(alpha - rho * _dot(r, q), q) * s
    return -q


def _search(
    objective: Objective, x: Tensor, terms: Terms, gradient: Tensor, direction: Tensor, moving: Tensor
) -> tuple[Tensor, Terms, Tensor, Tensor]:
    """Halve the step of each picture that is `moving` until its energy decreases enough.

    Pictures for which it never does stay where they are. Returns the point, the terms and the gradient there,
    and which pictures moved.
    """
    slope = _dot(direction, gradient)
    step = torch.where(moving, 1.0, 0.0).to(x.dtype)
    best, best_terms, best_gradient, accepted = x, terms, gradient, torch.zeros_like(moving)
    for _ in range(_HALVINGS):
        to = x + per_picture(step, x) * direction
        objective.project(to)
        to_terms, to_gradient = objective.value_and_grad(to)
        falls = to_terms.energy <= terms.energy + _SUFFICIENT * step * slope
        below = moving & ~accepted & falls & torch.isfinite(_dot(to_gradient, to_gradient))
        wide = per_picture(below, x)
        best, best_gradient = torch.where(wide, to, best), torch.where(wide, to_gradient, best_gradient)
        best_terms = Terms(
            torch.where(below, to_terms.energy, best_terms.energy),
            torch.where(below, to_terms.data, best_terms.data),
            torch.where(below, to_terms.regularizer, best_terms.regularizer),
        )
        accepted = accepted | below
        searching = moving & ~accepted
        if not bool(searching.any()):
            break
        step = torch.where(searching, 0.5 * step, 0.0)
    return best, best_terms, best_gradient, accepted


def _scaled(gradient: Tensor) -> Tensor:
    return -per_picture(_scale(gradient), gradient) * gradient


def _scale(gradient: Tensor) -> Tensor:
    """The factors that turn the gradient of each picture into a first step, (B,)."""
    length = rms(gradient)
    return _FIRST / length.clamp_min(torch.finfo(length.dtype).tiny)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """(B, ...), (B, ...) -> (B,)."""
    return total(a * b)
