"""prox_{t f}(z) = arg min_x 1/2 ||x - z||^2 + t f(x),    f the data term of an energy, in units of single
pixels

For f = 1/2 ||A x - y||^2 the correction d = x - z solves (I + t A* A) d = -t A* (A z - y). This is done by
conjugate gradients with the preconditioner (I + t |a|^2)^-1, a multiplier in frequency that is as large as A.
It is the exact inverse for circular blurs and nearly exact for others; for a mask two steps suffice. If A A*
can be inverted, which is small for an operator that makes pictures smaller, the identity of Woodbury solves
the equation at once:

    (I + t A* A)^-1 g = g - t A* (I + t A A*)^-1 A g.

A likelihood that is not quadratic is replaced a few times by the quadratic that lies above it and touches it
(a step of expectation maximisation).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from alr_cli.core.data_terms import DataTerm, HasProximal
from alr_cli.core.numerics.reductions import squared_norm, total
from alr_cli.core.operators.gram import HasGram
from alr_cli.core.operators.protocol import LinearOperator
from alr_cli.core.solvers.base import per_picture

_STEPS, _TOL = 30, 1e-3  # of conjugate gradients; F, which is compared, includes the remaining error


class Fits(Protocol):
    """An objective with a data term. See `energy.Energy`.

    Attributes:
        free: 1 where x may move; None for everywhere.
        data: The data term. If its proximal map is known, A is the identity on what was observed, or shows
            the frame.
    """

    @property
    def operator(self) -> LinearOperator: ...
    @property
    def free(self) -> Tensor | None: ...
    @property
    def data(self) -> DataTerm: ...

    def add_misfit(self, x: Tensor, gradient: Tensor) -> None:
        """Add the gradient of f, which is A* (A x - y) for a squared error."""
        ...


def prox(
    objective: Fits, z: Tensor, step: Tensor, rounds: int = 1, steps: int = _STEPS, tol: float = _TOL
) -> Tensor:
    """The proximal map of the data term. Held pixels keep the values of z.

    Args:
        objective: Its data term is f.
        z: (B, C, H, W).
        step: t, (B,), positive.
        rounds: How often the likelihood is replaced by a quadratic; 1 if it is one.
        steps: Largest number of steps of conjugate gradients.
        tol: Residual of conjugate gradients, relative to the right-hand side. A data term that knows its
            proximal map receives it.

    Returns:
        x, with the shape of z.
    """
    if isinstance(objective.data, HasProximal):
        return _of_observed(objective, objective.data, z, step, tol)
    if objective.free is not None:
        return z  # known pixels have their values and determine nothing about the others
    t, operator = per_picture(step), objective.operator
    solve_gram = operator.solve_gram if isinstance(operator, HasGram) else None
    power = operator.power((z.shape[-2], z.shape[-1]))
    share = math.prod(operator.output_shape[-2:]) / math.prod(operator.input_shape[-2:])  # that A* A keeps
    scale = 1 / (1 + t * share * power.to(z)) if isinstance(power, Tensor) else None

    def normal(x: Tensor) -> Tensor:
        return x + t * operator.adjoint(operator.forward(x))

    def solved(right: Tensor) -> Tensor:
        if solve_gram is None:
            return _solved(normal, right, scale, steps, tol)
        return right - t * operator.adjoint(solve_gram(operator.forward(right), step))

    x = z
    for _ in range(rounds):
        slope = torch.zeros_like(x)
        objective.add_misfit(x, slope)
        x = x + solved(z - x - t * slope)
    return x


def _of_observed(objective: Fits, data: HasProximal, z: Tensor, step: Tensor, tol: float) -> Tensor:
    """The proximal map of a data term for pixels that are all observed, or all of the frame. Those beyond
    it keep the values of z."""
    operator = objective.operator
    if operator.input_shape == operator.output_shape:
        return data.proximal(z, step, tol)
    seen = operator.forward(z)
    return z + operator.adjoint(data.proximal(seen, step, tol) - seen)


def smooth(objective: Fits, x: Tensor, mu: float, steps: int = _STEPS) -> Tensor:
    """arg min f(x) + mu / 2 ||grad x||^2, approximately.

    It is a start that continues beyond the frame as the observation requires. The iteration begins at x, (B,
    C, H, W).
    """
    operator = objective.operator

    def normal(x: Tensor) -> Tensor:
        return operator.adjoint(operator.forward(x)) + mu * _laplacian(x)

    slope = torch.zeros_like(x)
    objective.add_misfit(x, slope)
    return x + _solved(normal, -slope - mu * _laplacian(x), None, steps, _TOL)


def _solved(
    normal: Callable[[Tensor], Tensor], right: Tensor, scale: Tensor | None, steps: int, tol: float
) -> Tensor:
    """d with normal(d) = right, by conjugate gradients with the preconditioner `scale` in frequency."""
    x, residual = torch.zeros_like(right), right
    enough = tol**2 * squared_norm(right)
    ahead = direction = _scaled(residual, scale)
    product = total(residual * ahead)
    for _ in range(steps):
        if bool((squared_norm(residual) <= enough).all()):
            break
        image = normal(direction)
        length = per_picture(product / total(direction * image).clamp_min(1e-30))
        x = x + length * direction
        residual = residual - length * image
        ahead = _scaled(residual, scale)
        product, before = total(residual * ahead), product
        direction = ahead + per_picture(product / before.clamp_min(1e-30)) * direction
    return x


def _scaled(x: Tensor, scale: Tensor | None) -> Tensor:
    if scale is None:
        return x
    scaled: Tensor = torch.fft.irfft2(torch.fft.rfft2(x) * scale, s=x.shape[-2:])
    return scaled


def _laplacian(x: Tensor) -> Tensor:
    """The gradient of 1/2 ||grad x||^2: minus the sum of the differences to the neighbours inside the
    frame."""
    result = torch.zeros_like(x)
    for axis in (-1, -2):
        steps = x.diff(dim=axis)
        result.narrow(axis, 1, steps.shape[axis]).add_(steps)
        result.narrow(axis, 0, steps.shape[axis]).sub_(steps)
    return result
