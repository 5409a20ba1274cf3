"""x+ = prox_{tau f}(D_s(x)), s falling: the noise levels of half-quadratic splitting for each kind of problem

The values were chosen on validation pictures. docs/notebook/wide.md, docs/noise.md and
docs/guides/tomography.md tell how.
"""

from __future__ import annotations

from collections.abc import Sequence

from alr_cli.core.data_terms import is_clipped
from alr_cli.core.priors.coarse import Coarse
from alr_cli.core.priors.denoisers import Partly
from alr_cli.core.priors.descent import PROXIMAL_STEPS
from alr_cli.core.priors.orientations import IN_TURN, Turned
from alr_cli.core.priors.protocol import Anneals, Denoises, HasDescent, PostProcesses, Regularizer
from alr_cli.core.problems import Problem
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers.splitting import Splitting

CLIPPED_ROUNDS = 2  # rounds of splitting and admm if pixels are clipped
SMOOTH = 0.02  # smoothness of the start for blurs; see `proximal.smooth`
# For splitting: first level, number of steps and momentum.
_BEGIN, _STAGES, _MOMENTUM = 50 / 255, 16, 0.7
_HOLES_BEGIN, _HOLES_STAGES, _HOLES_MOMENTUM = 70 / 255, 32, 0.9
# If known pixels are held, the path ends at this share of the level of F. Nothing but the denoiser limits how
# exactly smooth areas are filled.
_HOLES_LAST = 0.15
# For enlarged pictures: momentum, and steps of conjugate gradients, whose preconditioner is poor there.
_ENLARGED_MOMENTUM, _ENLARGED_STEPS = 0.9, 150
# If the noise is coloured: first and last level relative to that of the noise, number of steps and momentum,
# for pictures of usual size and for large ones; level of D at the end; and the weight of the data term.
_COLOURED, _COLOURED_LARGE = (4.0, 0.6, 5, 0.6), (3.0, 0.8, 3, 0.7)
_COLOURED_END, _COLOURED_WEIGHT = 0.4, 1.5
_COARSE = 0.7  # share of the level that is left at half the resolution, at which the path begins
_COLOURED_ROUGH = 0.1  # tolerance of its proximal maps
_LARGE = 3_000_000  # number of pixels from which on a picture is large
# For rays: first level, last one relative to that of the noise per pixel, number of steps, momentum, and
# steps of conjugate gradients, few of which suffice for a small tau.
_RAYS_BEGIN, _RAYS_LAST, _RAYS_STAGES, _RAYS_MOMENTUM = 0.15, 0.1, 16, 0.7
_RAYS_STEPS = 2
# For RED with a network that post-processes: tau lam / 2, and numbers of steps, its own and those of
# conjugate gradients.
_RED_SHARE, _RED_STEPS, _RED_PROXIMAL_STEPS = 0.3, 3, 15


def path(
    regularizer: Regularizer, problem: Problem, lam: float, sigma: float, asked: SolverOptions
) -> Splitting | None:
    """The path of decreasing noise levels. Fewer iterations than usual follow it in larger steps; more
    change nothing. A descent on which a prior was trained is instead left early."""
    if isinstance(regularizer, PostProcesses) and lam > 0:
        return _red(regularizer, lam, asked)
    if isinstance(regularizer, HasDescent) and problem.rays and lam > 0:
        return _trained_on(regularizer, lam, asked)
    if not isinstance(regularizer, Anneals) or lam <= 0 or problem.half_step is not None:
        return None
    tau = step_size(regularizer, lam)
    if problem.noise is not None:
        return _through_coloured_noise(regularizer, problem, tau, asked)
    if problem.rays:
        return _for_rays(regularizer, tau, asked)
    usual, begin = (_HOLES_STAGES, _HOLES_BEGIN) if problem.holes else (_STAGES, _BEGIN)
    last = regularizer.sigma * (1.0 if problem.free is None else _HOLES_LAST)
    first = max(begin, 2 * regularizer.sigma)
    way = _falling(regularizer, tau, first, last, _stages(usual, asked))
    # the last D removes as much noise as lambda asks for
    way.append((regularizer.at(last if problem.free is not None else last / tau**0.5), 0.0))
    rounds = CLIPPED_ROUNDS if problem.clips and sigma > 0 and is_clipped(problem.y) else 1
    mu = 0.0 if problem.holes or problem.enlarges else SMOOTH
    momentum = _HOLES_MOMENTUM if problem.holes else _MOMENTUM
    momentum, steps = (
        (_ENLARGED_MOMENTUM, _ENLARGED_STEPS) if problem.enlarges else (momentum, Splitting.steps)
    )
    return Splitting(_in_turn(way), momentum, mu, rounds, steps)


