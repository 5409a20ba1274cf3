"""x+ = prox_{tau f}(z - u),    z+ = prox_{tau lam R}(x+ + u),    u+ = u + x+ - z+: ADMM

(Boyd et al. 2011, scaled form; plug and play if the second map is a denoiser: Venkatakrishnan, Bouman and
Wohlberg 2013.) Where the proximal map of R is that of a convex function, x converges to the minimiser of f +
lam R for any tau. A denoiser is in general no proximal map. Then x may also cycle or run away, which
divergence.py notices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from alr_cli.core.energy import unknown
from alr_cli.core.numerics.reductions import rms
from alr_cli.core.priors.protocol import HasProx
from alr_cli.core.proximal import prox
from alr_cli.core.solvers.base import Iterate, Objective, per_picture
from alr_cli.core.solvers.divergence import Watch
from alr_cli.core.solvers.splitting import Splits


@dataclass(frozen=True)
class Admm:
    """ADMM with a fixed or falling tau.

    Attributes:
        regularizer: R, whose proximal map is used.
        weight: lam in units of single pixels; see `energy.Energy.unit`.
        tau: The step at the end. It changes the way, and with a proximal map not the result.
        first: The step at the beginning. None for tau.
        falls: Number of iterations in which the step falls from `first` to `tau` geometrically.
        iterations, tol: As in `base.Solver`. It stops when x, z and u all move by less than tol.
        rounds: See `proximal.prox`.
    """

    regularizer: HasProx
    weight: float
    tau: float
    first: float | None = None
    falls: int = 25
    iterations: int = 200
    tol: float = 1e-5
    rounds: int = 1
    name: str = field(default="admm", init=False)
    compares: bool = field(default=False, init=False)

    def step(self, number: int) -> float:
        """tau of iteration `number`, from 0."""
        if self.first is None:
            return self.tau
        way = min(1.0, number / max(1, self.falls))
        return float(self.first * (self.tau / self.first) ** way)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        energy = cast(Splits, objective)
        data = energy.misfit(x)
        moving = torch.ones_like(data, dtype=torch.bool)
        astray = torch.zeros_like(moving)
        yield Iterate(x, unknown(data), torch.zeros_like(data), moving, True)
        z, u, watch = x, torch.zeros_like(x), Watch(x)
        for number in range(self.iterations):
            tau = self.step(number)
            nearer = prox(energy, z - u, torch.full_like(data, tau), self.rounds)
            nearer = nearer if energy.free is None else torch.where(energy.free > 0, nearer, x)
            smoother = self.regularizer.prox(nearer + u, tau * self.weight)
            dual = u + nearer - smoother
            change = torch.stack([rms(nearer - x), rms(smoother - z), rms(dual - u)]).amax(0)
            on = per_picture(moving, x)
            x, z, u = (torch.where(on, new, old) for new, old in ((nearer, x), (smoother, z), (dual, u)))
            if number >= (0 if self.first is None else self.falls):
                astray = astray | (moving & watch.runs_away(x, change))
                x = torch.where(per_picture(astray, x), watch.steadiest, x)
            moving = moving & ~astray & (change > self.tol)
            data = energy.misfit(x)
            yield Iterate(x, unknown(data), change, moving, bool(torch.isfinite(data).all()), astray)
