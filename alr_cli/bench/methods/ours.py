"""x* = arg min mean((A x - y)^2) + lambda(sigma) R(x): the learned regularizer as one of the methods"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from alr_cli.bench.degradations import Observation, Pixels
from alr_cli.core.restore import Restorer


def restore(restorer: Restorer, observation: Observation) -> Pixels:
    """The restored picture (H, W, C), not clamped. Like every method, the restorer knows A and sigma."""
    return restorer.restore(observation.pixels, observation.task, observation.sigma).pixels


def dependencies(restorer: Restorer) -> list[Any]:
    """What the result depends on in addition to the code: tensors, lambda(sigma), settings and arithmetic.

    Tiles are left out, since they change only rounding.
    """
    weights, settings = restorer.weights, asdict(restorer.settings)
    for free in ("tile", "device", "precision"):
        del settings[free]
    curve = {key: weights.metadata.get(key) for key in ("lam", "sigma_range", "architecture")}
    return [weights.sha256, curve, settings, str(restorer.precision), restorer.device.type]
