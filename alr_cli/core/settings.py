"""How an energy is minimised, and on which device: what a caller may choose, whatever the task."""

from __future__ import annotations

from dataclasses import dataclass

from alr_cli.core.defaults import Formulation
from alr_cli.core.solver_options import DEFAULT, SolverOptions


@dataclass(frozen=True)
class Settings:
    """How an energy is minimised, and on which device.

    Attributes:
        strength: Factor of the fitted lambda.
        lam: The value of lambda, instead of the fitted one.
        solver: One of `solver_parameters.SOLVERS`, or "default".
        max_iter, tol: None for the defaults of the solver.
        tile: Side in pixels of the blocks that are scored at once; None for automatic, 0 for the whole
            picture.
        precision: "auto", "float32" or "bfloat16".
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        clip_aware: Whether pixels at 0 and 1 are treated as clipped if nothing lies beyond (see
            data_terms.py).
        formulation: Whether the unknown is the picture ("analysis") or, for flows, the latent that generates
            it ("synthesis").
        fast: Whether to use a third of the usual iterations.
        discrepancy: See `solver_options.SolverOptions`.
    """

    strength: float = 1.0
    lam: float | None = None
    solver: str = "default"
    max_iter: int | None = None
    tol: float | None = None
    tile: int | None = None
    precision: str = "auto"
    device: str = "auto"
    clip_aware: bool = True
    formulation: Formulation = "analysis"
    fast: bool = False
    discrepancy: float | None = None

    def asked(self, watched: bool) -> SolverOptions:
        """What they ask of the descent; `watched` if the energy of every step is needed."""
        return SolverOptions(self.solver, self.max_iter, self.tol, watched, self.fast, self.discrepancy)

    @property
    def descends(self) -> bool:
        """Whether they ask for a particular descent, by its solver, length, tolerance or lambda."""
        asked = (self.max_iter, self.tol, self.lam, self.discrepancy)
        kind = (self.solver, self.formulation) != (DEFAULT, "analysis")
        return kind or any(value is not None for value in asked)
