"""E(x) = 1/N [ 1/C ||A x - y||^2 + lam sum_i r_theta(x_i) ]    (eq. 2 and 4)

N counts the pixels of the frame, C the channels. Dividing both terms by the same N makes lam independent
of the size of the picture and of how much of it was observed. With the unknown extended beyond the frame
(see `extended`) every pixel of the frame lies in exactly p^2 patches and sum_i / N is eq. 3's mean up to
the border's share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from alr_cli.core.numerics.chunks import WHOLE, Piece, planes
from alr_cli.core.numerics.reductions import squared_norm
from alr_cli.core.operators.linear import LinearOperator
from alr_cli.core.priors.local import Periodic, Regularizer


class DataTerm(Protocol):
    """A negative log-likelihood, up to scale, of the observation given z = A x."""

    def value_and_grad(self, z: Tensor, piece: Piece = WHOLE) -> tuple[Tensor, Tensor]:
        """z: that piece of (B, C, H, W) -> (sum over its pixels and channels, of each picture; gradient like
        z)."""
        ...


@dataclass(frozen=True)
class SquaredError:
    """||z - y||^2 summed per picture: Gaussian noise of one known level."""

    y: Tensor

    def value_and_grad(self, z: Tensor, piece: Piece = WHOLE) -> tuple[Tensor, Tensor]:
        difference = z - self.y[piece]
        return squared_norm(difference), difference.mul_(2.0)


@dataclass(frozen=True)
class Terms:
    """The energy of each picture of a batch and its two terms, (B,): energy = data + lam * regularizer."""

    energy: Tensor
    data: Tensor
    regularizer: Tensor


class Energy:
    """E and its gradient for a batch.

    operator: A, from the (possibly extended) unknown to the observation.  data: the data term at A x.
    regularizer: R.  lam: a number or (B,).  pixels: N, those of the frame.
    free: (1 or B, 1 or C, H, W), 1 where x may move, or None; elsewhere x is held (exactly known pixels).
    periodic: x goes on at its opposite side, and R has a patch at each pixel of it.
    """

    def __init__(
        self,
        operator: LinearOperator,
        data: DataTerm,
        regularizer: Regularizer,
        lam: float | Tensor,
        pixels: int,
        free: Tensor | None = None,
        periodic: bool = False,
    ) -> None:
        self.operator = operator
        self.data = data
        self.regularizer = Periodic(regularizer) if periodic else regularizer
        self.lam = torch.as_tensor(lam, dtype=torch.float64)
        self.pixels = pixels
        self.free = free
        self.periodic = periodic

    @property
    def natural_step(self) -> float:
        """1 / L with L = 2 ||A||^2 / (N C), the largest curvature of the squared error.

        Where nothing at all is observed (A = 0) it is that of ||A|| = 1.
        """
        norm = self.operator.norm or 1.0
        return self.pixels * self.regularizer.channels / (2.0 * norm**2)

    def value_and_grad(self, x: Tensor) -> tuple[Terms, Tensor]:
        """x: (B, C, H, W) -> (terms, dE/dx like x)."""
        lam = self.lam.to(x.dtype).to(x.device)  # in this order: not every device has float64
        mean_score, gradient = self.regularizer.value_and_grad(x)
        halo = 0 if self.periodic else self.regularizer.patch - 1
        patches_per_pixel = (x.shape[-2] - halo) * (x.shape[-1] - halo) / self.pixels
        regularizer = mean_score * patches_per_pixel
        gradient *= (lam * patches_per_pixel).reshape(-1, 1, 1, 1)
        data = self._add_data(x, gradient)
        if self.free is not None:
            gradient *= self.free
        return Terms(data + lam * regularizer, data, regularizer), gradient

    def add_misfit(self, x: Tensor, gradient: Tensor) -> None:
        """Add the gradient of half of the data term, in units of single pixels: A* (A x - y) for a squared
        error."""
        for piece in planes(x):
            _, slope = self.data.value_and_grad(self.operator.forward(x[piece]), piece)
            gradient[piece].add_(self.operator.adjoint(slope), alpha=0.5)

    def _add_data(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The data term (B,); its gradient is added to `gradient`."""
        share = 1.0 / (self.pixels * self.regularizer.channels)
        data = x.new_zeros(x.shape[0])
        for piece in planes(x):
            misfit, slope = self.data.value_and_grad(self.operator.forward(x[piece]), piece)
            data[piece[0]] += misfit * share
            gradient[piece].add_(self.operator.adjoint(slope), alpha=share)
        return data
