"""PSNR and ||x_k - x_{k-1}||^2 of every iteration: the course of a plug-and-play restoration"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from alr_cli.core.data_terms import SquaredError
from alr_cli.core.defaults import descend
from alr_cli.core.metrics import psnr
from alr_cli.core.priors.protocol import Regularizer
from alr_cli.core.problems import Problem
from alr_cli.core.solvers.base import Record, Solver
from alr_cli.core.tasks import Floats, from_batch


@dataclass(frozen=True)
class Course:
    """The course of one restoration.

    Attributes:
        psnr: In dB, of the start and after each iteration.
        changes: ||x_k - x_{k-1}||^2 / N after each iteration.
        stop: Why it stopped; see `solvers.base.Solution`.
        pixels: The result (H, W, C), not clamped.
    """

    psnr: tuple[float, ...]
    changes: tuple[float, ...]
    stop: str
    pixels: Floats

    @property
    def last(self) -> float:
        return self.psnr[-1]

    @property
    def best(self) -> float:
        """The PSNR of the best iterate, which nobody knows who does not know the truth."""
        return max(self.psnr)


def follow(problem: Problem, regularizer: Regularizer, lam: float, solver: Solver, truth: Floats) -> Course:
    """Restore an observation of a known picture (H, W, C) and note how that goes."""
    qualities: list[float] = []
    changes: list[float] = []

    def quality(x: Tensor) -> float:
        found = psnr(truth, from_batch(problem.crop(x)).clip(0, 1))
        return float("inf") if found is None else found

    def look(record: Record, x: Tensor) -> None:
        qualities.append(quality(x))
        if record.iteration:
            changes.append(float(record.change[0]) ** 2)

    solution = descend(problem, SquaredError(problem.y), regularizer, lam, solver, look)
    if solution.stop == "diverged":
        qualities.append(quality(solution.x))
    return Course(tuple(qualities), tuple(changes), solution.stop, from_batch(problem.crop(solution.x)))
