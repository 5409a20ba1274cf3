"""k = arg min over k >= 0, sum k = 1 of  -2 log p(|F y|^2 | k) + trust |k * g - dy|^2 / v

The edges g know where the weights of the kernel lie, but leave faint ones out. The spectrum of the picture
(spectrum.py) knows how strong each frequency of the kernel is, but not its phase. Together they determine the
kernel better than either. v is the mean square of the initial residual of the edges.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from alr_cli.core.blind.kernel_step import EdgeFit, Kernel
from alr_cli.core.blind.spectrum import Likelihood

STEPS = 25  # iterations of L-BFGS


def joint_step(fit: EdgeFit, likelihood: Likelihood, kernel: Kernel, trust: float) -> Kernel:
    """The kernel that explains both, starting from `kernel` (side, side)."""
    residual = fit.residual(kernel)
    share = trust / float((residual**2).mean()) / likelihood.count
    slope = fit.slope(residual)

    def cost(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total = weights.sum()
        k = weights.reshape(kernel.shape) / total
        value, gradient = likelihood(k)
        moved = k - kernel
        bent = fit.hessian(moved)
        value += share * float((slope * moved).sum() + (moved * bent).sum() / 2)
        gradient = gradient + share * (slope + bent)
        return value, ((gradient - (gradient * k).sum()) / total).ravel()

    limits = [(0.0, None)] * kernel.size
    options = {"maxiter": STEPS, "maxcor": 20}
    found = minimize(cost, kernel.ravel(), jac=True, method="L-BFGS-B", bounds=limits, options=options)
    best = np.asarray(found.x).reshape(kernel.shape)
    return np.asarray(best / best.sum())


def joint_cost(fit: EdgeFit, likelihood: Likelihood, kernel: Kernel) -> float:
    """-2 log p of a frequency and of a derivative whose residual has an unknown variance. Lower is better.

    A wrong kernel can explain the spectrum better than the true one, but not the edges as well.
    """
    return likelihood(kernel)[0] + math.log(float((fit.residual(kernel) ** 2).mean()))
