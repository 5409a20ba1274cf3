"""x* = arg min mean((A x - y)^2) + lam TV(x), in the same energy and solver as ours

What a comparison shows is the regularizer alone: it meets the same operators, extension beyond the frame and
knowledge of clipping. The energy divides the sum TV by the number of pixels, so that its weight is that of a
mean.
"""

from __future__ import annotations

import numpy as np

from alr_cli.bench.degradations import Observation, Pixels, kernel_of
from alr_cli.bench.methods import tuned
from alr_cli.core.data_terms import ClippedGaussian, SquaredError, is_clipped
from alr_cli.core.defaults import descend
from alr_cli.core.operators.kernels import mean_amplitude
from alr_cli.core.priors.total_variation import TotalVariation
from alr_cli.core.problems import Problem
from alr_cli.core.solvers.line_search import Nmapg
from alr_cli.core.tasks import to_batch

_AMPLITUDE = 0.0622  # the mean one of gaussian:25:1.6
MAX_ITER = 300
TOLERANCE = 1e-4


def problem_of(observation: Observation) -> Problem:
    """The observation extended by what TV needs to see beyond the frame."""
    margin = TotalVariation.margin
    return observation.task.problem(to_batch(observation.pixels), margin, observation.sigma)


def tv(observation: Observation) -> Pixels:
    """In the same energy and solver as ours (Rudin, Osher and Fatemi 1992), with the tuned weight."""
    return restore(observation, _weight(observation))


def _weight(observation: Observation) -> float:
    """The tuned one. Circular blurs are tuned for gaussian:25:1.6; others change the weight by the ratio of
    their mean amplitudes to the power of 0.7: within 20 % of the best for a box, a Gaussian and four motions,
    and worth up to 2 dB for motions."""
    weight = tuned.value("tv", observation)
    if observation.setting.boundary != "circular":
        return weight
    return float(weight * (mean_amplitude(kernel_of(observation)) / _AMPLITUDE) ** 0.7)


def restore(observation: Observation, lam: float) -> Pixels:
    """arg min of mean((A x - y)^2) + lam TV(x) in the frame, (H, W, C), not clamped."""
    problem = problem_of(observation)
    regularizer = TotalVariation(channels=problem.y.shape[1])
    clipped = observation.sigma > 0 and is_clipped(problem.y)  # as ours knows it, too
    data = ClippedGaussian(problem.y, observation.sigma) if clipped else SquaredError(problem.y)
    x = problem.crop(descend(problem, data, regularizer, lam, Nmapg(MAX_ITER, TOLERANCE)).x)[0]
    return np.ascontiguousarray(x.numpy().transpose(1, 2, 0))
