"""TV(x) = mean_i ( sqrt( sum_c |grad x_c|_i^2 + eps^2 ) - eps ), total variation with a rounded corner

The gradient is the forward difference in a 2 x 2 patch, and the channels share one norm, so that edges
coincide (Blomgren and Chan 1998). It is a Regularizer like the critic: it meets the same energy, operators,
extension beyond the frame and solver, and what a comparison shows is the regularizer alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from alr_cli.bench.degradations import Observation, Pixels
from alr_cli.bench.methods import tuned
from alr_cli.core import problems
from alr_cli.core.data_terms import ClippedGaussian, is_clipped
from alr_cli.core.energy import Energy, SquaredError
from alr_cli.core.problems import Problem
from alr_cli.core.solvers.descent import solve

PATCH = 2
_AMPLITUDE = 0.0622  # the mean one of gaussian:25:1.6
MAX_ITER = 300
TOLERANCE = 1e-4


@dataclass
class TotalVariation:
    """channels: of the picture.  eps: the corner's radius in pixel values; below a grey level of 8 bits
    nobody sees it, and the descent slows down as 1 / sqrt(eps)."""

    channels: int
    eps: float = 1e-3
    patch: int = PATCH

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W) -> (TV (B,), dTV/dx like x)."""
        corner = x[..., :-1, :-1]
        down, right = x[..., 1:, :-1] - corner, x[..., :-1, 1:] - corner
        norm = (down.square() + right.square()).sum(dim=1, keepdim=True).add_(self.eps**2).sqrt_()
        value = (norm - self.eps).mean(dim=(1, 2, 3))
        down, right = down / norm, right / norm
        gradient = torch.zeros_like(x)
        gradient[..., 1:, :-1] += down
        gradient[..., :-1, 1:] += right
        gradient[..., :-1, :-1] -= down + right
        return value, gradient / norm[0, 0].numel()


def problem_of(observation: Observation) -> Problem:
    """The observation extended by what TV needs to see beyond the frame."""
    y = torch.from_numpy(np.ascontiguousarray(observation.pixels.transpose(2, 0, 1)))[None]
    if observation.kernel is not None:
        boundary = observation.setting.boundary
        assert boundary is not None
        return problems.deblurring(y, observation.kernel, PATCH, boundary)
    if observation.missing is not None:
        return problems.inpainting(y, torch.from_numpy(observation.missing), PATCH, observation.sigma == 0)
    return problems.denoising(y, PATCH)


def tv(observation: Observation) -> Pixels:
    """In the same energy and solver as ours (Rudin, Osher and Fatemi 1992), with the tuned weight."""
    return restore(observation, _weight(observation))


def _weight(observation: Observation) -> float:
    """The tuned one. Circular blurs are tuned for gaussian:25:1.6; others change the weight by the ratio of
    their mean amplitudes to the power of 0.7: within 20 % of the best for a box, a Gaussian and four motions,
    and worth up to 2 dB for motions."""
    weight = tuned.value("tv", observation)
    if observation.setting.boundary != "circular" or observation.kernel is None:
        return weight
    amplitude = problems.mean_amplitude(torch.from_numpy(np.ascontiguousarray(observation.kernel)))
    return float(weight * (amplitude / _AMPLITUDE) ** 0.7)


def restore(observation: Observation, lam: float) -> Pixels:
    """arg min of mean((A x - y)^2) + lam TV(x) in the frame, (H, W, C), not clamped."""
    problem = problem_of(observation)
    regularizer = TotalVariation(channels=problem.y.shape[1])
    clipped = observation.sigma > 0 and is_clipped(problem.y)  # as ours knows it, too
    data = ClippedGaussian(problem.y, observation.sigma) if clipped else SquaredError(problem.y)
    energy = Energy(problem.operator, data, regularizer, lam, problem.pixels, problem.free, problem.periodic)
    x = problem.crop(solve(energy, problem.start, "nmapg", MAX_ITER, TOLERANCE).x)[0]
    return np.ascontiguousarray(x.numpy().transpose(1, 2, 0))
