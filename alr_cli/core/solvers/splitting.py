"""x+ = prox_{tau f}(D_s(x)),    s falling: half-quadratic splitting

tau is proportional to s^2, and a last D_s ends the path (Geman and Yang 1995; with a learned denoiser, Zhang
et al. 2021). An observation through a blur or with holes is far from the good minimisers of an energy, and
the path leads to one of them. Its steps have no common energy, so none is computed. Its length is part of
the method: more iterations than it has steps change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import Tensor

from alr_cli.core.energy import unknown
from alr_cli.core.numerics.reductions import rms
from alr_cli.core.priors.protocol import Denoises
from alr_cli.core.proximal import Fits, prox, smooth
from alr_cli.core.solvers.base import Iterate, Objective


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
class Splitting:
    """The path. Its objective is a `Splits`.

    Attributes:
        way: The denoiser of each step, and tau; 0 for D alone.
        momentum: beta x (x - previous x) is added before D. beta decreases linearly from this value to 0.
        mu: Weight of the smooth start (see `proximal.smooth`); 0 uses the start of the problem.
        rounds: See `proximal.prox`.
        steps: Largest number of steps of conjugate gradients in `proximal.prox`.
        rough: Tolerance of the proximal maps.
    """

    way: tuple[tuple[Denoises, float], ...]
    momentum: float = 0.0
    mu: float = 0.0
    rounds: int = 1
    steps: int = 30
    rough: float = 1e-3
    tol: float = field(default=0.0, init=False)
    name: str = field(default="splitting", init=False)
    compares: bool = field(default=True, init=False)

    @property
    def iterations(self) -> int:
        return len(self.way)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        energy = cast(Splits, objective)
        data = energy.misfit(x)
        moving = torch.ones_like(data, dtype=torch.bool)
        yield Iterate(x, unknown(data), torch.zeros_like(data), moving, True)
        x = smooth(energy, x, self.mu) if self.mu else x
        before = x
        for number, (denoiser, tau) in enumerate(self.way):
            beta = self.momentum * (1 - number / len(self.way))
            z = _held(energy, denoiser.denoise(x + beta * (x - before)), x)
            before, x = x, self._fitted(energy, z, torch.full_like(data, tau)) if tau else z
            data = energy.misfit(x)
            yield Iterate(x, unknown(data), rms(x - before), moving, bool(torch.isfinite(data).all()))

    def _fitted(self, energy: Splits, z: Tensor, tau: Tensor) -> Tensor:
        return prox_within(energy, z, tau, self.rounds, self.steps, self.rough)


def prox_within(
    energy: Splits, z: Tensor, tau: Tensor, rounds: int = 1, steps: int = 30, rough: float = 1e-3
) -> Tensor:
    """prox_{tau f}(z), moved into the bounds of x. tau is (B,); for the others see `proximal.prox`."""
    x = prox(energy, z, tau, rounds, steps, rough)
    energy.project(x)
    return x


def slope_of_prior(energy: Splits, x: Tensor, gradient: Tensor) -> Tensor:
    """The gradient of lam g in units of single pixels. That of the energy at x is given and overwritten."""
    misfit = torch.zeros_like(x)
    energy.add_misfit(x, misfit)
    if energy.free is not None:
        misfit *= energy.free
    return gradient.mul_(energy.unit).sub_(misfit)


def _held(energy: Splits, z: Tensor, x: Tensor) -> Tensor:
    """z where x may move, and x elsewhere."""
    return z if energy.free is None else torch.where(energy.free > 0, z, x)
