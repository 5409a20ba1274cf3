"""(A x)_i = sum_j l_ij x_j, with l_ij the length of ray i inside pixel j: the ray transform    (eq. 1)

A ray is followed through the grid column by column, or row by row if it is steep. In each column it meets at
most two pixels, and their lengths are exact (Joseph's traversal, Siddon's lengths). A ray on a grid line
belongs to both sides by halves. The matrix is sparse, and A* is its transpose; both are exact.
"""

from __future__ import annotations

import math
import warnings
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from alr_cli.core.operators.geometry import Geometry
from alr_cli.errors import UsageError

MOST_BYTES = 3 * 2**30
_ENTRY = 8  # bytes: a float32 and its column number
_PICTURES = 4  # pairs of float32 for each pixel that a solver keeps
_AT_ONCE = 64  # rays, so that intermediate results stay in the cache
_ON_LINE = 1e-9  # of a pixel: a ray nearer to a grid line than this lies on it

Doubles: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]
Pixels: TypeAlias = NDArray[np.integer]
Lengths: TypeAlias = NDArray[np.floating]


class RayTransform:
    """Line integrals of a slice along the rays of a geometry: (..., H, W) -> (..., angles, detectors).

    Args:
        geometry: The geometry of the scan.
        scale: Multiplies every length; 1 / ||A|| gives an operator of norm 1.

    Raises:
        UsageError: The matrix would not fit into `MOST_BYTES`.
    """

    def __init__(self, geometry: Geometry, scale: float = 1.0) -> None:
        check_memory(geometry)
        self.geometry = geometry
        self.scale = scale
        self.input_shape = geometry.size
        self.output_shape = geometry.shape
        self._placed: dict[tuple[torch.dtype, torch.device], tuple[Tensor, Tensor]] = {}

    def forward(self, x: Tensor) -> Tensor:
        return self._apply(x, self.input_shape, self.output_shape, transposed=False)

    def adjoint(self, y: Tensor) -> Tensor:
        return self._apply(y, self.output_shape, self.input_shape, transposed=True)

    def power(self, shape: tuple[int, int]) -> Tensor:
        """||A||^2 times 1 / f, with f in periods over the slice: the gain of views from all around at a
        frequency.

        Beyond as many periods as there are views, it is the gain of a single view.
        """
        rows = torch.fft.fftfreq(shape[0], dtype=torch.float64)[:, None]
        columns = torch.fft.rfftfreq(shape[1], dtype=torch.float64)
        periods = torch.hypot(rows, columns) * max(self.input_shape)
        least = 1.0 / max(1, self.output_shape[0])
        return self.norm**2 * periods.clamp_min(1.0).reciprocal_().clamp_min(least)

    @cached_property
    def norm(self) -> float:
        return abs(self.scale) * _norm(self.geometry)

    @cached_property
    def mean_square(self) -> float:
        """||A||_F^2 / (H W): the mean over all pixels of ||A e||^2, where e is 1 in one pixel."""
        lengths = matrix_of(self.geometry, "float32").data
        return self.scale**2 * float(np.vdot(lengths, lengths)) / math.prod(self.input_shape)

    def per_pixel(self) -> RayTransform:
        """The same transform scaled to a mean square of 1.

        Noise of a sinogram that is scaled in the same way then weighs against a pixel as noise of that level
        does in denoising. Raises UsageError if no ray meets the slice.
        """
        if not self.mean_square:
            raise UsageError("no ray meets the slice: check the centre, the pitch and the distances of a fan")
        return RayTransform(self.geometry, self.scale / math.sqrt(self.mean_square))

    def normalised(self) -> RayTransform:
        """The same transform with ||A|| = 1; the matrix is shared."""
        return RayTransform(self.geometry, self.scale / self.norm)

    def _apply(
        self, x: Tensor, before: tuple[int, int], after: tuple[int, int], *, transposed: bool
    ) -> Tensor:
        if tuple(x.shape[-2:]) != before:
            raise ValueError(f"the ray transform expects {before}, not {tuple(x.shape[-2:])}")
        planes = x.reshape(-1, before[0] * before[1])
        if x.device.type == "cpu":
            matrix = matrix_of(self.geometry, "float64" if x.dtype == torch.float64 else "float32")
            columns = planes.detach().numpy().T
            product = torch.from_numpy(
                np.ascontiguousarray(((matrix.T if transposed else matrix) @ columns).T)
            )
        else:
            product = (self._beside(x)[int(transposed)] @ planes.T).T
        return product.reshape(*x.shape[:-2], *after) * self.scale

    def _beside(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The matrix and its transpose as torch tensors on the device of x."""
        key = (x.dtype, x.device)
        if key not in self._placed:
            matrix = matrix_of(self.geometry, "float64" if x.dtype == torch.float64 else "float32")
            self._placed[key] = as_torch(matrix, x.device), as_torch(matrix.T.tocsr(), x.device)
        return self._placed[key]


def as_torch(matrix: sparse.csr_array, device: torch.device) -> Tensor:
    """The sparse matrix as a torch tensor."""
    starts, columns, values = (
        torch.from_numpy(part) for part in (matrix.indptr, matrix.indices, matrix.data)
    )
    with warnings.catch_warnings():  # the warning says that this part of torch is in beta
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(
            starts, columns, values, size=matrix.shape, device=device, check_invariants=False
        )


def check_memory(geometry: Geometry) -> None:
    """Raise UsageError if the matrix and a few slices would not fit into `MOST_BYTES`."""
    entries = geometry.shape[0] * geometry.shape[1] * 1.3 * max(geometry.size)
    needed = _ENTRY * (entries + _PICTURES * math.prod(geometry.size))
    if needed > MOST_BYTES:
        raise UsageError(
            f"a slice of {geometry.size[1]} x {geometry.size[0]} from {geometry.shape[0]} angles x "
            f"{geometry.shape[1]} detectors needs about {needed / 2**30:.1f} GiB, and "
            f"{MOST_BYTES / 2**30:g} GiB is the most: give a smaller --size, fewer angles, or bin the "
            "detectors"
        )


@lru_cache(maxsize=2)
def matrix_of(geometry: Geometry, dtype: str) -> sparse.csr_array:
    """The lengths l_ij, (angles * detectors, H * W). Rays are counted angle by angle and pixels row
    by row."""
    views = [_view(geometry, angle, dtype) for angle in geometry.angles]
    counts, pixels, lengths = (np.concatenate(part) for part in zip(*views, strict=True))
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    # torch requires one integer type for both; 32 bits need half the memory where they suffice
    if starts[-1] < 2**31:
        starts = starts.astype(pixels.dtype)
    shape = (geometry.shape[0] * geometry.shape[1], geometry.size[0] * geometry.size[1])
    return sparse.csr_array((lengths, pixels, starts), shape=shape)


@lru_cache(maxsize=8)
def _norm(geometry: Geometry) -> float:
    """||A|| by the power method.

    No length is negative, so that a uniform slice is close to the leading vector, and a dozen steps are exact
    to 1e-6.
    """
    transform = RayTransform(geometry)
    x, square = torch.ones(geometry.size), 0.0
    for _ in range(12):
        x = transform.adjoint(transform.forward(x))
        square = float(x.norm())
        if not square:  # no ray meets the slice
            return 0.0
        x /= square
    return math.sqrt(square)


def _view(geometry: Geometry, angle: float, dtype: str) -> tuple[Counts, Pixels, Lengths]:
    """The rays of one angle: the number of pixels that each meets, (detectors,), and the numbers and lengths
    of all."""
    height, width = geometry.size
    points, directions = geometry.rays(angle)
    # From here on coordinates are columns and rows, and grid lines are whole numbers.
    across = np.stack([points[:, 0] + width / 2, directions[:, 0]])
    down = np.stack([height / 2 - points[:, 1], -directions[:, 1]])
    steep = np.abs(down[1]) > np.abs(across[1])
    turns = np.flatnonzero(np.diff(steep)) + 1  # in a fan some rays are flat and others are steep
    borders = sorted({*range(0, len(points), _AT_ONCE), *turns.tolist(), len(points)})
    parts = []
    for begin, end in pairwise(borders):
        rays = (..., slice(begin, end))
        if steep[begin]:
            parts.append(_pieces(down[rays], across[rays], (height, width), (width, 1), dtype))
        else:
            parts.append(_pieces(across[rays], down[rays], (width, height), (1, width), dtype))
    counts, pixels, lengths = (np.concatenate(part) for part in zip(*parts, strict=True))
    return counts, pixels, lengths


def _pieces(
    along: Doubles, beside: Doubles, shape: tuple[int, int], strides: tuple[int, int], dtype: str
) -> tuple[Counts, Pixels, Lengths]:
    """Rays that go along strips of cells, in each of which they change at most once from one cell to the
    next.

    Args:
        along, beside: (2, n), position and direction of the rays; the direction is larger along the strips.
        shape: Number of strips, and of cells in each.
        strides: What a strip and a cell add to the number of a pixel.
        dtype: Type of the lengths.
    """
    strips, cells = shape
    slope = beside[1] / along[1]
    whole = np.sqrt(1.0 + slope**2)[:, None]  # the length within one strip
    # `low` is the smaller of the two heights at which a ray enters and leaves each strip, and `cell` the cell
    # of it.
    low = np.arange(strips) - along[0][:, None]
    low *= slope[:, None]
    low += (beside[0] + np.minimum(slope, 0.0))[:, None]
    cell = np.floor(low)
    with np.errstate(divide="ignore"):
        steepness = 1.0 / np.abs(slope)[:, None]
    first = 1.0 - (low - cell)  # share of the way to the next cell
    np.minimum(first * steepness, 1.0, out=first)
    level = np.flatnonzero((slope == 0.0) & (np.abs(beside[0] - np.round(beside[0])) < _ON_LINE))
    first[level], cell[level] = 0.5, np.round(beside[0][level])[:, None] - 1.0

    # Cells far beyond the slice have no number that fits; those next to it are left out below all the same.
    np.clip(cell, -2, cells, out=cell)
    number = np.empty((*cell.shape, 2), np.int64 if strips * cells >= 2**31 else np.int32)
    number[..., 0] = cell * strides[1]
    number[..., 0] += np.arange(strips, dtype=number.dtype) * strides[0]
    number[..., 1] = number[..., 0] + strides[1]
    length = np.empty(number.shape, dtype)
    length[..., 0] = first * whole
    length[..., 1] = (1.0 - first) * whole
    met = length > 0
    met[..., 0] &= (cell >= 0) & (cell < cells)
    met[..., 1] &= (cell >= -1) & (cell < cells - 1)
    return met.sum(axis=(1, 2)), number[met], length[met]