def step_size(regularizer: Regularizer, lam: float) -> float:
    """tau with which x - tau lam grad g(x) is the denoised x."""
    return 2 / (lam * regularizer.channels)


def _for_rays(regularizer: Anneals, tau: float, asked: SolverOptions) -> Splitting:
    """The path for rays. Each coarse feature is seen by many rays, so that the noise of a slice is far below
    the level per pixel. The last step fits the data, because D alone would blur the slice."""
    last = _RAYS_LAST * regularizer.sigma
    first = max(_RAYS_BEGIN, 2 * last)
    way = _falling(regularizer, tau, first, last, min(_RAYS_STAGES, asked.limit(_RAYS_STAGES)))
    return Splitting(_in_turn(way), _RAYS_MOMENTUM, steps=_RAYS_STEPS)


def _red(regularizer: PostProcesses, lam: float, asked: SolverOptions) -> Splitting:
    """Regularization by denoising, by x+ = prox_{tau f}(x - tau lam / 2 (x - D(x)))."""
    way = ((Partly(regularizer, _RED_SHARE), 2 * _RED_SHARE / lam),) * asked.limit(_RED_STEPS)
    return Splitting(way, steps=_RED_PROXIMAL_STEPS)


def _trained_on(regularizer: HasDescent, lam: float, asked: SolverOptions) -> Splitting:
    """The descent of the training."""
    way = tuple(regularizer.descent(lam))
    return Splitting(way[: asked.limit(len(way))], steps=PROXIMAL_STEPS)


def _through_coloured_noise(
    regularizer: Anneals, problem: Problem, tau: float, asked: SolverOptions
) -> Splitting | None:
    """The path for noise that is not white. Its last level is below that of the noise, because the strongest
    frequencies of the noise are left to the data term. Its first step is at half the resolution."""
    if not problem.near or tuple(problem.operator.input_shape[-2:]) != problem.frame:
        return None
    begin, last, usual, momentum = _COLOURED if problem.pixels < _LARGE else _COLOURED_LARGE
    sigma = regularizer.sigma
    weight = _COLOURED_WEIGHT * tau
    way = _falling(regularizer, weight, begin * sigma, last * sigma, _stages(usual, asked))
    way.append((regularizer.at(_COLOURED_END * sigma), 0.0))
    if len(way) > 2:
        way[0] = (Coarse(regularizer.at(_COARSE * begin * sigma)), way[0][1])
    return Splitting(_in_turn(way), momentum, rough=_COLOURED_ROUGH)


def _stages(usual: int, asked: SolverOptions) -> int:
    """Number of levels before the last D."""
    return max(2, asked.limit(usual)) if asked.iterations is None else min(usual, asked.iterations - 1)


def _falling(
    regularizer: Anneals, tau: float, first: float, last: float, stages: int
) -> list[tuple[Denoises, float]]:
    """D at levels that fall geometrically, each with its step size: tau at the level of the regularizer.

    One stage has the first level.
    """
    levels = [last * (first / last) ** (1 - stage / max(1, stages - 1)) for stage in range(stages)]
    return [(regularizer.at(level), tau * (level / regularizer.sigma) ** 2) for level in levels]


def _in_turn(way: Sequence[tuple[Denoises, float]]) -> tuple[tuple[Denoises, float], ...]:
    """The steps of a path, each of which sees the picture in another orientation."""
    return tuple(
        (Turned(denoiser, IN_TURN[number % len(IN_TURN)]), tau) for number, (denoiser, tau) in enumerate(way)
    )
