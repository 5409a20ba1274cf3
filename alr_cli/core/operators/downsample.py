"""A x = R x C^T: pictures reduced row by row and column by column, with the exact adjoint A* y = R^T y C

Each row of R and C holds the few weights of one pixel of the reduced picture. They are those of a kernel that
is stretched by the scale, so that detail that the reduced picture cannot show is averaged away (Keys 1981; as
in MATLAB's imresize and in published super-resolution). Beyond the frame the picture is mirrored, with its
outermost pixel repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from alr_cli.core.operators.gram import GramSolver, SeparableGram
from alr_cli.core.operators.norm import largest_singular_value
from alr_cli.core.operators.protocol import LinearOperator, Shape
from alr_cli.errors import UsageError

# the parameter a of the bicubic kernel: that of MATLAB and Pillow, and that of OpenCV
LITERATURE, SHARPER = -0.5, -0.75


class Smaller(LinearOperator, Protocol):
    """An operator that makes pictures smaller.

    `kernel` is (h, w), the blur that is applied before pixels are dropped.
    """

    @property
    def kernel(self) -> NDArray[np.float64]: ...


@dataclass(frozen=True)
class Taps:
    """One of the two matrices, stored by rows.

    Attributes:
        columns: (n', k) column numbers of the weights of each row.
        weights: (n', k).
        size: Number of columns n.
    """

    columns: Tensor
    weights: Tensor
    size: int

    def forward(self, x: Tensor, axis: int) -> Tensor:
        """The matrix times x along `axis`, which is negative."""
        shape = [1] * x.dim()
        shape[axis] = -1
        parts = zip(self.columns.to(x.device).T, self.weights.to(x).T, strict=True)
        return sum((x.index_select(axis, c) * w.reshape(shape) for c, w in parts), x.new_zeros(()))

    def adjoint(self, y: Tensor, axis: int) -> Tensor:
        """The transposed matrix times y along `axis`."""
        shape = [1] * y.dim()
        shape[axis] = -1
        longer = list(y.shape)
        longer[axis] = self.size
        x = y.new_zeros(longer)
        for columns, weights in zip(self.columns.to(y.device).T, self.weights.to(y).T, strict=True):
            x.index_add_(axis, columns, y * weights.reshape(shape))
        return x

    @property
    def gram(self) -> Tensor:
        """The matrix times its transpose, (n', n') in float64."""
        rows = np.arange(len(self.columns)).repeat(self.columns.shape[1])
        entries = (self.weights.double().numpy().ravel(), (rows, self.columns.numpy().ravel()))
        matrix = sparse.csr_array(sparse.coo_array(entries, shape=(len(self.columns), self.size)))
        return torch.from_numpy((matrix @ matrix.T).toarray())

    @property
    def middle(self) -> Tensor:
        """The weights of the middle row, (k,)."""
        return self.weights[len(self.weights) // 2]

    def power(self, size: int) -> Tensor:
        """|h^|^2 on a circle of `size` pixels, where h is the kernel of the middle row: (size,)."""
        spread = torch.zeros(size, dtype=torch.float64)
        spread.index_add_(0, torch.arange(len(self.middle)) % size, self.middle)
        power: Tensor = torch.fft.fft(spread).abs().square()
        return power


class Resize:
    """A x: a picture made smaller by a whole factor with a separable kernel.

    Args:
        shape: (H, W) of x.
        scale: The factor.
        kernel: The kernel as a function of the distance in pixels of the smaller picture.
        width: The distance from which on the kernel is zero.

    Raises:
        UsageError: The scale is not possible.
    """

    def __init__(
        self,
        shape: Shape,
        scale: int,
        kernel: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        width: float,
    ) -> None:
        if scale < 1:
            raise UsageError(f"the scale must be at least 1, not {scale}")
        if min(shape) < scale:
            raise UsageError(f"a picture of {shape[0]} x {shape[1]} cannot be made {scale} times smaller")
        self.input_shape = shape
        self.output_shape = (-(-shape[0] // scale), -(-shape[1] // scale))
        self._rows, self._columns = (_taps(size, scale, kernel, width) for size in shape)

    def forward(self, x: Tensor) -> Tensor:
        return self._columns.forward(self._rows.forward(x, -2), -1)

    def adjoint(self, y: Tensor) -> Tensor:
        return self._rows.adjoint(self._columns.adjoint(y, -1), -2)

    @property
    def kernel(self) -> NDArray[np.float64]:
        """The kernel of a pixel in the middle, (h, w)."""
        return np.outer(self._rows.middle.numpy(), self._columns.middle.numpy())

    def power(self, shape: Shape) -> Tensor:
        """The power of the blur alone. Dropping pixels can only reduce it."""
        rows, columns = (
            taps.power(size) for taps, size in zip((self._rows, self._columns), shape, strict=True)
        )
        return rows[:, None] * columns[: shape[1] // 2 + 1]

    @cached_property
    def solve_gram(self) -> GramSolver:
        """See `gram.HasGram`."""
        return SeparableGram.of(self._rows.gram, self._columns.gram)

    @cached_property
    def norm(self) -> float:
        return largest_singular_value(self)


def bicubic(shape: Shape, scale: int, a: float = LITERATURE) -> Resize:
    """Reduce by Keys' cubic convolution with antialiasing."""

    def kernel(t: NDArray[np.float64]) -> NDArray[np.float64]:
        t = np.abs(t)
        near = (a + 2) * t**3 - (a + 3) * t**2 + 1
        far = a * (t**3 - 5 * t**2 + 8 * t - 4)
        return np.where(t <= 1, near, np.where(t < 2, far, 0.0))

    return Resize(shape, scale, kernel, 2.0)


def box(shape: Shape, scale: int) -> Resize:
    """Reduce by averaging scale x scale pixels."""
    return Resize(shape, scale, lambda t: (np.abs(t) < 0.5).astype(np.float64), 0.5)


def _taps(
    size: int, scale: int, kernel: Callable[[NDArray[np.float64]], NDArray[np.float64]], width: float
) -> Taps:
    centres = (np.arange(-(-size // scale)) + 0.5) * scale - 0.5
    first = np.floor(centres - width * scale).astype(int) + 1
    columns = first[:, None] + np.arange(math.ceil(2 * width * scale))
    weights = kernel((columns - centres[:, None]) / scale)
    weights /= weights.sum(1, keepdims=True)
    mirrored = columns % (2 * size)
    mirrored = np.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    return Taps(torch.from_numpy(mirrored), torch.from_numpy(weights), size)
