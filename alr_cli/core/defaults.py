"""x* = arg min E(x) for a problem and a critic: which descent, with what, and for how long    (eq. 4)"""

from __future__ import annotations

import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.energy import DataTerm, Energy
from alr_cli.core.priors.experts import Experts
from alr_cli.core.priors.glimpses import Turning
from alr_cli.core.priors.local import LocalRegularizer, Regularizer
from alr_cli.core.priors.preconditioner import of_energy
from alr_cli.core.priors.registry import AnyCritic
from alr_cli.core.problems import Problem
from alr_cli.core.solvers.descent import DEFAULT_ITERATIONS, Callback, Method, Solution, solve
from alr_cli.core.solvers.preconditioned import FAR, HOLES, NEAR
from alr_cli.errors import UsageError

_AMPLITUDE_POWER = 0.45
_FAR_ITERATIONS, _HOLES_ITERATIONS = 75, 200  # of fourier, where A hides what only many steps bring back


def usual_method(critic: AnyCritic, problem: Problem) -> Method:
    """fourier where P is known: for fields of experts and all but blurs that repeat the
    border. Else adam."""
    return "fourier" if isinstance(critic, Experts) and _has_preconditioner(problem) else "adam"


def check_method(method: Method, critic: AnyCritic, problem: Problem) -> None:
    """Raises UsageError for a descent that cannot be had."""
    if method != "fourier":
        return
    if not isinstance(critic, Experts):
        raise UsageError("the solver fourier is for tuned critics (fields of experts): choose adam")
    if not _has_preconditioner(problem):
        raise UsageError("the solver fourier knows no blur with a repeated border: choose adam")


def _has_preconditioner(problem: Problem) -> bool:
    return problem.operator.power(problem.operator.input_shape) is not None


def usual_iterations(method: Method, problem: Problem, sigma: float) -> int:
    """How many steps lead from the start to the solution; see docs/performance.md."""
    if method == "fourier":
        least = DEFAULT_ITERATIONS["fourier"]
        if problem.near:
            return round(least * min(max(sigma / 0.1, 1.0), 1.6))
        return _HOLES_ITERATIONS if problem.holes else _FAR_ITERATIONS
    return problem.adam_iterations(sigma) if method == "adam" else DEFAULT_ITERATIONS[method]


def blur_gain(critic: AnyCritic, kernel: Tensor) -> float:
    """What a blur makes of lambda(sigma), which is fitted to denoising. Lunz's rule is for the balance of
    gradients at the truth; what is best for fields of experts follows the mean amplitude, for motions,
    Gaussians and a box alike (docs/critics.md)."""
    if isinstance(critic, Experts):
        return float(problems.mean_amplitude(kernel) ** _AMPLITUDE_POWER)
    return problems.noise_gain(kernel)


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
    # The line searches compare energies, which must not turn under their feet. And a tiny picture that goes
    # on at its opposite side may hold a patch on one grid and none on the next.
    turns = method in ("fourier", "adam") and not (problem.periodic and min(problem.frame) < critic.stride)
    regularizer: Regularizer = Turning(local) if turns else local
    energy = Energy(problem.operator, data, regularizer, lam, problem.pixels, problem.free, problem.periodic)
    limit = usual_iterations(method, problem, sigma) if limit is None else limit
    preconditioner = None
    if method == "fourier" and isinstance(critic, Experts):
        preconditioner = of_energy(critic, lam, problem)
    scale = problem.step_scale(torch.tensor(sigma)).to(problem.y)
    pace = NEAR if problem.near else HOLES if problem.holes else FAR
    return solve(energy, problem.start, method, limit, tol, callback, scale, preconditioner, pace)
