"""x* = arg min mean((A x - y)^2) + lambda(sigma) R(x): the learned regularizer as one method among others"""

from __future__ import annotations

from collections.abc import Callable

from alr_cli.bench.degradations import Observation, Pixels
from alr_cli.core.restore import Restorer, Step


def restore(
    restorer: Restorer, observation: Observation, callback: Callable[[Step], None] | None = None
) -> Pixels:
    """(H, W, C), not clamped; the restorer knows A and sigma, as every method does."""
    y, sigma = observation.pixels, observation.sigma
    if observation.kernel is not None:
        boundary = observation.setting.boundary
        assert boundary is not None
        return restorer.deblur(y, observation.kernel, sigma, boundary, callback).pixels
    if observation.missing is not None:
        return restorer.inpaint(y, observation.missing, sigma, callback).pixels
    return restorer.denoise(y, sigma, callback).pixels
