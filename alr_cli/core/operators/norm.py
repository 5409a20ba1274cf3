"""||A|| = sqrt(largest eigenvalue of A* A), by Lanczos"""

from __future__ import annotations

import numpy as np
import torch

from alr_cli.core.operators.protocol import LinearOperator


def largest_singular_value(operator: LinearOperator, steps: int = 60, tol: float = 1e-7) -> float:
    """The square root of the largest eigenvalue of A* A, by Lanczos in float64 from a seeded start.

    The result is never above the true value, except for rounding. The iteration stops after `steps`, or once
    a step adds less than `tol` (relative) to the eigenvalue; tests find it within 1e-3 of the largest
    singular value of the dense matrix.
    """
    generator = torch.Generator().manual_seed(0)
    # Positive, because the leading vector of a kernel without negative weights is positive, too.
    shape = (*(1,) * (4 - len(operator.input_shape)), *operator.input_shape)
    v = 0.5 + torch.rand(*shape, generator=generator, dtype=torch.float64)
    v /= v.norm()
    before, beta, largest = torch.zeros_like(v), 0.0, 0.0
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(steps):
        w = operator.adjoint(operator.forward(v)) - beta * before
        diagonal.append(float((w * v).sum()))
        w = w - diagonal[-1] * v
        beta = float(w.norm())
        eigenvalue = float(
            np.linalg.eigvalsh(np.diag(diagonal) + np.diag(beside, -1))[-1]
        )  # it reads the entries below the diagonal
        if eigenvalue - largest <= tol * eigenvalue or beta <= 1e-12 * eigenvalue:
            return float(np.sqrt(max(eigenvalue, 0.0)))
        largest, before, v = eigenvalue, v, w / beta
        beside.append(beta)
    return float(np.sqrt(largest))
