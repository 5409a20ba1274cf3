"""prox_{t f}(z) = arg min_x 1/2 ||x - z||^2 + t f(x)    for    f(x) = 1/2 ||A x - y||^2

Closed forms where A is the identity, a mask, or a convolution that goes on at the opposite side; otherwise
conjugate gradients on (I + t A* A) x = z + t A* y, which converge quickly because nothing here is nearly
singular. The last one holds what is known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alr_cli.core.numerics.reductions import squared_norm
from alr_cli.core.operators.linear import LinearOperator
from alr_cli.core.solvers.base import per_picture


class Proximable(Protocol):
    """A data term with a proximal map."""

    def value(self, x: Tensor) -> Tensor:
        """f, (B,) for x (B, C, H, W)."""
        ...

    def prox(self, z: Tensor, step: Tensor) -> Tensor:
        """z: (B, C, H, W).  step: t (B,), positive. Like z."""
        ...


@dataclass(frozen=True)
class Observed:
    """A = identity, or a mask (broadcast to y) of ones and zeros: f = 1/2 ||m (x - y)||^2."""

    y: Tensor
    mask: Tensor | float = 1.0

    def value(self, x: Tensor) -> Tensor:
        return 0.5 * squared_norm(self.mask * (x - self.y))

    def prox(self, z: Tensor, step: Tensor) -> Tensor:
        weight = per_picture(step) * self.mask
        return (z + weight * self.y) / (1.0 + weight)


@dataclass(frozen=True)
class Held:
    """f = 0 where x is y at all pixels of the mask, and infinite elsewhere: what is known is put back."""

    y: Tensor
    mask: Tensor

    def value(self, x: Tensor) -> Tensor:
        return x.new_zeros(x.shape[0])

    def prox(self, z: Tensor, step: Tensor) -> Tensor:
        return torch.where(self.mask > 0, self.y, z)


class CircularBlur:
    """A = circular convolution with an odd kernel, followed by every s-th pixel from the first on (s = 1:
    by all).

    With a = t |k^|^2 and its mean over the s^2 frequencies that the decimation confuses, Woodbury's
    identity makes (I + t A* A)^-1 diagonal there (Zhao et al. 2016). y: (B, C, H / s, W / s).
    """

    def __init__(self, y: Tensor, kernel: NDArray[np.float64], scale: int = 1) -> None:
        self.y, self.scale = y, scale
        height, width = (side * scale for side in y.shape[-2:])
        placed = torch.zeros(height, width, dtype=torch.float64)
        rows, columns = kernel.shape
        placed[:rows, :columns] = torch.from_numpy(kernel)
        placed = placed.roll((-(rows // 2), -(columns // 2)), (0, 1))
        transform = torch.fft.fft2(placed)
        self._transform = transform.to(y.dtype.to_complex()).to(y.device)
        self._back = self._adjoint(y)

    def forward(self, x: Tensor) -> Tensor:
        blurred: Tensor = torch.fft.ifft2(torch.fft.fft2(x) * self._transform).real
        return blurred[..., :: self.scale, :: self.scale]

    def _adjoint(self, y: Tensor) -> Tensor:
        placed = y.new_zeros(*y.shape[:-2], *self._transform.shape)
        placed[..., :: self.scale, :: self.scale] = y
        adjoint: Tensor = torch.fft.ifft2(torch.fft.fft2(placed) * self._transform.conj()).real
        return adjoint

    def value(self, x: Tensor) -> Tensor:
        return 0.5 * squared_norm(self.forward(x) - self.y)

    def prox(self, z: Tensor, step: Tensor) -> Tensor:
        t = per_picture(step)
        right = torch.fft.fft2(z + t * self._back)
        s, (height, width) = self.scale, self.y.shape[-2:]
        folded = (*right.shape[:-2], s, height, s, width)  # frequencies that are confused: the axes of s
        alike = (self._transform * right).reshape(folded).mean((-4, -2), keepdim=True)
        power = self._transform.abs().square().reshape(1, 1, s, height, s, width).mean((-4, -2), keepdim=True)
        share = (t[..., None, None] * alike / (1.0 + t[..., None, None] * power)).expand(folded)
        solved: Tensor = torch.fft.ifft2(right - self._transform.conj() * share.reshape(right.shape)).real
        return solved


@dataclass(frozen=True)
class LeastSquares:
    """Any A, by conjugate gradients from z, until each picture's residual is `tol` of the right side or for
    `steps`."""

    operator: LinearOperator
    y: Tensor
    steps: int = 50
    tol: float = 1e-6

    def value(self, x: Tensor) -> Tensor:
        return 0.5 * squared_norm(self.operator.forward(x) - self.y)

    def prox(self, z: Tensor, step: Tensor) -> Tensor:
        t = per_picture(step)

        def normal(x: Tensor) -> Tensor:
            return x + t * self.operator.adjoint(self.operator.forward(x))

        right = z + t * self.operator.adjoint(self.y)
        x = z.clone()
        residual = right - normal(x)
        direction = residual.clone()
        left, enough = squared_norm(residual), self.tol**2 * squared_norm(right)
        for _ in range(self.steps):
            if bool((left <= enough).all()):
                break
            image = normal(direction)
            length = per_picture(left / (direction * image).flatten(1).sum(1).clamp_min(1e-30))
            x = x + length * direction
            residual = residual - length * image
            left, before = squared_norm(residual), left
            direction = residual + per_picture(left / before.clamp_min(1e-30)) * direction
        return x
