"""E(z) = 1/N [ 1/C ||A f^-1(z) - y||^2 + lam ||z||^2 ], x* = f^-1(z*)    (Oberlin and Verm 2021, eq. 3)

In the usual energy ("analysis", their eq. 4), the unknown is the picture. Here it is a latent, so that the
solution is always a picture that the prior can generate.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from alr_cli.core.data_terms import DataTerm
from alr_cli.core.energy import Terms
from alr_cli.core.operators.protocol import LinearOperator


@runtime_checkable
class HasLatents(Protocol):
    """A regularizer whose prior generates a picture from a latent, which is N(0, I) for pictures of its kind.

    `size` is the side of the pictures in pixels.
    """

    @property
    def channels(self) -> int: ...
    @property
    def size(self) -> int: ...

    def latent(self, x: Tensor) -> Tensor:
        """f: (B, C, H, W) -> (B, D)."""
        ...

    def picture(self, z: Tensor) -> Tensor:
        """f^-1, differentiable: (B, D) -> (B, C, H, W)."""
        ...


class Synthesis:
    """E(z) and its gradient for a batch: an `Objective`.

    Args:
        operator: A.
        data: The data term at A x.
        regularizer: The prior with its f.
        lam: As in `Energy`.
        pixels: N, the number of pixels of the frame.
    """

    def __init__(
        self,
        operator: LinearOperator,
        data: DataTerm,
        regularizer: HasLatents,
        lam: float,
        pixels: int,
    ) -> None:
        self.operator = operator
        self.data = data
        self.regularizer = regularizer
        self.lam = lam
        self.size = float(pixels)

    @property
    def natural_step(self) -> float:
        """The step for lam ||z||^2 / N alone, because the curvature that f gives to the data term is not
        known."""
        return self.size / (2 * self.lam) if self.lam > 0 else self.size

    def value_and_grad(self, z: Tensor) -> tuple[Terms, Tensor]:
        """z: (B, D) -> (terms, dE/dz like z)."""
        leaf = z.detach().requires_grad_(True)
        with torch.enable_grad():
            x = self.regularizer.picture(leaf)
        misfit, slope = self.data.value_and_grad(self.operator.forward(x.detach()))
        share = 1.0 / (self.size * self.regularizer.channels)
        (gradient,) = torch.autograd.grad(x, leaf, self.operator.adjoint(slope) * share)
        data, norm = misfit * share, z.square().sum(dim=1) / self.size
        return Terms(data + self.lam * norm, data, norm), gradient + (2 * self.lam / self.size) * z

    def project(self, z: Tensor) -> None:
        """Latents are not bounded."""
