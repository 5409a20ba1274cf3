"""Sentences on what may be wrong with a restoration: its sigma, its kernel, or its weights."""

import math
from typing import TYPE_CHECKING

from alr_cli.cli.restore.noise import NOISE_FLOOR

if TYPE_CHECKING:
    from alr_cli.core.restoration import Restoration
    from alr_cli.core.restore import Restorer

MISFIT = 1.2  # times sigma^2; the true kernel leaves 0.9 of it, a wrong one 1.3 to 1.5


def misfit(restoration: "Restoration", restorer: "Restorer") -> str | None:
    """A warning if the result does not explain the picture, or None.

    After the usual descent, a remainder that is larger than the noise means that the noise, the operator or
    sigma is wrong. A remainder with structure means that the kernel is.
    """
    settings, sigma = restorer.settings, restoration.sigma
    asked = settings.max_iter is not None or settings.lam is not None or settings.fast
    usual = not asked and restoration.strength <= 1
    if not usual or sigma < NOISE_FLOOR:
        return None
    structure = restoration.structure
    if restoration.data_term <= MISFIT * sigma**2:
        if structure is None or not structure.certain:
            return None
        return (
            f"what stays unexplained is not noise (up to {structure.power:.2g} times its power at a "
            "frequency): the kernel may be wrong (try --kernel auto)"
        )
    return (
        f"{math.sqrt(restoration.data_term):.3g} of the picture stays unexplained, but its noise is only "
        f"{sigma:.3g}: the kernel may be wrong (try --kernel auto), or --sigma too small"
    )


def outside(restorer: "Restorer", sigma: float) -> str | None:
    """A warning if the weights were not made for noise of this level, or None. Without noise any weights will
    do."""
    low, high = restorer.sigma_range
    if sigma == 0 or low <= sigma <= high:
        return None
    side = "less" if sigma < low else "more"
    return f"sigma {sigma:.3g} is {side} than {restorer.weights.name} was made for ({low:.3g} to {high:.3g})"
