"""Our priors in deepinv's optimisers, and deepinv's operators in our solvers. Needs the package deepinv.

import alr_cli.deepinv as bridge

prior = bridge.Prior(alr.load("color-tuned"))           # for deepinv.optim: g_param is the noise level
operator = bridge.Operator(physics, (height, width))    # for alr.problems.Problem and alr.Energy
"""

from __future__ import annotations

import torch
from deepinv.optim import Prior as DeepinvPrior
from deepinv.physics import LinearPhysics
from torch import Tensor

from alr_cli.core.priors.protocol import Arithmetic, Regularizer
from alr_cli.core.priors.protocol import Prior as OurPrior


class Prior(DeepinvPrior):  # type: ignore[misc] # deepinv has no types
    """One of our priors as a deepinv `Prior`. Its gradient needs no automatic differentiation.

    deepinv's unknown is the picture alone, so R sees only patches inside the frame. R is divided by `size`.
    This makes deepinv's lambda equal to ours if its data term is divided by the same number. With 1, R stays
    a sum.
    """

    def __init__(self, prior: OurPrior, size: float = 1.0, arithmetic: Arithmetic = Arithmetic()) -> None:  # noqa: B008 - immutable
        super().__init__()
        self.explicit_prior = True
        self._prior, self._size, self._arithmetic = prior, size, arithmetic
        self._at: dict[float, Regularizer] = {}

    def fn(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """R(x) at this noise level, (B,). It is NaN for a prior that has only a gradient."""
        value, _ = self._regularizer(sigma).value_and_grad(x)
        return x.new_full((len(x),), torch.nan) if value is None else value / self._size

    def grad(self, x: Tensor, sigma: float | Tensor) -> Tensor:
        """dR/dx, with the shape of x (B, C, H, W)."""
        return self._regularizer(sigma).value_and_grad(x)[1] / self._size

    def _regularizer(self, sigma: float | Tensor) -> Regularizer:
        level = float(torch.as_tensor(sigma).flatten()[0])
        if level not in self._at:
            self._at[level] = self._prior.at(level, self._arithmetic)
        return self._at[level]


class Operator:
    """A linear physics of deepinv as a `LinearOperator` for pictures of one size.

    Its norm ||A|| is found by deepinv's power iteration.

    Args:
        physics: Must have A and A_adjoint that keep the dtype.
        shape: (H, W) of the pictures.
        channels: Number of their channels.
    """

    def __init__(self, physics: LinearPhysics, shape: tuple[int, int], channels: int = 3) -> None:
        self._physics = physics
        x = torch.rand(1, channels, *shape, generator=torch.Generator().manual_seed(0))
        self.input_shape: tuple[int, ...] = (channels, *shape)
        self.output_shape: tuple[int, ...] = tuple(physics.A(x).shape[1:])
        self.norm = float(physics.compute_sqnorm(x, verbose=False)) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self._physics.A(x)
        return y

    def adjoint(self, y: Tensor) -> Tensor:
        x: Tensor = self._physics.A_adjoint(y)
        return x

    def power(self, shape: tuple[int, ...]) -> None:
        """None: deepinv does not say whether the operator is diagonal in frequency."""
        return
