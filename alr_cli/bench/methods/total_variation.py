"""x* = arg min mean((A x - y)^2) + lam TV(x), with the energy and solver of the learned regularizer

Operators, extension beyond the frame and treatment of clipping are the same as for ours, so a comparison
shows the effect of the regularizer alone. The energy divides the sum TV by the number of pixels, so its
weight is that of a mean.
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

_AMPLITUDE = 0.0622  # mean amplitude of gaussian:25:1.6
MAX_ITER = 300
TOLERANCE = 1e-4


def problem_of(observation: Observation) -> Problem:
    """The observation as a problem whose picture extends beyond the frame as far as TV needs."""
    margin = TotalVariation.margin
    return observation.task.problem(to_batch(observation.pixels), margin, observation.sigma)


def tv(observation: Observation) -> Pixels:
    """Total variation (Rudin, Osher and Fatemi 1992) with our energy and solver, and the tuned weight."""
    return restore(observation, _weight(observation))


def _weight(observation: Observation) -> float:
    """The tuned weight.

    For circular blurs it was tuned on gaussian:25:1.6. For other kernels it is multiplied by the ratio of the
    mean amplitudes to the power of 0.7. This is within 20 % of the best weight for a box, a Gaussian and four
    motions, and gains up to 2 dB for motions.
    """
    weight = tuned.value("tv", observation)
    if observation.setting.boundary != "circular":
        return weight
    return float(weight * (mean_amplitude(kernel_of(observation)) / _AMPLITUDE) ** 0.7)


def restore(observation: Observation, lam: float) -> Pixels:
    """arg min of mean((A x - y)^2) + lam TV(x), cropped to the frame, (H, W, C), not clamped."""
    problem = problem_of(observation)
    regularizer = TotalVariation(channels=problem.y.shape[1])
    clipped = observation.sigma > 0 and is_clipped(problem.y)  # ours has the same information
    data = ClippedGaussian(problem.y, observation.sigma) if clipped else SquaredError(problem.y)
    x = problem.crop(descend(problem, data, regularizer, lam, Nmapg(MAX_ITER, TOLERANCE)).x)[0]
    return np.ascontiguousarray(x.numpy().transpose(1, 2, 0))
