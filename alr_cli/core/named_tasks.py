"""The tasks behind names such as upscale:2, and whether two problems have the same operator"""

from __future__ import annotations

import numpy as np

from alr_cli.core.problems import Problem
from alr_cli.core.task_names import parse_task
from alr_cli.core.tasks import Deblurring, Task, Upscaling

_ALIKE = 0.02  # largest sum of the differences of two kernels of sum 1 that count as the same


def named_task(name: str) -> Task:
    """The task of a name as in task_names.py. Raises UsageError, whose message states the grammar."""
    meant = parse_task(name)
    return Upscaling(meant.scale) if meant.kernel is None else Deblurring(meant.kernel)


def same_operator(one: Problem, other: Problem) -> bool:
    """Whether two pictures of any sizes were blurred and reduced in the same way, with white noise."""
    if not all(problem.plain and problem.kernel is not None for problem in (one, other)):
        return False
    return _reduction(one) == _reduction(other) and _difference(one, other) < _ALIKE


def _reduction(problem: Problem) -> int:
    """By which factor the observation has fewer rows."""
    return round(problem.frame[0] / problem.y.shape[-2])


def _difference(one: Problem, other: Problem) -> float:
    """sum |k - k'| of the two kernels, with their centres on each other."""
    kernels = [np.asarray(problem.kernel) for problem in (one, other)]
    if any((a - b) % 2 for a, b in zip(*(kernel.shape for kernel in kernels), strict=True)):
        return float("inf")
    wide = [max(sides) for sides in zip(*(kernel.shape for kernel in kernels), strict=True)]
    margins = [
        [((side - size) // 2,) * 2 for size, side in zip(kernel.shape, wide, strict=True)]
        for kernel in kernels
    ]
    first, second = (np.pad(*each) for each in zip(kernels, margins, strict=True))
    return float(np.abs(first - second).sum())
