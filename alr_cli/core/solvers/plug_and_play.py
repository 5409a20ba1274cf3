"""x+ = x - mu (grad f(x) + lam grad R(x)): plug-and-play gradient descent    (PnP-GD)

Only the gradient of R has to be known, and it need not be one (priors/gradient_network.py). Nothing is
compared, so that mu is fixed: a share of 1 / max(||A||^2, 1). The descent stops where the steps become
shorter than `tol`, and where they become longer again.

With R of priors/denoisers.py this is regularization by denoising (RED; Romano, Elad and Milanfar 2017). With
Adam in place of plain steps it is the solver of adam.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor

from alr_cli.core.numerics.reductions import rms
from alr_cli.core.solvers.base import Iterate, Objective, is_finite, per_picture
from alr_cli.core.solvers.divergence import Watch
from alr_cli.core.solvers.splitting import Splits


@dataclass(frozen=True)
class PlugAndPlay:
    """Gradient descent with a fixed step. Its objective is a `Splits`.

    Attributes:
        iterations, tol: As in `base.Solver`.
        step: mu relative to 1 / max(||A||^2, 1).
    """

    iterations: int = 1000
    tol: float = 1e-5
    step: float = 0.7
    name: str = field(default="pnp-gd", init=False)
    compares: bool = field(default=False, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        energy = cast(Splits, objective)
        terms, gradient = energy.value_and_grad(x)
        moving = torch.ones_like(terms.data, dtype=torch.bool)
        astray = torch.zeros_like(moving)
        yield Iterate(x, terms, torch.zeros_like(terms.data), moving, is_finite(terms, gradient))
        watch, size = Watch(x), self.step * min(energy.natural_step, energy.unit)
        for _ in range(self.iterations):
            before = x
            x = before - size * per_picture(moving.to(x), x) * gradient
            energy.project(x)
            change = rms(x - before)
            astray = astray | (moving & watch.runs_away(x, change))
            x = torch.where(per_picture(astray, x), watch.steadiest, x)
            terms, gradient = energy.value_and_grad(x)
            moving = moving & ~astray & (change > self.tol)
            finite = is_finite(terms, gradient)
            yield Iterate(x if finite else before, terms, change, moving, finite, astray)
