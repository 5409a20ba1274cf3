"""x+ = v - w grad R(v),    v = x - D grad f(x):    one gradient step of a regularizer that denoises

D is the variance of each pixel relative to the usual one, and 1 for noise of one level. With white noise
alone v is the observation, and one step is enough. Where pixels were clipped, v replaces them by their
expected values given x (the E step of expectation maximisation), which settle within a few steps. The result
is the mean of the last step over several orientations of v, see priors/orientations.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast

import torch
from torch import Tensor

from alr_cli.core.energy import unknown
from alr_cli.core.numerics.reductions import rms
from alr_cli.core.priors.orientations import ROTATIONS, means
from alr_cli.core.priors.protocol import Denoises
from alr_cli.core.solvers.base import Iterate, Objective, per_picture


class Identical(Objective, Protocol):
    """An objective whose operator is the identity. See `energy.Energy`."""

    def misfit(self, x: Tensor) -> Tensor:
        """The data term alone, (B,)."""
        ...

    def add_misfit(self, x: Tensor, gradient: Tensor) -> None:
        """Add the gradient of half of the data term, in units of single pixels."""
        ...


@dataclass(frozen=True)
class Direct:
    """Denoise in one or a few steps. Energies are not computed, because a gradient step is all the work there
    is.

    The objective must be an `Identical`.

    Attributes:
        denoiser: The regularizer that denoises.
        share: w; the regularizer was trained for 1.
        iterations: Largest number of steps during which v changes; 0 if no pixel was clipped.
        tol: v has settled once the root mean square of its change is below this.
        sides: The orientations of the last step. Each of them counts as an iteration, whose x is the mean so
            far.
        variance: D, with the shape of x, or None for 1.
    """

    denoiser: Denoises
    share: float = 1.0
    iterations: int = 6
    tol: float = 5e-4
    sides: tuple[int, ...] = ROTATIONS
    variance: Tensor | None = None
    name: str = field(default="direct", init=False)
    compares: bool = field(default=False, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        energy = cast(Identical, objective)
        data = energy.misfit(x)
        unsettled = torch.ones_like(data, dtype=torch.bool)
        yield Iterate(x, unknown(data), torch.zeros_like(data), unsettled, True)
        v = self._shifted(energy, x)
        for _ in range(self.iterations):
            step = per_picture(unsettled.to(x.dtype), x) * (self.denoiser.denoise(v, self.share) - x)
            x, before = x + step, v
            v = self._shifted(energy, x)
            unsettled = unsettled & (rms(v - before) > self.tol)
            yield _iterate(energy, x, step, torch.ones_like(unsettled))
            if not bool(unsettled.any()):
                break
        yield from self._mean(energy, v, unsettled if self.iterations else torch.zeros_like(unsettled))

    def _mean(self, energy: Identical, v: Tensor, unsettled: Tensor) -> Iterator[Iterate]:
        """The mean of the denoised v over its orientations, after one, two, and so on of them."""
        for number, (x, step) in enumerate(means(self.denoiser, v, self.sides, self.share), 1):
            last = number == len(self.sides)
            yield _iterate(energy, x, step, unsettled if last else torch.ones_like(unsettled))

    def _shifted(self, energy: Identical, x: Tensor) -> Tensor:
        """x - D grad f(x)."""
        gradient = torch.zeros_like(x)
        energy.add_misfit(x, gradient)
        return x - (gradient if self.variance is None else self.variance * gradient)


def _iterate(energy: Identical, x: Tensor, step: Tensor, moving: Tensor) -> Iterate:
    data = energy.misfit(x)
    return Iterate(x, unknown(data), rms(step), moving, bool(torch.isfinite(data).all()))
