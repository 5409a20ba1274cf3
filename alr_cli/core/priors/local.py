"""R(x) = sum_i r_theta(x_i), the scores of all p x p patches of x    (eq. 3, times the number of patches)

R is a sum over patches, so its gradient can be gathered tile by tile: a block of patches touches only the
block and a halo of p - 1 pixels, and the blocks' gradients add up. Tiling bounds memory; it is exact.
A network of stride s scores every s-th patch; there are s^2 such grids, and R is s^2 times their mean.
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


_CELL = 64, 512  # pixels down and across: what is added up together on a CPU
_MAPS_PER_LAYER = 4  # kept for the gradient: a layer's output, its activation and the gradient of both
_CACHED_BYTES = 5_000_000  # of one feature map; see docs/performance.md


class LocalArchitecture(Protocol):
    """A local network as data. depth: layers.  width: feature channels.  patch: p.  stride: s."""

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
    """The sum of a network's scores of x (B, C, H, W), (B,), and its gradient like x, from blocks of `wide`
    pixels of each row. valued: whether the sum is wanted; if not, it may be any number."""

    def __call__(self, x: Tensor, wide: int, valued: bool = True) -> tuple[Tensor, Tensor]: ...


class LocalNetwork(nn.Module):
    """r_theta: pictures (B, C, H, W) -> the scores of the patches on one grid, (B, 1, rows, columns).

    sides: 8 if it is to be shown pictures from all sides in turn (see glimpses.py), 1 if it is not.
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
        """The network for noise of that level."""
        raise NotImplementedError

    def turned(self, side: int) -> Self:
        """What gives a picture the scores that this network gives the picture seen from another side."""
        raise NotImplementedError

    def summed(self, precision: torch.dtype) -> SumAndGrad:
        """The sum of its scores and the gradient of that, with convolutions in this precision."""
        raise NotImplementedError

    def preconditioner(self, problem: Problem, lam: float) -> Circulant | None:
        """See `protocol.HasPreconditioner`; None where none is known."""
        return None

    def operations(self, side: int) -> int:
        """Multiplications and additions of the convolutions, forward and back to the pixels, on side x side
        pixels at once, for one grid of patches."""
        raise NotImplementedError


class LocalRegularizer:
    """The sum of a network's scores of all patches (eq. 3), with its gradient.

    tile: side in pixels of a square: the patches of such a block are scored at once, 0 for those of the whole
    picture. It never changes the result beyond rounding.  precision: bfloat16 runs the convolutions in
    bfloat16 where the processor has it; sums stay in float32.
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
        """x: (B, C, H, W), H and W at least p -> (R (B,), dR/dx like x)."""
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
        """R as it looks from every s-th patch alone, from that at (row, column) on: an s^2-th of the work.

        valued: whether R is wanted and not its gradient alone; without it the first result means nothing.
        """
        gradient = torch.zeros_like(x)
        part = x[..., row:, column:]
        value = self._add_grid(part, gradient[..., row:, column:], valued)
        share = math.prod(size - self.margin for size in x.shape[-2:]) / math.prod(self._patches(part))
        return value * share, gradient.mul_(share)

    def of(self, network: LocalNetwork) -> LocalRegularizer:
        """The same of another network."""
        return LocalRegularizer(network, self.tile, self.precision)

    def glimpses(self, frame: tuple[int, int] | None = None) -> Regularizer:
        """See `protocol.HasGlimpses`. A tiny picture that goes on at its opposite side may hold a patch on
        one grid and none on the next: of such a one all grids are seen at once."""
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
        """The first pixels of the s^2 grids of patches that x holds."""
        height, width = (max(1, size - self.margin) for size in x.shape[-2:])
        yield from product(range(min(self.stride, height)), range(min(self.stride, width)))

    def _patches(self, x: Tensor) -> tuple[int, int]:
        """Rows and columns of one grid of patches. Raises ValueError where there is none."""
        if min(x.shape[-2:]) < self.patch:
            raise ValueError(
                f"a picture of {x.shape[-2]} x {x.shape[-1]} holds no {self.patch} x {self.patch} patch"
            )
        rows, columns = ((size - self.patch) // self.stride + 1 for size in x.shape[-2:])
        return rows, columns

    def _blocks(self, x: Tensor) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
        """One grid's patches in blocks, and the pixels of each."""
        (tall, _), wide = self._cell(x)
        for rows, band in parts(x, -2, self.patch, self.stride, tall):
            for columns, block in parts(x, -1, self.patch, self.stride, wide):
                yield (rows, columns), x[..., band, block]

    def _add_grid(self, x: Tensor, gradient: Tensor, valued: bool) -> Tensor:
        """The sum over one grid (B,), if it is wanted; its gradient is added to `gradient`, like x."""
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
        """Height and width of what is added up together, and how wide a block of it is scored at a time, in
        pixels.

        On a CPU the tile decides the last alone: what the rows above and below a border give is rounded
        apart, to three digits in bfloat16, and borders that never move make the same picture whatever the
        tile. A GPU would wait for the next cell most of the time.
        """
        if x.device.type != "cpu":
            return (self.tile or x.shape[-2], self.tile or x.shape[-1]), self.tile or x.shape[-1]
        return _CELL, max(1, self.tile**2 // _CELL[0]) if self.tile else _CELL[1]

    def _sum_and_grad(self, cell: Tensor, wide: int, valued: bool) -> tuple[Tensor, Tensor]:
        """The sum over all patches of (B, C, h, w), scored `wide` pixels at a time, (B,), if it is wanted,
        and its gradient like cell."""
        return self._summed(cell, wide, valued)


class LocalPrior:
    """A local network for all noise levels, with its lambda(sigma). Each kind of network has a subclass,
    which says how its description is read and what a blur makes of lambda."""

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
        """A network of shapes alone. Raises TypeError or ValueError for what describes none."""
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
        """R for noise of that level."""
        return LocalRegularizer(self.network.at(sigma), arithmetic.tile or 0, arithmetic.precision)

    def lam(self, sigma: float) -> float:
        """The fitted lambda(sigma)."""
        return self._lam(sigma)

    def gain(self, problem: Problem) -> float:
        raise NotImplementedError

    def tile(self, shape: tuple[int, ...], device: torch.device, precision: torch.dtype) -> int:
        """The side in pixels of the blocks in which a picture of `shape` (B, C, H, W) is best scored; 0 for
        all at once.

        On the CPU one feature map of a block should stay in the cache from one layer to the next; on a GPU
        all of them must fit its memory.
        """
        architecture = self.network.architecture
        per_pixel = precision.itemsize * shape[0] * architecture.width / architecture.stride**2
        if device.type == "cuda":
            per_pixel *= architecture.depth * _MAPS_PER_LAYER
            budget = torch.cuda.mem_get_info(device)[0] // 3
        else:  # not of what is free just now: the same command gives the same bits
            budget = _CACHED_BYTES
        if shape[-2] * shape[-1] * per_pixel <= budget:
            return 0
        side = int((budget / per_pixel) ** 0.5)
        return max(64, side - side % 32)


def unfitted(sigma: float) -> float:
    """The lambda(sigma) of a prior that has been trained and whose lambda is still to be fitted."""
    raise ValueError(f"lambda has not been fitted, so there is none at sigma {sigma:g}")
