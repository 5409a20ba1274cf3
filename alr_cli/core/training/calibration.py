"""lam(sigma) = arg max_lam PSNR(x*(lam), x) on validation pictures, from lam = ||grad data|| / ||grad R||

The starting value is the rule of Lunz, Oktem and Schoenlieb (2018, sec. 4) evaluated at the truth, where the
gradients of both terms should balance. The best lambda depends on the critic (by a factor of 40 between
critics that denoise equally well). It is therefore fitted once, stored with the weights, and scaled by a
dimensionless strength.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor

from alr_cli.errors import NonFiniteError

_CLIFF_REFINEMENTS = 3  # how often the step is halved further next to a cliff of the quality


@dataclass(frozen=True)
class LambdaCurve:
    """lam(sigma), piecewise linear in log-log between the fitted points and beyond them.

    `points` are (sigma, lam) pairs, both positive, with increasing sigma.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        sigmas = [sigma for sigma, _ in self.points]
        if not self.points or sigmas != sorted(set(sigmas)):
            raise ValueError("lambda(sigma) needs points of increasing sigma")
        if not all(0 < value < math.inf for pair in self.points for value in pair):
            raise ValueError("lambda(sigma) needs positive, finite points")

    def __call__(self, sigma: float) -> float:
        """lambda at sigma > 0 on [0,1]. A single point is scaled in proportion to sigma."""
        if sigma <= 0:
            return 0.0
        if len(self.points) == 1:
            return self.points[0][1] * sigma / self.points[0][0]
        logs = [(math.log(s), math.log(value)) for s, value in self.points]
        at = math.log(sigma)
        index = sum(at > s for s, _ in logs[1:-1])
        (s0, l0), (s1, l1) = logs[index], logs[index + 1]
        return math.exp(l0 + (l1 - l0) * (at - s0) / (s1 - s0))


def maximise_in_log(
    quality: Callable[[float], float],
    start: float,
    factor: float = 2.0,
    refinements: int = 1,
    reach: int = 20,
) -> float:
    """The lam with the largest quality(lam).

    The search goes from `start` in steps of `factor` until the quality decreases, and then halves the step
    down to factor ** (1 / 2 ** refinements). The result is the maximum of the parabola in log lambda through
    the last three points. A quality of -inf (a descent that diverged) forms a cliff. There is no parabola
    next to a cliff, and the step is halved further instead. From a start on the wrong side of a cliff the
    search goes down, to where the data term dominates. It goes no further from `start` than factor ** reach.
    Raises NonFiniteError if every quality is -inf.
    """
    # positions are whole multiples of this unit
    unit = math.log(factor) / 2 ** (refinements + _CLIFF_REFINEMENTS)

    @cache
    def at(place: int) -> float:
        value = quality(start * math.exp(place * unit))
        return value if value == value else -math.inf

    step, best = 2 ** (refinements + _CLIFF_REFINEMENTS), 0
    limit = reach * step
    while at(best) == -math.inf:
        best -= step
        if best < -limit:
            raise NonFiniteError("no lambda restores the validation pictures: the critic cannot be used")
    while True:
        challenger = max((best - step, best + step), key=at)
        if at(challenger) > at(best) and abs(challenger) <= limit:
            best = challenger
            continue
        below, above = at(best - step), at(best + step)
        fine = step <= 2**_CLIFF_REFINEMENTS
        if step == 1 or (fine and math.isfinite(below) and math.isfinite(above)):
            break
        step //= 2
    curvature = below - 2 * at(best) + above
    shift = 0.5 * (below - above) / curvature if -math.inf < curvature < 0 else 0.0
    return start * math.exp(max(-limit, min(limit, best + step * shift)) * unit)


def psnr(estimate: Tensor, truth: Tensor) -> Tensor:
    """The PSNR in dB (B,) of (B, C, H, W) on [0,1]. The estimate is clamped to [0,1], the peak is 1, channels
    count jointly."""
    error = (estimate.clamp(0.0, 1.0) - truth).square().mean(dim=(1, 2, 3))
    return -10.0 * torch.log10(error.clamp_min(1e-12))


def calibrate(
    sigmas: Sequence[float],
    quality: Callable[[float, float], float],
    start: Callable[[float], float],
    fitted: Callable[[float, float], None] | None = None,
) -> LambdaCurve:
    """Fit lam at each sigma.

    From the second level on, the curve so far gives a good starting value, and a coarse search with a
    parabola is as exact as a fine one.

    Args:
        sigmas: The noise levels.
        quality: quality(sigma, lam), the mean PSNR.
        start: start(sigma), Lunz's rule.
        fitted: Called with every (sigma, lam) that is found.
    """
    points: list[tuple[float, float]] = []
    for sigma in sorted(sigmas):
        at = partial(quality, sigma)
        if points:
            lam = maximise_in_log(at, LambdaCurve(tuple(points))(sigma), factor=1.5, refinements=0)
        else:
            lam = maximise_in_log(at, start(sigma))
        points.append((sigma, lam))
        if fitted is not None:
            fitted(sigma, lam)
    return LambdaCurve(tuple(points))
