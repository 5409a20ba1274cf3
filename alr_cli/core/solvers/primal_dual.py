"""x* = arg min_{x >= 0} ||A x - y||^2 + lam sum_i |grad x|_i: total variation by a primal-dual descent

Algorithm 1 of Chambolle and Pock (2011) for the operator (A / ||A||, grad). Every step needs one A and one
A*. The gradient is the forward difference with an isotropic norm (Rudin, Osher and Fatemi 1992).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from alr_cli.core.numerics.reductions import squared_norm
from alr_cli.core.operators.protocol import LinearOperator

_GRADIENT = 8.0  # the squared norm of the forward difference
# Dual step / primal step for ||A|| = 1 and x on [0,1]: x changes by about 1 and p by the noise, which is
# less.
_BALANCE = 0.2


@dataclass(frozen=True)
class TotalVariationStep:
    """x: (B, C, H, W).  data, variation: the two terms at x without lam, (B,)."""

    x: Tensor
    data: Tensor
    variation: Tensor


def total_variation(
    operator: LinearOperator, y: Tensor, lam: float, start: Tensor, iterations: int = 200
) -> Iterator[TotalVariationStep]:
    """Yield the start and every iterate; the last one is the solution.

    Args:
        operator: A.
        y: (B, C, H', W').
        lam: The weight; positive.
        start: (B, C, H, W), non-negative.
        iterations: Number of steps.

    Raises:
        ValueError: `lam` is not positive.
    """
    if not lam > 0:
        raise ValueError(f"lam must be positive, not {lam}")
    unit = operator.norm or 1.0
    step = 0.99 / math.sqrt(1.0 + _GRADIENT)
    up, down = step * _BALANCE * unit**2, step / (_BALANCE * unit**2)
    x = ahead = start
    seen = seen_ahead = operator.forward(x)
    p = torch.zeros_like(y)
    q = torch.zeros(2, *x.shape, dtype=x.dtype, device=x.device)
    yield _measured(x, seen, y)
    for _ in range(iterations):
        # The data term is unit^2 ||A x / unit - y / unit||^2. Its dual step is that of a scaled square.
        p = (p + up * (seen_ahead - y) / unit) / (1.0 + up / (2.0 * unit**2))
        q = q + up * _differences(ahead)
        q = q / (q.square().sum(0, keepdim=True).sqrt() / lam).clamp_min(1.0)
        moved = (x - down * (operator.adjoint(p) / unit - _divergence(q))).clamp_min(0.0)
        seen_moved = operator.forward(moved)
        ahead, x = 2.0 * moved - x, moved
        seen_ahead, seen = 2.0 * seen_moved - seen, seen_moved
        yield _measured(x, seen, y)


def _measured(x: Tensor, seen: Tensor, y: Tensor) -> TotalVariationStep:
    variation = _differences(x).square().sum(0).sqrt().sum((1, 2, 3))
    return TotalVariationStep(x, squared_norm(seen - y), variation)


def _differences(x: Tensor) -> Tensor:
    """Differences to the pixels below and to the right, 0 at the border: (2, B, C, H, W)."""
    down, right = torch.zeros_like(x), torch.zeros_like(x)
    down[..., :-1, :] = x[..., 1:, :] - x[..., :-1, :]
    right[..., :-1] = x[..., 1:] - x[..., :-1]
    return torch.stack([down, right])


def _divergence(q: Tensor) -> Tensor:
    """Minus the adjoint of `_differences`."""
    down, right = q
    x = torch.zeros_like(down)
    x[..., :-1, :] += down[..., :-1, :]
    x[..., 1:, :] -= down[..., :-1, :]
    x[..., :-1] += right[..., :-1]
    x[..., 1:] -= right[..., :-1]
    return x
