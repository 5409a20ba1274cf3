"""E(x) = 1/N [ 1/C ||A x - y||^2 + lam R(x) ]    (eq. 2 and 4)

N is the number of pixels of the frame, C the number of channels, and R a sum, for instance over the patches
of x. Because both terms are divided by the same N, lam does not depend on the size of a picture or on how
much of it was observed. With the unknown extended beyond the frame (see problems.py), every pixel of the
frame lies in exactly p^2 patches, and R / N is the mean of eq. 3 up to the share of the border.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from alr_cli.core.data_terms import DataTerm, HasCurvature, SquaredError
from alr_cli.core.numerics.chunks import Piece, pictures, planes
from alr_cli.core.numerics.reductions import rms
from alr_cli.core.operators.protocol import LinearOperator
from alr_cli.core.priors.protocol import HasGradient, Regularizer

if TYPE_CHECKING:
    from alr_cli.core.problems import Problem


@dataclass(frozen=True)
class Terms:
    """The energy of each picture of a batch and its two terms, (B,): energy = data + lam * regularizer.

    `known` says whether there is an energy. If only the gradient of the regularizer is known, energy and
    regularizer are NaN, and `slope` is the root mean square of lam dR/dx in units of single pixels (see
    `Energy.unit`). It is None where the value is known or was not asked for.
    """

    energy: Tensor
    data: Tensor
    regularizer: Tensor
    known: bool = True
    slope: Tensor | None = None


def unknown(data: Tensor) -> Terms:
    """The terms of an energy of which only the data term (B,) is known."""
    nothing = torch.full_like(data, torch.nan)
    return Terms(nothing, data, nothing, known=False)


class Energy:
    """E and its gradient for a batch.

    Args:
        operator: A, from the (possibly extended) unknown to the observation.
        data: The data term at A x.
        regularizer: R.
        lam: A number or (B,).
        size: N, the number of pixels of the frame.
        free: (1 or B, 1 or C, H, W), 1 where x may move and 0 where it is held (exactly known pixels); or
            None.
        periodic: Whether x continues at its opposite side, so that R has a patch at each of its pixels.
        bounds: Smallest and largest value of x; None for no bounds.
    """

    def __init__(
        self,
        operator: LinearOperator,
        data: DataTerm,
        regularizer: Regularizer,
        lam: float | Tensor,
        size: int,
        free: Tensor | None = None,
        periodic: bool = False,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        self.operator = operator
        self.data = data
        self.regularizer = Periodic(regularizer) if periodic else regularizer
        self.lam = torch.as_tensor(lam, dtype=torch.float64)
        self.size = size
        self.free = free
        self.periodic = periodic
        self.bounds = bounds

    @classmethod
    def of(
        cls, problem: Problem, regularizer: Regularizer, lam: float | Tensor, data: DataTerm | None = None
    ) -> Energy:
        """The energy of a problem (see problems.py).

            energy = alr.Energy.of(problem, prior.at(0.03), prior.lam(0.03))
            solution = alr.solve(energy, problem.start, alr.solvers.Nmapg(iterations=150))

        Args:
            problem: The observation and how it came about.
            regularizer: R.
            lam: The weight of R, a number or (B,).
            data: The data term; None for the squared error.
        """
        data = SquaredError(problem.y) if data is None else data
        where = (problem.pixels, problem.free, problem.periodic, problem.bounds)
        return cls(problem.operator, data, regularizer, lam, *where)

    @property
    def unit(self) -> float:
        """N C / 2, the factor that converts the gradient of E to units of single pixels."""
        return self.size * self.regularizer.channels / 2

    def project(self, x: Tensor) -> None:
        """Move x, in place, into its bounds."""
        if self.bounds is not None:
            x.clamp_(*self.bounds)

    @property
    def natural_step(self) -> float:
        """1 / L with L = 2 ||A||^2 / (N C), the largest curvature of the squared error, or more for a data
        term that is steeper.

        If nothing at all is observed (A = 0), it is that of ||A|| = 1.
        """
        norm = self.operator.norm or 1.0
        steeper = self.data.curvature if isinstance(self.data, HasCurvature) else 1.0
        return self.size * self.regularizer.channels / (2.0 * norm**2 * max(steeper, 1.0))

    def value_and_grad(self, x: Tensor) -> tuple[Terms, Tensor]:
        """x: (B, C, H, W) -> (terms, dE/dx like x)."""
        value, gradient = self.regularizer.value_and_grad(x)
        slope = (
            None if value is not None else 0.5 * self.regularizer.channels * self.lam.to(x) * rms(gradient)
        )
        terms, gradient = self._with_data(x, value, gradient)
        return replace(terms, slope=slope), gradient

    def grad(self, x: Tensor) -> tuple[Terms, Tensor]:
        """Like `value_and_grad`, for callers that do not need the energy. It stays unknown if it costs
        extra."""
        if isinstance(self.regularizer, HasGradient):
            return self._with_data(x, None, self.regularizer.grad(x))
        return self.value_and_grad(x)

    def _with_data(self, x: Tensor, value: Tensor | None, gradient: Tensor) -> tuple[Terms, Tensor]:
        """The terms and the gradient of E, given R (B,), or None if it is unknown, and dR/dx like x."""
        lam = self.lam.to(x.dtype).to(x.device)  # in this order, because not every device has float64
        regularizer = x.new_full((x.shape[0],), torch.nan) if value is None else value / self.size
        if gradient.data_ptr() == x.data_ptr():  # as the gradient of ||x||^2 / 2 may be
            gradient = gradient.clone()
        gradient *= (lam / self.size).reshape(-1, 1, 1, 1)
        data = self._add_data(x, gradient)
        if self.free is not None:
            gradient *= self.free
        return Terms(data + lam * regularizer, data, regularizer, value is not None), gradient

    def misfit(self, x: Tensor) -> Tensor:
        """The data term alone, (B,)."""
        return self._add_data(x, torch.zeros_like(x))

    def add_misfit(self, x: Tensor, gradient: Tensor) -> None:
        """Add half the gradient of the data term, in units of single pixels.

        For a squared error this is A* (A x - y).
        """
        for piece in self._pieces(x):
            _, slope = self.data.value_and_grad(self.operator.forward(x[piece]), piece)
            gradient[piece].add_(self.operator.adjoint(slope), alpha=0.5)

    def _pieces(self, x: Tensor) -> Iterator[Piece]:
        """What the operator sees at once: single planes of a large picture if it treats all planes alike."""
        return planes(x) if len(self.operator.input_shape) == 2 else pictures(x)

    def _add_data(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The data term (B,). Its gradient is added to `gradient`."""
        share = 1.0 / (self.size * self.regularizer.channels)
        data = x.new_zeros(x.shape[0])
        for piece in self._pieces(x):
            misfit, slope = self.data.value_and_grad(self.operator.forward(x[piece]), piece)
            data[piece[0]] += misfit * share
            gradient[piece].add_(self.operator.adjoint(slope), alpha=share)
        return data


