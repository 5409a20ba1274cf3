"""Sentences on what may be wrong with a restoration: its sigma, its kernel, or its weights."""

import math
from typing import TYPE_CHECKING

from alr_cli.cli.restore.noise import NOISE_FLOOR

if TYPE_CHECKING:
    from alr_cli.core.restore import Restoration, Restorer

MISFIT = 1.2  # times sigma^2: the true kernel leaves 0.9 of it, a wrong one 1.3 to 1.5


def misfit(restoration: "Restoration", restorer: "Restorer") -> str | None:
    """Where the usual descent leaves more of the picture unexplained than its noise, operator or sigma are
    wrong."""
    settings, sigma = restorer.settings, restoration.sigma
    asked = settings.max_iter is not None or settings.lam is not None or settings.fast
    usual = not asked and restoration.strength <= 1
    if not usual or sigma < NOISE_FLOOR or restoration.data_term <= MISFIT * sigma**2:
        return None
    return (
        f"{math.sqrt(restoration.data_term):.3g} of the picture stays unexplained and its noise is "
        f"{sigma:.3g}: the kernel may be wrong (try --kernel auto), or --sigma too small"
    )


def outside(restorer: "Restorer", sigma: float) -> str | None:
    """Where the weights were not made for noise of that level. Without any, nothing is asked of them."""
    low, high = restorer.sigma_range
    if sigma == 0 or low <= sigma <= high:
        return None
    side = "less" if sigma < low else "more"
    return f"sigma {sigma:.3g} is {side} than {restorer.weights.name} was made for ({low:.3g} to {high:.3g})"
