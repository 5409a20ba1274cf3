"""(I + t A A*)^-1 for A x = R x C^T, from the eigenvectors of R R^T = U diag(a) U^T and C C^T = V diag(b) V^T

A A* is the Kronecker product of the two small matrices, so that

    (I + t A A*)^-1 y = U [ (U^T y V) / (1 + t a b^T) ] V^T.

The proximal map of 1/2 ||A x - y||^2 follows from it by the identity of Woodbury, see proximal.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

# (I + t A A*)^-1 y for y (B, C, H', W') and t (B,)
GramSolver = Callable[[Tensor, Tensor], Tensor]


@runtime_checkable
class HasGram(Protocol):
    """An operator that may know how to invert I + t A A*; None if it does not."""

    @property
    def solve_gram(self) -> GramSolver | None: ...


@dataclass(frozen=True)
class SeparableGram:
    """The eigenvalues and eigenvectors of R R^T and of C C^T, in float64.

    `SeparableGram.of` takes the two matrices, (H', H') and (W', W').
    """

    values: tuple[Tensor, Tensor]
    vectors: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, rows: Tensor, columns: Tensor) -> SeparableGram:
        (a, u), (b, v) = torch.linalg.eigh(rows), torch.linalg.eigh(columns)
        return cls((a, b), (u, v))

    def __call__(self, y: Tensor, t: Tensor) -> Tensor:
        (a, b), (u, v) = ([part.to(y) for part in parts] for parts in (self.values, self.vectors))
        spread = 1 + t.to(y).reshape(-1, 1, 1, 1) * torch.outer(a, b)
        return u @ ((u.T @ y @ v) / spread) @ v.T
