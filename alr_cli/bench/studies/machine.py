"""What the critic's gradient reaches of what the machine can: floating-point operations a second"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from alr_cli.core.numerics import devices
from alr_cli.core.priors.experts import Experts
from alr_cli.core.priors.local import LocalRegularizer
from alr_cli.core.priors.registry import AnyCritic
from alr_cli.core.restore import Restorer

_MATRIX = 4096
_SIDE = 512
_REPEATS = 5


@dataclass(frozen=True)
class Rate:
    """Of one gradient of R on a 512 x 512 picture, and of a product of 4096 x 4096 matrices of the same
    precision: operations a second."""

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
    """Measure both, one after the other; the best of a few."""
    critic, precision, device = restorer.critic, restorer.precision, restorer.device
    x = torch.rand(1, restorer.channels, side, side, device=device)
    tile = devices.automatic_tile(critic, tuple(x.shape), device, precision)
    regularizer = LocalRegularizer(critic, tile, precision)
    a = torch.rand(matrix, matrix, device=device, dtype=precision)
    with devices.flushed_denormals():
        product = _seconds(lambda: a @ a, device, repeats)
        gradient = _seconds(lambda: regularizer.on_grid(x), device, repeats)
    return Rate(
        devices.precision_name(precision),
        torch.get_num_threads(),
        gradient,
        operations(critic, side) / gradient,
        2 * matrix**3 / product,
    )


def operations(critic: AnyCritic, side: int) -> int:
    """Multiplications and additions of the convolutions, forward and back to the pixels, on side x side
    pixels at once, for one grid of patches. What tiles compute twice does not count."""
    if isinstance(critic, Experts):
        patches = ((side - critic.patch) // critic.stride + 1) ** 2
        places = [patches * (critic.stride // max(2, bank.scale)) ** 2 for bank in critic.banks()]
        sizes = [bank.kernels.numel() for bank in critic.banks()]
        return sum(2 * 2 * count * size for count, size in zip(places, sizes, strict=True))
    count = 0
    for layer in critic.layers:
        if isinstance(layer, nn.Conv2d):
            side = (side - layer.kernel_size[0]) // layer.stride[0] + 1
            count += 2 * 2 * side**2 * layer.weight.numel()
    return count


def _seconds(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    best = float("inf")
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - started)
    return best
