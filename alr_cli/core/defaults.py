"""x* = arg min E(x) for a problem and a prior: which solver is used, with which settings    (eq. 4)"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from alr_cli.core.data_terms import DataTerm, is_clipped
from alr_cli.core.energy import Energy
from alr_cli.core.priors.denoisers import DenoiserProx, Partly
from alr_cli.core.priors.orientations import IN_TURN, ROTATIONS, Turned
from alr_cli.core.priors.protocol import (
    Anneals,
    Denoises,
    HasGlimpses,
    HasPreconditioner,
    HasProx,
    PostProcesses,
    Regularizer,
    TakesLevels,
)
from alr_cli.core.problems import Problem
from alr_cli.core.solvers.adam import Adam
from alr_cli.core.solvers.admm import Admm
from alr_cli.core.solvers.base import Callback, Record, Solution, Solver, solve
from alr_cli.core.solvers.direct import Direct
from alr_cli.core.solvers.discrepancy import Discrepancy
from alr_cli.core.solvers.lbfgs import Lbfgs
from alr_cli.core.solvers.line_search import GradientDescent, Nmapg
from alr_cli.core.solvers.once import Once
from alr_cli.core.solvers.plug_and_play import PlugAndPlay
from alr_cli.core.solvers.preconditioned import COLOURED, FAR, HOLES, NEAR, RAYS, Preconditioned
from alr_cli.core.solvers.splitting import Splitting
from alr_cli.core.solvers.unrolled import Unrolled, Unrolls
from alr_cli.core.synthesis import HasLatents, Synthesis
from alr_cli.errors import UsageError

DEFAULT = "default"
FREE = "pnp-adam"
Formulation = Literal["analysis", "synthesis"]
# for fourier, if A hides information that takes many steps to recover
_FAR_ITERATIONS, _HOLES_ITERATIONS, _RAYS_ITERATIONS = 100, 200, 50
_COLOURED_ITERATIONS = 25  # for fourier, if the noise is coloured
# For splitting: first level, number of steps, momentum and smoothness (see docs/notebook/wide.md).
_BEGIN, _STAGES, _MOMENTUM, _SMOOTH = 50 / 255, 16, 0.7, 0.02
_HOLES_BEGIN, _HOLES_STAGES, _HOLES_MOMENTUM = 70 / 255, 32, 0.9
# If known pixels are held, the path ends at this share of the level of F. Nothing but the denoiser limits how
# exactly smooth areas are filled.
_HOLES_LAST = 0.15
# If the noise is coloured, relative to its level: first level, last one, and that of D at the end; number of
# steps; and the weight of the data term (see docs/noise.md).
_COLOURED_BEGIN, _COLOURED_LAST, _COLOURED_END, _COLOURED_STAGES, _COLOURED_WEIGHT = 4.0, 0.5, 0.35, 8, 1.5
_COLOURED_ROUGH = 0.1  # tolerance of its proximal maps
_LARGE, _LARGE_STAGES = 3_000_000, 5  # number of pixels from which on it has fewer steps, and how many
# For rays: first level, last one relative to that of the noise per pixel, number of steps, momentum, and
# steps of conjugate gradients, few of which suffice for a small tau (see docs/guides/tomography.md).
_RAYS_BEGIN, _RAYS_LAST, _RAYS_STAGES, _RAYS_MOMENTUM = 0.15, 0.1, 16, 0.7
_RAYS_STEPS = 5
# For RED with a network that post-processes: tau lam / 2 and number of steps.
_RED_SHARE, _RED_STEPS = 0.3, 3
# For proximal gradient steps without a path.
_PROXIMAL_ITERATIONS, _PROXIMAL_STEPS = 60, 15
_CLIPPED_ROUNDS = 2  # rounds of splitting and admm if pixels are clipped
# For admm: level of D at the end, and at the beginning if it falls (Fermanian, Le Pendu and Guillemot 2022).
_ADMM_LEVEL, _ADMM_FIRST = 30 / 255, 50 / 255
# For adam with a gradient network: number and scale of the steps.
FREE_ITERATIONS, FREE_SCALE = 300, 0.1


@dataclass(frozen=True)
class SolverOptions:
    """Options for a solver. None leaves them to the solver.

    Attributes:
        solver: The name of a solver, or "default".
        iterations, tol: See `solvers.base.Solver`.
        watched: Whether the energy of every step is needed, or only that of the last one.
        fast: Use a third of the usual iterations.
        discrepancy: Stop once the residual is this many times the noise (see solvers/discrepancy.py).
    """

    solver: str = DEFAULT
    iterations: int | None = None
    tol: float | None = None
    watched: bool = True
    fast: bool = False
    discrepancy: float | None = None

    def limit(self, usual: int) -> int:
        if self.iterations is not None:
            return self.iterations
        return max(1, round(usual / 3)) if self.fast else usual

    def tolerance(self, usual: float) -> float:
        return usual if self.tol is None else self.tol


def minimise(
    problem: Problem,
    data: DataTerm,
    regularizer: Regularizer,
    lam: float,
    sigma: float,
    asked: SolverOptions = SolverOptions(),
    callback: Callback | None = None,
) -> Solution:
    """Minimise the energy of a problem.

    Args:
        problem: The observation and how it came about.
        data: The data term.
        regularizer: R.
        lam: The weight of R.
        sigma: The noise level.
        asked: What the caller asks of the descent.
        callback: As in `solvers.base.solve`.

    Raises:
        UsageError: The solver cannot be used.
    """
    return descend(problem, data, regularizer, lam, choose(regularizer, problem, lam, sigma, asked), callback)


def descend(
    problem: Problem,
    data: DataTerm,
    regularizer: Regularizer,
    lam: float,
    solver: Solver,
    callback: Callback | None = None,
) -> Solution:
    """Minimise the energy of a problem with this solver.

    A solver that compares energies sees all of R at once, because the energy must not change between
    comparisons.
    """
    if not solver.compares and isinstance(regularizer, HasGlimpses):
        regularizer = regularizer.glimpses(problem.frame if problem.periodic else None)
    energy = Energy.of(problem, regularizer, lam, data)
    return solve(energy, problem.start, solver, callback)


def synthesise(
    problem: Problem,
    data: DataTerm,
    regularizer: Regularizer,
    lam: float,
    solver: Solver,
    callback: Callback | None = None,
) -> Solution:
    """As `descend`, but over the latents of the prior.

    The solution, and what a callback sees, are pictures. Raises UsageError for a prior without latents.
    """
    if not isinstance(regularizer, HasLatents):
        raise UsageError("only a flow generates pictures from latents: leave --formulation synthesis out")

    def picture(z: Tensor) -> Tensor:
        with torch.no_grad():
            return regularizer.picture(z)

    def look(record: Record, z: Tensor) -> None:
        if callback is not None:
            callback(record, picture(z))

    objective = Synthesis(problem.operator, data, regularizer, lam, problem.pixels)
    solution = solve(objective, regularizer.latent(problem.start), solver, look)
    return replace(solution, x=picture(solution.x))


def choose(
    regularizer: Regularizer,
    problem: Problem,
    lam: float,
    sigma: float,
    asked: SolverOptions = SolverOptions(),
) -> Solver:
    """The solver that was asked for, or the default; with the rule that stops it early, if asked for.

    The defaults are: once for post-processing; lbfgs for flows; for priors that denoise in one step, direct
    for white noise alone (also if its level differs between pixels and the prior takes that into account),
    and splitting for other noise and operators; direct and adam for gradient networks, whose energy is
    unknown; nmapg for priors that denoise at only one noise level; fourier if P is known, which is true of
    fields of experts except for blurs that repeat the border; splitting without a path for rays; else adam.

    Weights that were trained for a few steps on one task take these steps, and refuse other tasks.

    Raises UsageError if the solver, or such weights, cannot be used.
    """
    if isinstance(regularizer, Unrolls) and not regularizer.suits(problem):
        raise UsageError(
            f"these weights were trained for {regularizer.task} and nothing else: choose others with -w"
        )
    solver = _chosen(regularizer, problem, lam, sigma, asked)
    if asked.discrepancy is None:
        return solver
    measured = problem.y.shape[-2] * problem.y.shape[-1]
    return Discrepancy(solver, (asked.discrepancy * sigma) ** 2 * measured / problem.pixels)


def _chosen(
    regularizer: Regularizer, problem: Problem, lam: float, sigma: float, asked: SolverOptions
) -> Solver:
    if asked.solver == DEFAULT and isinstance(regularizer, PostProcesses):
        return Once(regularizer)
    if asked.solver == DEFAULT and isinstance(regularizer, HasLatents):
        return _lbfgs(asked)
    if asked.solver == DEFAULT:
        if isinstance(regularizer, Denoises):
            return (
                _direct(regularizer, problem, lam, sigma, asked)
                or _splitting(regularizer, problem, lam, sigma, asked)
                or _free(regularizer, asked)
                or _nmapg(asked)
            )
        own = _unrolled(regularizer, lam, asked) or _fourier(regularizer, problem, lam, sigma, asked)
        return own or (_proximal(asked) if problem.rays else _adam(problem, sigma, asked))
    if asked.solver not in SOLVERS:
        raise UsageError(f"unknown solver {asked.solver!r}: choose {', '.join(SOLVERS)}")
    solver = SOLVERS[asked.solver](regularizer, problem, lam, sigma, asked)
    if solver is None:
        raise UsageError(f"the solver {asked.solver} {_why_not(asked.solver)}: choose adam")
    return solver


def _why_not(solver: str) -> str:
    if solver == Direct.name:
        return "is for denoising with a prior that denoises in one step"
    if solver == FREE:
        return "is for gradient networks"
    if solver == Unrolled.name:
        return "is for weights of alr train --recipe unrolled"
    if solver == Admm.name:
        return "is for priors that denoise in one step at any level, and for white noise on free pixels"
    if solver == Splitting.name:
        return "is for priors that denoise in one step at any level, and not for rounded coefficients"
    return "is for fields of experts, and not for blurs that repeat the border"


def _fourier(
    regularizer: Regularizer, problem: Problem, lam: float, sigma: float, asked: SolverOptions
) -> Preconditioned | None:
    if not isinstance(regularizer, HasPreconditioner):
        return None
    preconditioner = regularizer.preconditioner(problem, lam)
    if preconditioner is None:
        return None
    usual, pace = _FAR_ITERATIONS, RAYS if problem.kernel is None else FAR
    if problem.rays:
        usual = _RAYS_ITERATIONS
    if problem.holes:
        usual, pace = _HOLES_ITERATIONS, HOLES
    if problem.noise is not None:
        deviation = problem.beyond(problem.noise.deviation)
        preconditioner = preconditioner.for_noise(problem.noise.model, deviation)
        usual, pace = _COLOURED_ITERATIONS, COLOURED
    elif problem.near:
        usual, pace = round(Preconditioned.iterations * min(max(sigma / 0.1, 1.0), 2.0)), NEAR
    steps, tol = asked.limit(usual), asked.tolerance(Preconditioned.tol)
    return Preconditioned(preconditioner, steps, tol, pace, asked.watched)


def _direct(
    regularizer: Regularizer, problem: Problem, lam: float, sigma: float, asked: SolverOptions
) -> Direct | None:
    """With lambda = 2 / C, its step is the one that the regularizer was trained for.

    A smaller lambda leaves a share of the noise. With a larger one the step would subtract more than the
    noise, so it is the step for more noise instead, whose variance is in proportion to lambda.
    """
    if not isinstance(regularizer, Denoises) or not problem.near:
        return None
    denoiser: Denoises = regularizer
    variance, noise = None, problem.noise
    if noise is not None:
        if not noise.white or noise.hidden is not None or not isinstance(regularizer, TakesLevels):
            return None
        variance = noise.deviation.square()
        denoiser = regularizer.with_levels(variance.mean(1, keepdim=True).sqrt())
    share = lam * regularizer.channels / 2
    if share > 1 and isinstance(denoiser, Anneals):
        denoiser, share = denoiser.at(denoiser.sigma * share**0.5), 1.0
    steps = asked.limit(Direct.iterations) if is_clipped(problem.y) else 0
    sides = ROTATIONS[:1] if asked.fast else ROTATIONS
    return Direct(denoiser, share, steps, asked.tolerance(Direct.tol), sides, variance)


def _splitting(
    regularizer: Regularizer, problem: Problem, lam: float, sigma: float, asked: SolverOptions
) -> Splitting | None:
    """By default only the path of decreasing noise levels, since minimising F afterwards removes textures."""
    if isinstance(regularizer, PostProcesses) and lam > 0:
        return _red(regularizer, lam, asked)
    if not isinstance(regularizer, Anneals) or lam <= 0 or problem.half_step is not None:
        return None
    tau = 2 / (lam * regularizer.channels)
    if problem.noise is not None:
        return _coloured_splitting(regularizer, problem, tau, asked)
    if problem.rays:
        return _rays_splitting(regularizer, tau, asked)
    usual, begin = (_HOLES_STAGES, _HOLES_BEGIN) if problem.holes else (_STAGES, _BEGIN)
    stages = max(2, min(usual, asked.limit(usual)))  # fewer stages follow the same path in larger steps
    last = regularizer.sigma * (1.0 if problem.free is None else _HOLES_LAST)
    first = max(begin, 2 * regularizer.sigma)
    levels = [last * (first / last) ** (1 - stage / (stages - 1)) for stage in range(stages)]
    way = [(regularizer.at(level), tau * (level / regularizer.sigma) ** 2) for level in levels]
    way.append((regularizer.at(last), 0.0))
    rounds = _CLIPPED_ROUNDS if problem.clips and sigma > 0 and is_clipped(problem.y) else 1
    mu = 0.0 if problem.holes or problem.enlarges else _SMOOTH
    momentum = _HOLES_MOMENTUM if problem.holes else _MOMENTUM
    limit = len(way) if asked.iterations is None else asked.iterations
    tol = asked.tolerance(Splitting.tol)
    return Splitting(_in_turn(way), tau, limit, tol, momentum, mu, rounds)


def _rays_splitting(regularizer: Anneals, tau: float, asked: SolverOptions) -> Splitting:
    """The path for rays. Each coarse feature is seen by many rays, so that the noise of a slice is far below
    the level per pixel. The last step fits the data, because D alone would blur the slice."""
    stages = max(2, asked.limit(_RAYS_STAGES))
    last = _RAYS_LAST * regularizer.sigma
    first = max(_RAYS_BEGIN, 2 * last)
    levels = [last * (first / last) ** (1 - stage / (stages - 1)) for stage in range(stages)]
    way = [(regularizer.at(level), tau * (level / regularizer.sigma) ** 2) for level in levels]
    tol = asked.tolerance(Splitting.tol)
    return Splitting(_in_turn(way), tau, len(way), tol, _RAYS_MOMENTUM, steps=_RAYS_STEPS)


def _red(regularizer: PostProcesses, lam: float, asked: SolverOptions) -> Splitting:
    """Regularization by denoising, by x+ = prox_{tau f}(x - tau lam / 2 (x - D(x)))."""
    way = ((Partly(regularizer, _RED_SHARE), 2 * _RED_SHARE / lam),) * asked.limit(_RED_STEPS)
    return Splitting(way, 1.0, len(way), asked.tolerance(Splitting.tol), steps=_PROXIMAL_STEPS)


def _proximal(asked: SolverOptions) -> Splitting:
    """Proximal gradient descent for rays, whose ||A||^2 would make plain gradient steps a hundred times
    shorter."""
    usual, tol = asked.limit(_PROXIMAL_ITERATIONS), asked.tolerance(Splitting.tol)
    return Splitting((), 1.0, usual, tol, steps=_PROXIMAL_STEPS)


def _coloured_splitting(
    regularizer: Anneals, problem: Problem, tau: float, asked: SolverOptions
) -> Splitting | None:
    """The path for noise that is not white. Its last level is below that of the noise, because the strongest
    frequencies of the noise are left to the data term."""
    if not problem.near or tuple(problem.operator.input_shape[-2:]) != problem.frame:
        return None
    usual = _COLOURED_STAGES if problem.pixels < _LARGE else _LARGE_STAGES
    stages = max(2, asked.limit(usual))
    weight = _COLOURED_WEIGHT * tau
    pace = (_COLOURED_LAST / _COLOURED_BEGIN) ** (1 / (stages - 1))
    levels = [_COLOURED_BEGIN * pace**stage for stage in range(stages)]
    way = [(regularizer.at(level * regularizer.sigma), weight * level**2) for level in levels]
    way.append((regularizer.at(_COLOURED_END * regularizer.sigma), 0.0))
    limit = len(way) if asked.iterations is None else asked.iterations
    tol = asked.tolerance(Splitting.tol)
    return Splitting(_in_turn(way), weight, limit, tol, rough=_COLOURED_ROUGH)


def _in_turn(way: Sequence[tuple[Denoises, float]]) -> tuple[tuple[Denoises, float], ...]:
    """The steps of a path, each of which sees the picture in another orientation."""
    return tuple(
        (Turned(denoiser, IN_TURN[number % len(IN_TURN)]), tau) for number, (denoiser, tau) in enumerate(way)
    )


def _free(regularizer: Regularizer, asked: SolverOptions) -> Adam | None:
    """For a regularizer with a proximal map and perhaps no energy."""
    if not isinstance(regularizer, HasProx):
        return None
    return Adam(asked.limit(FREE_ITERATIONS), asked.tolerance(Adam.tol), FREE_SCALE)


def _admm(
    regularizer: Regularizer, problem: Problem, lam: float, sigma: float, asked: SolverOptions
) -> Admm | None:
    """tau is such that the last level of the denoiser is `_ADMM_LEVEL`, or that of the noise if higher."""
    if not problem.plain or lam <= 0 or sigma <= 0:
        return None
    weight = lam * regularizer.channels / 2
    map: HasProx
    if isinstance(regularizer, HasProx):
        map, level = regularizer, sigma
    elif isinstance(regularizer, Anneals):
        map, level = DenoiserProx(regularizer), regularizer.sigma
    else:
        return None
    tau, first = (max(end / level, 1.0) ** 2 / weight for end in (_ADMM_LEVEL, _ADMM_FIRST))
    rounds = _CLIPPED_ROUNDS if problem.clips and is_clipped(problem.y) else 1
    usual, tol = Admm.iterations, asked.tolerance(Admm.tol)
    return Admm(map, weight, tau, first, iterations=asked.limit(usual), tol=tol, rounds=rounds)


def _unrolled(regularizer: Regularizer, lam: float, asked: SolverOptions) -> Unrolled | None:
    """All steps, unless fewer are asked for. lambda is 2 / C as in training, or weights G more or less."""
    if not isinstance(regularizer, Unrolls):
        return None
    share = lam * regularizer.channels / 2
    pace = tuple((size, share * weight) for size, weight in regularizer.pace)
    return Unrolled(regularizer, pace, len(pace) if asked.iterations is None else asked.iterations)


def _nmapg(asked: SolverOptions) -> Nmapg:
    return Nmapg(asked.limit(Nmapg.iterations), asked.tolerance(Nmapg.tol))


def _adam(problem: Problem, sigma: float, asked: SolverOptions) -> Adam:
    """Adam with the usual number of steps; see docs/performance.md.

    The step sizes are those of the paper at its sigma of 0.1. Less noise is a shorter way.
    """
    scale = (torch.tensor(sigma) / 0.1).clamp_max(1.0) if problem.near else torch.tensor(1.0)
    usual = Adam.iterations * (min(max(sigma / 0.1, 0.6), 2.0) if problem.near else 2)
    return Adam(asked.limit(round(usual)), asked.tolerance(Adam.tol), scale.to(problem.y))


def _lbfgs(asked: SolverOptions) -> Lbfgs:
    return Lbfgs(asked.limit(Lbfgs.iterations), asked.tolerance(Lbfgs.tol))


Choice = Callable[[Regularizer, Problem, float, float, SolverOptions], Solver | None]

SOLVERS: Mapping[str, Choice] = {
    "fourier": _fourier,
    "adam": lambda regularizer, problem, lam, sigma, asked: _adam(problem, sigma, asked),
    "gd": lambda regularizer, problem, lam, sigma, asked: GradientDescent(
        asked.limit(GradientDescent.iterations), asked.tolerance(GradientDescent.tol)
    ),
    "nmapg": lambda regularizer, problem, lam, sigma, asked: _nmapg(asked),
    "lbfgs": lambda regularizer, problem, lam, sigma, asked: _lbfgs(asked),
    "direct": _direct,
    "splitting": _splitting,
    "admm": _admm,
    Unrolled.name: lambda regularizer, problem, lam, sigma, asked: _unrolled(regularizer, lam, asked),
    FREE: lambda regularizer, problem, lam, sigma, asked: _free(regularizer, asked),
    "pnp-gd": lambda regularizer, problem, lam, sigma, asked: PlugAndPlay(
        asked.limit(PlugAndPlay.iterations), asked.tolerance(PlugAndPlay.tol)
    ),
}
