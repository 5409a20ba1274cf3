"""The result of a restoration, and what a callback receives at each step of it"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from alr_cli.core.residuals import Structure


@dataclass(frozen=True)
class Step:
    """What a callback receives at the start and after each iteration: energy = data_term + lam * regularizer.

    Attributes:
        iteration, max_iter: Number of the iteration, and the largest number.
        energy, regularizer: None for a prior of which only the gradient is known.
        data_term: The data term.
        estimate: Returns the current x, (H, W, C) float32, not clamped. It is computed on demand.
        slope: Where there is no energy, the root mean square of lam times the gradient of the regularizer;
            else None.
    """

    iteration: int
    max_iter: int
    energy: float | None
    data_term: float
    regularizer: float | None
    estimate: Callable[[], np.ndarray]
    slope: float | None = None


@dataclass(frozen=True)
class Restoration:
    """A restored picture and how it was computed.

    Attributes:
        pixels: (H, W, C) float32, not clamped.
        stop: Why the descent stopped; see `solvers.base.Solution`.
        iterations: Number of iterations.
        energy, data_term, regularizer: The terms at the end, as in energy.py.
        lam: The lambda that was used.
        strength: The strength that was used.
        sigma: The noise level.
        device, precision, tile: How it was computed.
        structure: What a blur by the kernel does not explain; None for other tasks.
    """

    pixels: np.ndarray
    stop: str
    iterations: int
    energy: float | None
    data_term: float
    regularizer: float | None
    lam: float
    strength: float
    sigma: float
    device: str
    precision: str
    tile: int
    structure: Structure | None = None


Callback = Callable[[Step], None]
