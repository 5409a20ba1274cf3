"""-log p(y | x): which data term a problem has"""

from __future__ import annotations

from alr_cli.core.coloured_noise import ColouredGaussian
from alr_cli.core.data_terms import (
    ClippedGaussian,
    DataTerm,
    RoundedOff,
    SquaredError,
    UnevenGaussian,
    is_clipped,
)
from alr_cli.core.problems import Problem


def data_term_of(problem: Problem, sigma: float, clip_aware: bool, level: float | None = None) -> DataTerm:
    """The data term for the noise of a problem.

    Args:
        problem: The observation, and what is known of its noise.
        sigma: Standard deviation of the noise on [0,1].
        clip_aware: Whether pixels at 0 and 1 count as clipped if nothing lies beyond.
        level: The noise level for the prior, whose lambda is for squared errors of this level; None for
            sigma.
    """
    if problem.deviation is not None:
        relative = problem.deviation / (sigma if level is None else level)
        return UnevenGaussian(problem.y, relative.expand_as(problem.y), sigma)
    clipped = clip_aware and sigma > 0 and problem.clips and is_clipped(problem.y)
    if problem.noise is not None and problem.noise.white:
        return UnevenGaussian(problem.y, problem.noise.known_deviation, sigma, clipped)
    if problem.noise is not None:
        return ColouredGaussian.of(problem.y, problem.noise, clipped)
    if clipped:
        return ClippedGaussian(problem.y, sigma)
    if problem.half_step is not None:
        return RoundedOff(problem.y, problem.half_step)
    return SquaredError(problem.y)
