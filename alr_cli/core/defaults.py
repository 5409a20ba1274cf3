"""x* = arg min E(x) for a problem and a prior: which solver is used, with which settings    (eq. 4)"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from alr_cli.core.data_terms import DataTerm
from alr_cli.core.energy import Energy
from alr_cli.core.paths import path
from alr_cli.core.priors.protocol import (
    Denoises,
    HasGlimpses,
    PostProcesses,
    Regularizer,
    WeighsGradient,
)
from alr_cli.core.problems import Problem
from alr_cli.core.solver_options import DEFAULT, SolverOptions
from alr_cli.core.solver_parameters import (
    FREE,
    IMPLICIT,
    SOLVERS,
    adam,
    direct,
    fourier,
    free,
    lbfgs,
    nmapg,
    once,
    proximal,
    unrolled,
)
from alr_cli.core.solvers.admm import Admm
from alr_cli.core.solvers.base import Callback, Record, Solution, Solver, solve
from alr_cli.core.solvers.direct import Direct
from alr_cli.core.solvers.discrepancy import Discrepancy
from alr_cli.core.solvers.proximal_gradient import ProximalGradient
from alr_cli.core.solvers.splitting import Splitting
from alr_cli.core.solvers.unrolled import Unrolled, Unrolls
from alr_cli.core.synthesis import HasLatents, Synthesis
from alr_cli.errors import UsageError

Formulation = Literal["analysis", "synthesis"]


def minimise(
    problem: Problem,
    data: DataTerm,
    regularizer: Regularizer,
    lam: float,
    sigma: float,
    asked: SolverOptions = SolverOptions(),  # noqa: B008 - immutable
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
    if isinstance(regularizer, WeighsGradient):
        lam *= regularizer.gradient_weight(problem)
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
    asked: SolverOptions = SolverOptions(),  # noqa: B008 - immutable
) -> Solver:
    """The solver that was asked for, or the default; with the rule that stops it early, if asked for.

    The defaults are: once for post-processing; lbfgs for flows; for priors that denoise in one step,
    direct for white noise alone (also if its level differs between pixels and the prior takes that into
    account), and splitting for other noise and operators, but adam for missing pixels and gradient
    networks; nmapg for priors that denoise at only one noise level; fourier if P is known, which is true
    of fields of experts except for blurs that repeat the border and missing pixels of which something is
    known; for rays, splitting along the descent that a prior was trained on, and pgd without one; else
    adam.

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
        return once(regularizer, problem, lam, sigma, asked)
    if asked.solver == DEFAULT and isinstance(regularizer, HasLatents):
        return lbfgs(asked)
    if asked.solver == DEFAULT:
        if isinstance(regularizer, Denoises):
            return (
                direct(regularizer, problem, lam, sigma, asked)
                or (problem.holes and free(regularizer, asked))
                or path(regularizer, problem, lam, sigma, asked)
                or free(regularizer, asked)
                or nmapg(asked)
            )
        own = unrolled(regularizer, lam, asked) or fourier(regularizer, problem, lam, sigma, asked)
        return (
            own
            or path(regularizer, problem, lam, sigma, asked)
            or (problem.rays and proximal(regularizer, problem, lam, sigma, asked))
            or adam(problem, sigma, asked)
        )
    if asked.solver not in SOLVERS:
        raise UsageError(f"unknown solver {asked.solver!r}: choose {', '.join(SOLVERS)}")
    solver = SOLVERS[asked.solver](regularizer, problem, lam, sigma, asked)
    if solver is None:
        raise UsageError(f"the solver {asked.solver} {_why_not(asked.solver)}: choose adam")
    return solver


def _why_not(solver: str) -> str:
    if solver == Direct.name:
        return "is for denoising with a prior that denoises in one step"
    if solver in (FREE, IMPLICIT):
        return "is for gradient networks"
    if solver == Unrolled.name:
        return "is for weights of alr train --recipe unrolled"
    if solver == Admm.name:
        return "is for priors that denoise in one step at any level, and for white noise on free pixels"
    if solver == ProximalGradient.name:
        return "is for priors whose energy is known, and not for rounded coefficients"
    if solver == Splitting.name:
        return (
            "is for priors that denoise in one step at any level, or know a descent for rays, and not for "
            "rounded coefficients"
        )
    return (
        "is for fields of experts, and not for blurs that repeat the border, nor where something is known of "
        "missing pixels"
    )
