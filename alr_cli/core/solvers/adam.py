"""x_{l+1} = x_l - eta_l m_l / sqrt(v_l)    Adam (Kingma and Ba 2015), the paper's choice (sec. 3.3)

The step size decays exponentially from 0.1 to 0.003. The paper's final step size, 0.01, would remain in the
picture as grain. The solver calls `Objective.value_and_grad` once per iteration and never compares energies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from alr_cli.core.numerics.chunks import bands
from alr_cli.core.numerics.reductions import squared_norm
from alr_cli.core.solvers.base import Iterate, Objective, is_finite, per_picture

# with the usual 0.9, Adam overshoots and a tuned critic needs 1.5 times the steps
_BETA1, _BETA2 = 0.7, 0.999


@dataclass(frozen=True)
class Adam:
    """Adam on x itself, in place. It needs four copies of x.

    `scale` multiplies the step sizes. It is a number or (B,), and small if the solution is near.
    """

    iterations: int = 50
    tol: float = 0.0
    scale: float | Tensor = 1.0
    name: str = field(default="adam", init=False)
    compares: bool = field(default=False, init=False)

    def run(self, objective: Objective, x: Tensor) -> Iterator[Iterate]:
        terms, gradient = objective.value_and_grad(x)
        nothing = torch.zeros_like(terms.data)
        moving = torch.ones_like(nothing, dtype=torch.bool)
        yield Iterate(x, terms, nothing, moving, is_finite(terms, gradient))
        mean, square = torch.zeros_like(x), torch.zeros_like(x)
        for step in range(1, self.iterations + 1):
            # Apart from eps, Adam does not depend on the scale of the objective. Undo the division by N.
            adam_moments(mean, square, gradient, objective.size)
            del gradient  # frees memory for the next one
            size = adam_size(step, self.iterations) * per_picture(moving * self.scale, x)
            change = adam_step(x, mean, square, step, size)
            objective.project(x)
            terms, gradient = objective.value_and_grad(x)
            moving = moving & (change > self.tol)
            finite = is_finite(terms, gradient)
            if not finite:
                adam_step(x, mean, square, step, -size)
            yield Iterate(x, terms, change, moving, finite)


def adam_moments(mean: Tensor, square: Tensor, gradient: Tensor, factor: float) -> None:
    """Update Adam's moments, in place, with `factor` times a gradient."""
    for band in bands(mean):
        slope = gradient[band] * factor
        mean[band].lerp_(slope, 1 - _BETA1)
        square[band].mul_(_BETA2).addcmul_(slope, slope, value=1 - _BETA2)


def adam_step(x: Tensor, mean: Tensor, square: Tensor, step: int, size: float | Tensor) -> Tensor:
    """Move x, in place, by step number `step` (from 1) of Adam.

    `size` is a number or (B, 1, 1, 1). Returns the root mean square of the update (B,).
    """
    moved = torch.zeros(x.shape[0], dtype=x.dtype, device=x.device)
    for band in bands(x):
        update = mean[band] / (1 - _BETA1**step)
        update /= (square[band] / (1 - _BETA2**step)).sqrt_().add_(1e-8)
        update *= size
        x[band].sub_(update)
        moved += squared_norm(update)
    return (moved / x[0].numel()).sqrt()


def adam_size(step: int, limit: int) -> float:
    """The size of step 1 ... limit. It decays exponentially from 0.1 to 0.003."""
    first, last = 0.1, 0.003
    return float(first * (last / first) ** ((step - 1) / max(1, limit - 1)))
