"""mean ||x_k - x_{k-1}|| over the last steps > 2 x its smallest value so far: an iteration that runs away

An iteration that minimises nothing, as plug and play does, has no energy that would show whether it
approaches something. Its steps show it: they become shorter on the way to a fixed point. No true picture is
needed.
"""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor

from alr_cli.core.solvers.base import per_picture

_STEPS = 10  # over which the lengths are averaged
_FACTOR = 2.0


class Watch:
    """The lengths of the steps of each picture of a batch.

    Attributes:
        steadiest: Where the steps were shortest, like x.
    """

    def __init__(self, x: Tensor) -> None:
        """`x` (B, ...) is the start."""
        self.steadiest = x.clone()
        self._least = torch.full_like(x.flatten(1)[:, 0], torch.inf)
        self._recent: deque[Tensor] = deque(maxlen=_STEPS)

    def runs_away(self, x: Tensor, change: Tensor) -> Tensor:
        """Note a step of length `change` (B,) to `x`. Which pictures run away, (B,) bool."""
        self._recent.append(change)
        mean = torch.stack(list(self._recent)).mean(0)
        if len(self._recent) < _STEPS:
            return torch.zeros_like(mean, dtype=torch.bool)
        shorter = mean < self._least
        self.steadiest = torch.where(per_picture(shorter, x), x, self.steadiest)
        self._least = torch.minimum(mean, self._least)
        return ~(mean <= _FACTOR * self._least)  # also true of NaN
