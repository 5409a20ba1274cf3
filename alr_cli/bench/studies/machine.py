"""Floating-point operations per second of the critic's gradient, compared with a matrix product"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from alr_cli.core.numerics import devices
from alr_cli.core.priors.local import LocalPrior, LocalRegularizer
from alr_cli.core.restore import Restorer
from alr_cli.errors import UsageError

_MATRIX = 4096
_SIDE = 512
_REPEATS = 5


@dataclass(frozen=True)
class Rate:
    """The speed of one gradient of R on a 512 x 512 picture, and of a matrix product in the same precision.

    Attributes:
        precision: Name of the precision.
        threads: Number of threads.
        seconds: Time of the gradient.
        gradient: Operations per second of the gradient.
        product: Operations per second of a product of 4096 x 4096 matrices.
    """

    precision: str
    threads: int
    seconds: float
    gradient: float
    product: float

    @property
    def share(self) -> float:
        return self.gradient / self.product

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "share": self.share}


def rate(restorer: Restorer, side: int = _SIDE, matrix: int = _MATRIX, repeats: int = _REPEATS) -> Rate:
    """Measure both, one after the other, and keep the best of a few runs. Raises UsageError for other
    priors."""
    prior, precision, device = restorer.prior, restorer.precision, restorer.device
    if not isinstance(prior, LocalPrior):
        raise UsageError(f"{restorer.weights.name} is no local prior: its operations are not counted")
    x = torch.rand(1, restorer.channels, side, side, device=device)
    regularizer = LocalRegularizer(prior.network, prior.tile(tuple(x.shape), device, precision), precision)
    a = torch.rand(matrix, matrix, device=device, dtype=precision)
    with devices.flushed_denormals():
        product = _seconds(lambda: a @ a, device, repeats)
        gradient = _seconds(lambda: regularizer.on_grid(x), device, repeats)
    return Rate(
        devices.precision_name(precision),
        torch.get_num_threads(),
        gradient,
        prior.network.operations(side) / gradient,
        2 * matrix**3 / product,
    )


def _seconds(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return best
