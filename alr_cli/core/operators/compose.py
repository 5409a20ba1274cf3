"""A x = B(C x): one operator after another, for instance a mask after a blur"""

from __future__ import annotations

from functools import cached_property

from torch import Tensor

from alr_cli.core.operators.convolution import Convolution
from alr_cli.core.operators.gram import GramSolver, HasGram
from alr_cli.core.operators.norm import largest_singular_value
from alr_cli.core.operators.pixels import Crop, Identity
from alr_cli.core.operators.protocol import LinearOperator, Shape


class Compose:
    """A x = outer(inner(x)), so that A* y = inner*(outer*(y)); for instance a mask after a blur."""

    def __init__(self, outer: LinearOperator, inner: LinearOperator) -> None:
        if outer.input_shape != inner.output_shape:
            raise ValueError(
                f"the inner operator gives {inner.output_shape}, the outer takes {outer.input_shape}"
            )
        self.outer, self.inner = outer, inner
        self.input_shape, self.output_shape = inner.input_shape, outer.output_shape

    def forward(self, x: Tensor) -> Tensor:
        return self.outer.forward(self.inner.forward(x))

    def adjoint(self, y: Tensor) -> Tensor:
        return self.inner.adjoint(self.outer.adjoint(y))

    def power(self, shape: Shape) -> Tensor | float | None:
        """None unless the inner operator is a convolution or a crop: for others the product is not a
        bound."""
        outer, inner = self.outer.power(shape), self.inner.power(shape)
        if isinstance(outer, Tensor) and not isinstance(self.inner, Identity | Crop | Convolution):
            return None
        return None if outer is None or inner is None else outer * inner

    @property
    def solve_gram(self) -> GramSolver | None:
        """See `gram.HasGram`. The product of a crop and its adjoint is the identity."""
        outer, crops = self.outer, isinstance(self.inner, Identity | Crop)
        return outer.solve_gram if crops and isinstance(outer, HasGram) else None

    @cached_property
    def norm(self) -> float:
        return largest_singular_value(self)