class Periodic:
    """R of a picture that continues at its opposite side. Each pixel then lies in exactly p^2 patches."""

    def __init__(self, regularizer: Regularizer) -> None:
        self._regularizer = regularizer
        self.channels = regularizer.channels
        self.margin = regularizer.margin

    def value_and_grad(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """x: (B, C, H, W) -> (R (B,), dR/dx like x)."""
        value, gradient = self._regularizer.value_and_grad(self._around(x))
        return value, self._folded(gradient, x)

    def grad(self, x: Tensor) -> Tensor:
        """See `protocol.HasGradient`."""
        whole, wide = self._regularizer, self._around(x)
        gradient = whole.grad(wide) if isinstance(whole, HasGradient) else whole.value_and_grad(wide)[1]
        return self._folded(gradient, x)

    def _places(self, x: Tensor) -> list[Tensor]:
        """The rows and columns of x that patches see. The first ones are repeated at the end."""
        return [torch.arange(size + self.margin, device=x.device) % size for size in x.shape[-2:]]

    def _around(self, x: Tensor) -> Tensor:
        rows, columns = self._places(x)
        return x.index_select(-2, rows).index_select(-1, columns)

    def _folded(self, wide: Tensor, x: Tensor) -> Tensor:
        """The adjoint of `_around`, with the shape of x."""
        rows, columns = self._places(x)
        tall = wide.new_zeros(*wide.shape[:-2], x.shape[-2], wide.shape[-1]).index_add_(-2, rows, wide)
        return torch.zeros_like(x).index_add_(-1, columns, tall)
