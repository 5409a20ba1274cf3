"""What a caller may ask of the descent, whatever the solver."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT = "default"


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
