"""x+ = prox_{tau f}(x - tau lam grad g(x)):    F = f + lam g falls at every step

Proximal gradient descent with backtracking (Hurault, Leclaire and Papadakis 2022, Algorithm 2): tau shrinks
until

    F(x) - F(x+) >= gamma / tau ||x+ - x||^2.

`Accelerated` is nmAPG (Li and Lin 2015) on the same F: the step is taken from a point ahead, along the last
movement, wherever that makes F fall by as much, and else from x itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from alr_cli.core.numerics.reductions import rms, squared_norm
from alr_cli.core.proximal import Proximable
from alr_cli.core.solvers.base import per_picture


class Smooth(Protocol):
    """g: what is only known by its value and its gradient."""

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) -> (g (B,), dg/dx like x)."""
        ...


@dataclass(frozen=True)
class Composite:
    """F = f + lam g for a batch, of which f has a proximal map.  lam: (B,) or a number."""

    data: Proximable
    regularizer: Smooth
    lam: Tensor | float

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """F (B,), and the gradient of lam g alone."""
        g, gradient = self.regularizer.value_and_grad(x)
        lam = torch.as_tensor(self.lam, dtype=x.dtype, device=x.device).expand(x.shape[0])
        return self.data.value(x) + lam * g, per_picture(lam) * gradient


@dataclass(frozen=True)
class Position:
    """x (B, C, H, W), F there (B,), the gradient of lam g there, the steps tau (B,) that led to it, and the
    root mean square of the last movement (B,)."""

    x: Tensor
    value: Tensor
    gradient: Tensor
    tau: Tensor
    change: Tensor


@dataclass(frozen=True)
class ProximalGradient:
    """tau: to begin with.  gamma: how much of the movement F must fall by.  eta: what tau shrinks by.
    most: refusals in a row, after which a picture stays where it is."""

    tau: float = 1.0
    gamma: float = 0.1
    eta: float = 0.9
    most: int = 40

    def run(self, objective: Composite, x: Tensor) -> Iterator[Position]:
        """From x on, without end; the first position is x itself."""
        at = self.begin(objective, x)
        while True:
            yield at
            at = self.step(objective, at)

    def begin(self, objective: Composite, x: Tensor) -> Position:
        value, gradient = objective.value_and_grad(x)
        tau = torch.full_like(value, self.tau)
        return Position(x, value, gradient, tau, torch.full_like(value, torch.inf))

    def step(self, objective: Composite, at: Position) -> Position:
        """One accepted step of each picture; none of one whose tau would have to shrink `most` times."""
        tau = at.tau.clone()
        for _ in range(self.most):
            x = objective.data.prox(at.x - per_picture(tau) * at.gradient, tau)
            value, gradient = objective.value_and_grad(x)
            moved = squared_norm(x - at.x)
            # Rounding of F must not refuse the last small steps.
            good = at.value - value >= self.gamma / tau * moved - 1e-6 * at.value.abs()
            if bool(good.all()):
                break
            tau = torch.where(good, tau, self.eta * tau)
        kept = per_picture(good)
        return Position(
            torch.where(kept, x, at.x),
            torch.where(good, value, at.value),
            torch.where(kept, gradient, at.gradient),
            tau,
            torch.where(good, rms(x - at.x), 0.0),
        )


@dataclass(frozen=True)
class Accelerated:
    """nmAPG with the steps of `plain`."""

    plain: ProximalGradient = ProximalGradient()

    def run(self, objective: Composite, x: Tensor) -> Iterator[Position]:
        """From x on, without end; the first position is x itself."""
        at = self.plain.begin(objective, x)
        before, momentum = at.x, 1.0
        while True:
            yield at
            following = (1.0 + (1.0 + 4.0 * momentum**2) ** 0.5) / 2.0
            ahead = at.x + (momentum - 1.0) / following * (at.x - before)
            momentum, before = following, at.x
            at = self._further(objective, at, ahead) if momentum > 2.0 else self.plain.step(objective, at)

    def _further(self, objective: Composite, at: Position, ahead: Tensor) -> Position:
        """A step from `ahead` for those pictures where F falls enough by it; an ordinary one for all
        others."""
        _, slope = objective.value_and_grad(ahead)
        x = objective.data.prox(ahead - per_picture(at.tau) * slope, at.tau)
        value, gradient = objective.value_and_grad(x)
        good = at.value - value >= self.plain.gamma / at.tau * squared_norm(x - at.x)
        if bool(good.all()):
            return Position(x, value, gradient, at.tau, rms(x - at.x))
        usual = self.plain.step(objective, at)
        kept = per_picture(good)
        return Position(
            torch.where(kept, x, usual.x),
            torch.where(good, value, usual.value),
            torch.where(kept, gradient, usual.gradient),
            usual.tau,
            torch.where(good, rms(x - at.x), usual.change),
        )
