"""R(x) = sum_i r_theta(x_i), the scores of all p x p patches of x    (eq. 3, times the number of patches)

R is a sum over patches, so that its gradient can be gathered tile by tile. A block of patches affects only
the block and a halo of p - 1 pixels, and the gradients of the blocks add up. Tiling bounds the memory and is
exact. A network of stride s scores every s-th patch. There are s^2 such grids, and R is s^2 times their mean.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol, Self

import torch
from torch import Tensor, nn

from alr_cli.core.numerics.chunks import parts
from alr_cli.core.priors.glimpses import Turning
from alr_cli.core.priors.protocol import Arithmetic, LambdaOfSigma, Regularizer

if TYPE_CHECKING:
    from alr_cli.core.priors.preconditioner import Circulant
    from alr_cli.core.problems import Problem


_CELL = 64, 512  # pixels down and across that are summed together on a CPU
_MAPS_PER_LAYER = 4  # kept for the gradient: a layer's output, its activation, and the gradients of both
_CACHED_BYTES = 5_000_000  # bytes of one feature map that fit into the cache; see docs/performance.md


class LocalArchitecture(Protocol):
    """A local network as data.

    Attributes:
        channels: Channels of the pictures.
        patch: p, side of a patch.
        stride: s, distance between patches.
        depth: Number of layers.
        width: Number of feature channels.
    """

    @property
    def channels(self) -> int: ...
    @property
    def patch(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def width(self) -> int: ...
    def as_dict(self) -> dict[str, Any]: ...


class SumAndGrad(Protocol):
    """The sum of a network's scores of x (B, C, H, W), (B,), and its gradient, with the shape of x.

    It processes blocks of `wide` pixels of each row. `valued` says whether the sum is needed; otherwise it
    may be any number.
    """

    def __call__(self, x: Tensor, wide: int, valued: bool = True) -> tuple[Tensor, Tensor]: ...


class LocalNetwork(nn.Module):
    """r_theta: pictures (B, C, H, W) -> the scores of the patches on one grid, (B, 1, rows, columns).

    `sides` is 8 if the network is shown pictures in all orientations in turn (see glimpses.py), else 1.
    """

    sides: int = 1
    architecture: LocalArchitecture

    @property
    def patch(self) -> int:
        return self.architecture.patch

    @property
    def stride(self) -> int:
        return self.architecture.stride

    def at(self, sigma: float) -> Self:
        """The network for noise of this level."""
        raise NotImplementedError

    def turned(self, side: int) -> Self:
        """The network that gives a picture the scores that this one gives to the picture in another
        orientation."""
        raise NotImplementedError

    def summed(self, precision: torch.dtype) -> SumAndGrad:
        """A function from x (B, C, H, W) and w to the sum of the scores (B,) and its gradient.

        It processes blocks of w pixels of each row.
        """
        raise NotImplementedError

    def preconditioner(self, problem: Problem, lam: float) -> Circulant | None:
        """See `protocol.HasPreconditioner`. None if it is not known."""
        return None

    def operations(self, side: int) -> int:
        """Multiplications and additions of the convolutions for side x side pixels, forward and backward.

        They count one grid of patches.
        """
        raise NotImplementedError


class LocalRegularizer:
    """The sum of a network's scores over all patches (eq. 3), with its gradient.

    Args:
        network: The network.
        tile: Side in pixels of a square whose patches are scored at once; 0 for the whole picture. It never
            changes the result beyond rounding.
        precision: bfloat16 runs the convolutions in bfloat16 if the processor has it. Sums stay in float32.
    """

    def __init__(self, network: LocalNetwork, tile: int = 0, precision: torch.dtype = torch.float32) -> None:
        if tile < 0:
            raise ValueError(f"tile must be 0 (off) or positive, not {tile}")
        self.network = network.eval().requires_grad_(False)
        self._summed = network.summed(precision)
        self.channels = network.architecture.channels
        self.patch = network.patch
        self.margin = network.patch - 1
        self.stride = network.stride
        self.tile = tile
        self.precision = precision

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, H, W), H and W at least p -> (R (B,), dR/dx like x). Convolutions have the chosen
        precision."""
        return self._value_and_grad(x, valued=True)

    def grad(self, x: Tensor) -> Tensor:
        """See `protocol.HasGradient`."""
        return self._value_and_grad(x, valued=False)[1]

    def _value_and_grad(self, x: Tensor, valued: bool) -> tuple[Tensor, Tensor]:
        value = x.new_zeros(x.shape[0])
        gradient = torch.zeros_like(x)
        for row, column in self._grids(x):
            value += self._add_grid(x[..., row:, column:], gradient[..., row:, column:], valued)
        return value, gradient

    def on_grid(self, x: Tensor, row: int = 0, column: int = 0, valued: bool = True) -> tuple[Tensor, Tensor]:
        """An estimate of R from every s-th patch alone, starting at (row, column). It costs 1/s^2 of R.

        `valued` says whether R is needed and not only its gradient. If not, the first result is meaningless.
        """
        gradient = torch.zeros_like(x)
        part = x[..., row:, column:]
        value = self._add_grid(part, gradient[..., row:, column:], valued)
        share = math.prod(size - self.margin for size in x.shape[-2:]) / math.prod(self._patches(part))
        return value * share, gradient.mul_(share)

    def of(self, network: LocalNetwork) -> LocalRegularizer:
        """The same regularizer with another network."""
        return LocalRegularizer(network, self.tile, self.precision)

    def glimpses(self, frame: tuple[int, int] | None = None) -> Regularizer:
        """See `protocol.HasGlimpses`.

        A tiny periodic picture may contain a patch on one grid and none on the next. All its grids are seen
        at once.
        """
        return self if frame is not None and min(frame) < self.stride else Turning(self)

    def preconditioner(self, problem: Problem, lam: float) -> Circulant | None:
        """See `protocol.HasPreconditioner`."""
        return self.network.preconditioner(problem, lam)

    def scores(self, x: Tensor) -> Tensor:
        """The map of r over the picture: (B, C, H, W) -> (B, H - p + 1, W - p + 1)."""
        scores = x.new_empty(x.shape[0], x.shape[-2] - self.margin, x.shape[-1] - self.margin)
        with torch.no_grad():
            for row, column in self._grids(x):
                part = scores[:, row :: self.stride, column :: self.stride]
                for (rows, columns), block in self._blocks(x[..., row:, column:]):
                    part[:, rows, columns] = self.network(block)[:, 0]
        return scores

    def _grids(self, x: Tensor) -> Iterator[tuple[int, int]]:
        """The first pixels of the s^2 grids of patches that x contains."""
        height, width = (max(1, size - self.margin) for size in x.shape[-2:])
        yield from product(range(min(self.stride, height)), range(min(self.stride, width)))

    def _patches(self, x: Tensor) -> tuple[int, int]:
        """Rows and columns of one grid of patches. Raises ValueError if there are none."""
        if min(x.shape[-2:]) < self.patch:
            raise ValueError(
                f"a picture of {x.shape[-2]} x {x.shape[-1]} contains no {self.patch} x {self.patch} patch"
            )
        rows, columns = ((size - self.patch) // self.stride + 1 for size in x.shape[-2:])
        return rows, columns

    def _blocks(self, x: Tensor) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
        """The patches of one grid in blocks, and the pixels of each block."""
        (tall, _), wide = self._cell(x)
        for rows, band in parts(x, -2, self.patch, self.stride, tall):
            for columns, block in parts(x, -1, self.patch, self.stride, wide):
                yield (rows, columns), x[..., band, block]

    def _add_grid(self, x: Tensor, gradient: Tensor, valued: bool) -> Tensor:
        """The sum over one grid (B,), if it is needed.

        Its gradient is added to `gradient`, which has the shape of x.
        """
        self._patches(x)
        value = x.new_zeros(x.shape[0])
        (tall, broad), wide = self._cell(x)
        for _, rows in parts(x, -2, self.patch, self.stride, tall):
            for _, columns in parts(x, -1, self.patch, self.stride, broad):
                cell_value, cell_gradient = self._sum_and_grad(x[..., rows, columns], wide, valued)
                value += cell_value
                gradient[..., rows, columns] += cell_gradient
        return value

    def _cell(self, x: Tensor) -> tuple[tuple[int, int], int]:
        """Height and width of the cells that are summed together, and the width of the blocks that are scored
        at once.

        All are in pixels. On a CPU the tile determines only the last one. The contributions from above and
        below the border of a cell are rounded separately, to three digits in bfloat16. Since these borders
        never move, the result does not depend on the tile. A GPU would spend most of its time waiting for the
        next cell.
        """
        if x.device.type != "cpu":
            return (self.tile or x.shape[-2], self.tile or x.shape[-1]), self.tile or x.shape[-1]
        return _CELL, max(1, self.tile**2 // _CELL[0]) if self.tile else _CELL[1]

    def _sum_and_grad(self, cell: Tensor, wide: int, valued: bool) -> tuple[Tensor, Tensor]:
        """The sum over all patches of (B, C, h, w), scored `wide` pixels at a time, (B,), and its gradient.

        The sum is computed only if it is needed.
        """
        return self._summed(cell, wide, valued)


class LocalPrior:
    """A local network for all noise levels, with its lambda(sigma).

    Each kind of network has a subclass, which builds the network from its description and adapts lambda to a
    blur.
    """

    kind: str

    def __init__(self, network: LocalNetwork, sigma_range: tuple[float, float], lam: LambdaOfSigma) -> None:
        self.network = network
        self.sigma_range = sigma_range
        self._lam = lam

    @classmethod
    def described(
        cls, architecture: Mapping[str, Any], sigma_range: tuple[float, float], lam: LambdaOfSigma
    ) -> Self:
        """See `protocol.StoredPrior`."""
        return cls(cls.build(architecture), sigma_range, lam)

    @staticmethod
    def build(architecture: Mapping[str, Any]) -> LocalNetwork:
        """A network without numbers. Raises TypeError or ValueError for an invalid description."""
        raise NotImplementedError

    @property
    def description(self) -> dict[str, Any]:
        """See `protocol.StoredPrior`."""
        return {"kind": self.kind, **self.network.architecture.as_dict()}

    def to(self, device: torch.device) -> Self:
        """A copy on that device."""
        twin = copy.copy(self)
        twin.network = copy.deepcopy(self.network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return twin

    @property
    def channels(self) -> int:
        return self.network.architecture.channels

    @property
    def margin(self) -> int:
        return self.network.patch - 1

    def at(self, sigma: float, arithmetic: Arithmetic = Arithmetic()) -> LocalRegularizer:  # noqa: B008 - immutable
        """R for noise of this level."""
        return LocalRegularizer(self.network.at(sigma), arithmetic.tile or 0, arithmetic.precision)

    def lam(self, sigma: float) -> float:
        """The fitted lambda(sigma)."""
        return self._lam(sigma)

    def gain(self, problem: Problem) -> float:
        raise NotImplementedError

    def tile(self, shape: tuple[int, ...], device: torch.device, precision: torch.dtype) -> int:
        """The best side in pixels of the blocks in which a picture of `shape` (B, C, H, W) is scored; 0 for
        all at once.

        On the CPU one feature map of a block should stay in the cache between layers. On a GPU all feature
        maps must fit into its memory.
        """
        architecture = self.network.architecture
        per_pixel = precision.itemsize * shape[0] * architecture.width / architecture.stride**2
        if device.type == "cuda":
            per_pixel *= architecture.depth * _MAPS_PER_LAYER
            budget = torch.cuda.mem_get_info(device)[0] // 3
        else:  # independent of the free memory, so that the same command gives the same bits
            budget = _CACHED_BYTES
        if shape[-2] * shape[-1] * per_pixel <= budget:
            return 0
        side = int((budget / per_pixel) ** 0.5)
        return max(64, side - side % 32)


def unfitted(sigma: float) -> float:
    """The lambda(sigma) of a prior that is trained but whose lambda is not fitted yet. Always raises
    ValueError."""
    raise ValueError(f"lambda has not been fitted, so there is none at sigma {sigma:g}")
