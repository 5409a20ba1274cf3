"""Each solver with its parameters for a problem and a prior, or None if it cannot be used for them"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from alr_cli.core.data_terms import is_clipped
from alr_cli.core.paths import CLIPPED_ROUNDS, SMOOTH, path, step_size
from alr_cli.core.priors.denoisers import DenoiserProx
from alr_cli.core.priors.orientations import FLIPS, ROTATIONS
from alr_cli.core.priors.protocol import (
    Anneals,
    Denoises,
    HasPreconditioner,
    HasProx,
    PostProcesses,
    Regularizer,
    TakesLevels,
    WeighsGradient,
)
from alr_cli.core.problems import Problem
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solvers.adam import Adam
from alr_cli.core.solvers.admm import Admm
from alr_cli.core.solvers.base import Solver
from alr_cli.core.solvers.direct import Direct
from alr_cli.core.solvers.implicit import Implicit
from alr_cli.core.solvers.lbfgs import Lbfgs
from alr_cli.core.solvers.line_search import GradientDescent, Nmapg
from alr_cli.core.solvers.once import Once
from alr_cli.core.solvers.plug_and_play import PlugAndPlay
from alr_cli.core.solvers.preconditioned import COLOURED, FAR, HOLES, NEAR, RAYS, Preconditioned
from alr_cli.core.solvers.proximal_gradient import ProximalGradient
from alr_cli.core.solvers.splitting import Splitting
from alr_cli.core.solvers.unrolled import Unrolled, Unrolls

FREE, IMPLICIT = "pnp-adam", "pnp-pgd"
# for fourier, if A hides information that takes many steps to recover
_FAR_ITERATIONS, _HOLES_ITERATIONS, _RAYS_ITERATIONS = 100, 200, 50
# for fourier, if the noise is coloured; below this level fewer lose nothing (docs/noise.md)
_COLOURED_ITERATIONS, _FAINT_ITERATIONS, _FAINT = 25, 16, 0.01
# For admm: level of D at the end, and at the beginning if it falls (Fermanian, Le Pendu and Guillemot 2022).
_ADMM_LEVEL, _ADMM_FIRST = 30 / 255, 50 / 255
# For adam with a gradient network: number and scale of the steps.
FREE_ITERATIONS, FREE_SCALE = 300, 0.1
# For pnp-pgd with a gradient network: s of the first step, which subtracts s^2 G.
_IMPLICIT_FIRST = 4 / 255
# For post-processing: lambda times the variance of the errors that the network leaves.
_ONCE_VARIANCE = 30 * 2e-4
# For pgd without a path: number of steps, tolerance, and steps of conjugate gradients.
_RAYS_PROXIMAL, _RAYS_TOL, _RAYS_STEPS = 60, 1e-4, 15


def once(
    regularizer: PostProcesses, problem: Problem, lam: float, sigma: float, asked: SolverOptions
) -> Once:
    """tau is in proportion to 1 / sigma^2, as in a posterior, and only views leave anything to correct."""
    tau = _ONCE_VARIANCE / (lam * sigma**2) if problem.rays and lam > 0 and sigma > 0 else 0.0
    return Once(regularizer, FLIPS[:1] if asked.fast else FLIPS, tau)


def fourier(
    regularizer: Regularizer, problem: Problem, lam: float, sigma: float, asked: SolverOptions
) -> Preconditioned | None:
    if not isinstance(regularizer, HasPreconditioner) or problem.deviation is not None:
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
        usual, pace = _FAINT_ITERATIONS if sigma < _FAINT else _COLOURED_ITERATIONS, COLOURED
    elif problem.near:
        usual, pace = round(Preconditioned.iterations * min(max(sigma / 0.1, 1.0), 2.0)), NEAR
    steps, tol = asked.limit(usual), asked.tolerance(Preconditioned.tol)
    return Preconditioned(preconditioner, steps, tol, pace, asked.watched)


def direct(
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


def free(regularizer: Regularizer, asked: SolverOptions) -> Adam | None:
    """For a regularizer with a proximal map and perhaps no energy."""
    if not isinstance(regularizer, HasProx):
        return None
    return Adam(asked.limit(FREE_ITERATIONS), asked.tolerance(Adam.tol), FREE_SCALE)


def implicit(
    regularizer: Regularizer, problem: Problem, lam: float, sigma: float, asked: SolverOptions
) -> Implicit | None:
    """The first step subtracts s^2 G, where s is `_IMPLICIT_FIRST`; longer steps are not stable."""
    if not isinstance(regularizer, WeighsGradient) or not isinstance(regularizer, Anneals):
        return None
    weight = lam * regularizer.gradient_weight(problem) * regularizer.channels / 2
    if weight <= 0 or regularizer.sigma <= 0 or problem.half_step is not None:
        return None
    tau = (_IMPLICIT_FIRST / regularizer.sigma) ** 2 / weight
    rounds = CLIPPED_ROUNDS if problem.clips and sigma > 0 and is_clipped(problem.y) else 1
    limit, tol = asked.limit(Implicit.iterations), asked.tolerance(Implicit.tol)
    mu = 0.0 if problem.holes or problem.enlarges else SMOOTH
    return Implicit(tau, iterations=limit, tol=tol, mu=mu, rounds=rounds)


def admm(
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
    rounds = CLIPPED_ROUNDS if problem.clips and is_clipped(problem.y) else 1
    usual, tol = Admm.iterations, asked.tolerance(Admm.tol)
    return Admm(map, weight, tau, first, iterations=asked.limit(usual), tol=tol, rounds=rounds)


def unrolled(regularizer: Regularizer, lam: float, asked: SolverOptions) -> Unrolled | None:
    """All steps, unless fewer are asked for. lambda is 2 / C as in training, or weights G more or less."""
    if not isinstance(regularizer, Unrolls):
        return None
    share = lam * regularizer.channels / 2
    pace = tuple((size, share * weight) for size, weight in regularizer.pace)
    return Unrolled(regularizer, pace, len(pace) if asked.iterations is None else asked.iterations)


def proximal(
    regularizer: Regularizer, problem: Problem, lam: float, sigma: float, asked: SolverOptions
) -> ProximalGradient | None:
    """Proximal gradient descent on F, after the path if there is one.

    For rays, whose ||A||^2 makes plain gradient steps a hundred times shorter, it is the default.
    """
    unknown = isinstance(regularizer, PostProcesses | HasProx | Unrolls)
    if unknown or lam <= 0 or problem.half_step is not None:
        return None
    first = path(regularizer, problem, lam, sigma, replace(asked, iterations=None))
    if first is None:
        limit, tol = asked.limit(_RAYS_PROXIMAL), asked.tolerance(_RAYS_TOL)
        return ProximalGradient(1.0, limit, tol, Splitting((), steps=_RAYS_STEPS))
    limit = asked.limit(first.iterations + ProximalGradient.iterations)
    tol = asked.tolerance(ProximalGradient.tol)
    return ProximalGradient(step_size(regularizer, lam), limit, tol, first)


def nmapg(asked: SolverOptions) -> Nmapg:
    return Nmapg(asked.limit(Nmapg.iterations), asked.tolerance(Nmapg.tol))


def adam(problem: Problem, sigma: float, asked: SolverOptions) -> Adam:
    """Adam with the usual number of steps; see docs/performance.md.

    The step sizes are those of the paper at its sigma of 0.1. Less noise is a shorter way.
    """
    scale = (torch.tensor(sigma) / 0.1).clamp_max(1.0) if problem.near else torch.tensor(1.0)
    usual = Adam.iterations * (min(max(sigma / 0.1, 0.6), 2.0) if problem.near else 2)
    return Adam(asked.limit(round(usual)), asked.tolerance(Adam.tol), scale.to(problem.y))


def lbfgs(asked: SolverOptions) -> Lbfgs:
    return Lbfgs(asked.limit(Lbfgs.iterations), asked.tolerance(Lbfgs.tol))


Choice = Callable[[Regularizer, Problem, float, float, SolverOptions], Solver | None]

SOLVERS: Mapping[str, Choice] = {
    "fourier": fourier,
    "adam": lambda regularizer, problem, lam, sigma, asked: adam(problem, sigma, asked),
    "gd": lambda regularizer, problem, lam, sigma, asked: GradientDescent(
        asked.limit(GradientDescent.iterations), asked.tolerance(GradientDescent.tol)
    ),
    "nmapg": lambda regularizer, problem, lam, sigma, asked: nmapg(asked),
    "lbfgs": lambda regularizer, problem, lam, sigma, asked: lbfgs(asked),
    "direct": direct,
    "splitting": path,
    ProximalGradient.name: proximal,
    "admm": admm,
    Unrolled.name: lambda regularizer, problem, lam, sigma, asked: unrolled(regularizer, lam, asked),
    FREE: lambda regularizer, problem, lam, sigma, asked: free(regularizer, asked),
    IMPLICIT: implicit,
    "pnp-gd": lambda regularizer, problem, lam, sigma, asked: PlugAndPlay(
        asked.limit(PlugAndPlay.iterations), asked.tolerance(PlugAndPlay.tol)
    ),
}
