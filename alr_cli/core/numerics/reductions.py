"""sum over all dimensions but the first, in double precision: the same float32 bits for any number of
threads"""

import torch
from torch import Tensor

from alr_cli.core.numerics.chunks import bands


def total(values: Tensor) -> Tensor:
    """(B, ...) -> (B,) in the precision of `values`.

    A float32 sum depends on how it is split among threads. An energy with this property would steer a line
    search differently on different machines.
    """
    wide = _wide(values)
    return _added(
        [values[band].sum(dim=tuple(range(1, values.dim())), dtype=wide) for band in bands(values)], values
    )


def squared_norm(values: Tensor) -> Tensor:
    """||x||^2 of each picture of a batch, (B, ...) -> (B,), summed as in `total`."""
    wide = _wide(values)
    return _added(
        [values[band].square().sum(dim=tuple(range(1, values.dim())), dtype=wide) for band in bands(values)],
        values,
    )


def rms(values: Tensor) -> Tensor:
    """Root mean square of each picture of a batch, (B, ...) -> (B,)."""
    return (squared_norm(values) / values[0].numel()).sqrt()


def _wide(values: Tensor) -> torch.dtype:
    return values.dtype if values.device.type == "mps" else torch.float64  # mps has no float64


def _added(parts: list[Tensor], like: Tensor) -> Tensor:
    return torch.stack(parts).sum(dim=0).to(like.dtype)
