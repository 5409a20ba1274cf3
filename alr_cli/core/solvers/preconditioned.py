"""x_{l+1} = x_l - eta P^-1 (dE/dx + momentum), starting from the minimiser of a quadratic    (eq. 5,
accelerated)

It is for fields of experts, for which P is known (preconditioner.py). 20 steps do what takes Adam hundreds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import Tensor

from alr_cli.core.energy import Terms
from alr_cli.core.numerics.chunks import bands
from alr_cli.core.numerics.reductions import squared_norm
from alr_cli.core.priors.preconditioner import Circulant
from alr_cli.core.solvers.base import Iterate, Objective, is_finite, per_picture


@dataclass(frozen=True)
class Pace:
    """Settings of the preconditioned descent; see docs/performance.md.

    Attributes:
        first: u in P for the start; 0 for no such start.
        later: u in P for the steps.
        momentum: beta.
    """

    first: float = 0.03
    later: float = 0.3
    momentum: float = 0.75


# At missing frequencies only the regularizer contributes curvature to E, and hardly any at edges. For a
# smaller u, deblurring amplifies rounding errors in flat places, by 1e5 in 30 steps (docs/performance.md).
NEAR, FAR, HOLES = Pace(), Pace(0.1, 0.3, 0.95), Pace(0.0, 0.8, 0.97)
RAYS = Pace(0.1, 0.1, 0.9)  # a ray transform leaves no flat place unseen, and small steps would end too early
COLOURED = Pace(0.0, 0.15, 0.7)  # here the noisy picture is a better start than its Wiener filter


class Quadratic(Objective, Protocol):
    """An objective whose data term is a squared error, or nearly one.

    Attributes:
        unit: The factor that converts its gradient to units of single pixels.
        free: 1 where x may move; None for everywhere.
    """

    @property
    def unit(self) -> float: ...
    @property
    def free(self) -> Tensor | None: ...

    def grad(self, x: Tensor) -> tuple[Terms, Tensor]:
        """Like `value_and_grad`, but the energy may stay unknown."""
        ...

    def add_misfit(self, x: Tensor, gradient: Tensor) -> None:
        """Add the gradient of half of the data term, in units of single pixels."""
        ...


@dataclass(frozen=True)
class Preconditioned:
    """Nesterov's momentum on P^-1 dE/dx, with the usual weight of a response in P. Its objective is a
    `Quadratic`.

    The step size is 1 and decays to 0.1 in the second half. In flat places P may be too small; the decrease
    of log(1 + t^2) then bounds the error, and the decay of the steps ends it. The solver works in place and
    needs five copies of a picture: x, y, the gradient, the direction and its mean.

    Attributes:
        preconditioner: P for u = 1.
        iterations: Number of steps.
        tol: As in `base.Solver`.
        pace: The settings.
        watched: Whether the energy of every step is needed. If not, only that of the last one is computed.
    """

    preconditioner: Circulant
    iterations: int = 20
    tol: float = 0.0
    pace: Pace = NEAR
    watched: bool = True
    name: str = field(default="fourier", init=False)
    compares: bool = field(default=False, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        energy = cast(Quadratic, objective)
        pace = self.pace
        if self.iterations and pace.first:
            begin_fourier(energy, x, self.preconditioner.scaled(pace.first))
            energy.project(x)
        later = self.preconditioner.scaled(pace.later)
        terms, gradient = self._look(energy, x, last=not self.iterations)
        moving = torch.ones_like(terms.data, dtype=torch.bool)
        yield Iterate(x, terms, torch.zeros_like(terms.data), moving, is_finite(terms, gradient))
        mean = torch.zeros_like(x)
        for step in range(self.iterations):
            direction = later.solve(gradient)
            del gradient  # frees memory for the next one
            if energy.free is not None:
                direction *= energy.free
            size = 0.1 ** max(0.0, 2 * step / self.iterations - 1) * per_picture(moving.to(x.dtype), x)
            change = _momentum_step(x, mean, direction, energy.unit, size, pace.momentum)
            energy.project(x)
            moving = moving & (change > self.tol)
            last = step == self.iterations - 1 or not bool(moving.any())
            terms, gradient = self._look(energy, x, last)
            finite = is_finite(terms, gradient)
            if not finite:
                for band in bands(x):
                    x[band].add_(direction[band])
            del direction
            yield Iterate(x, terms, change, moving, finite)

    def _look(self, energy: Quadratic, x: Tensor, last: bool) -> tuple[Terms, Tensor]:
        return energy.value_and_grad(x) if self.watched or last else energy.grad(x)


def begin_fourier(energy: Quadratic, x: Tensor, preconditioner: Circulant) -> None:
    """Move x, in place, to the minimiser of ||A x - y||^2 + <x, Q x>, where Q is the prior's part of P.

    One step along P^-1 does this exactly, except at the border and for clipped pixels. It is a Wiener filter.
    """
    gradient = preconditioner.smoothed(x)
    energy.add_misfit(x, gradient)
    direction = preconditioner.solve(gradient)
    del gradient
    if energy.free is not None:
        direction *= energy.free
    for band in bands(x):
        x[band].sub_(direction[band])


def _momentum_step(
    x: Tensor, mean: Tensor, direction: Tensor, unit: float, size: Tensor, momentum: float
) -> Tensor:
    """m <- beta m + d, x <- x - size (d + beta m), in place, where d is unit times the direction.

    The direction is overwritten by the update. Returns the root mean square of the update (B,).
    """
    moved = torch.zeros(x.shape[0], dtype=x.dtype, device=x.device)
    for band in bands(x):
        mean[band].mul_(momentum).add_(direction[band], alpha=unit)
        update = direction[band].mul_(unit).add_(mean[band], alpha=momentum).mul_(size)
        x[band].sub_(update)
        moved += squared_norm(update)
    return (moved / x[0].numel()).sqrt()
