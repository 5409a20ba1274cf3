"""x* = arg min mean((A x - y)^2) + lambda(sigma) R(x): the learned regularizer as one method among others"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from alr_cli.bench.degradations import Observation, Pixels
from alr_cli.core.restore import Restorer


def restore(restorer: Restorer, observation: Observation) -> Pixels:
    """(H, W, C), not clamped; the restorer knows A and sigma, as every method does."""
    return restorer.restore(observation.pixels, observation.task, observation.sigma).pixels


def dependencies(restorer: Restorer) -> list[Any]:
    """What the result depends on beside the code: tensors, lambda(sigma), settings, arithmetic. Tiles change
    nothing but rounding."""
    weights, settings = restorer.weights, asdict(restorer.settings)
    for free in ("tile", "device", "precision"):
        del settings[free]
    curve = {key: weights.metadata.get(key) for key in ("lam", "sigma_range", "architecture")}
    return [weights.sha256, curve, settings, str(restorer.precision), restorer.device.type]
