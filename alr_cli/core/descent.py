"""x* = arg min E(x) for a problem and a critic: which descent, with what, and for how long    (eq. 4)"""

from __future__ import annotations

import torch

from alr_cli.core import circulant
from alr_cli.core.critics import AnyCritic
from alr_cli.core.energy import DataTerm, Energy
from alr_cli.core.experts import Experts
from alr_cli.core.problems import Problem
from alr_cli.core.regularizer import LocalRegularizer, Regularizer
from alr_cli.core.solver import DEFAULT_ITERATIONS, Callback, Method, Solution, solve
from alr_cli.core.symmetry import Turning
from alr_cli.errors import UsageError


def usual_method(critic: AnyCritic) -> Method:
    """fourier for fields of experts, of which it knows the spectrum; adam for deep critics."""
    return "fourier" if isinstance(critic, Experts) else "adam"


def check_method(method: Method, critic: AnyCritic) -> None:
    """Raises UsageError for a descent that cannot be had with this critic."""
    if method == "fourier" and not isinstance(critic, Experts):
        raise UsageError("the solver fourier is for tuned critics (fields of experts): choose adam")


def usual_iterations(method: Method, problem: Problem, sigma: float) -> int:
    """How many steps lead from the start to the solution; see docs/performance.md."""
    if method == "fourier":
        return DEFAULT_ITERATIONS["fourier"] * (1 if problem.near else 3)
    return problem.adam_iterations(sigma) if method == "adam" else DEFAULT_ITERATIONS[method]


def minimise(
    problem: Problem,
    data: DataTerm,
    critic: AnyCritic,
    lam: float,
    sigma: float,
    method: Method,
    *,
    limit: int | None = None,
    tol: float | None = None,
    tile: int = 0,
    precision: torch.dtype = torch.float32,
    callback: Callback | None = None,
) -> Solution:
    """critic: at its level of noise.  sigma: of the noise.  limit, tol: None for the usual ones.  tile,
    precision: as in LocalRegularizer."""
    local = LocalRegularizer(critic, tile, precision)
    # The line searches compare energies, which must not turn under their feet.
    regularizer: Regularizer = Turning(local) if method in ("fourier", "adam") else local
    energy = Energy(problem.operator, data, regularizer, lam, problem.pixels, problem.free)
    limit = usual_iterations(method, problem, sigma) if limit is None else limit
    preconditioner = None
    if method == "fourier" and isinstance(critic, Experts):
        preconditioner = circulant.of_energy(critic, lam, problem.operator, held=problem.free is not None)
    scale = problem.step_scale(torch.tensor(sigma)).to(problem.y)
    return solve(energy, problem.start, method, limit, tol, callback, scale, preconditioner)
