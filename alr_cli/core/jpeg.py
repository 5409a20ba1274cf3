"""|c_k - (A x)_k / q_k| <= 1/2: the information of the coefficients c and steps q of a JPEG file on a picture
x

Rounding to steps of q has the variance q^2 / 12, so coefficients with coarser steps count less. Divided by
their standard deviations, all coefficients have noise of one level, like any other observation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alr_cli.core.operators.block_cosines import BLOCK, BlockCosines, block_pixels, colour_mixing

HALF_STEP = math.sqrt(3.0)  # half a step q, in standard deviations q / 12^(1/2)
GAIN = 0.3  # factor of lambda(sigma) for rounding, since it was fitted for white noise (docs/noise.md)
_WHITE = 255.0
_MIDDLE = 128.0 * BLOCK / _WHITE  # subtracted from the first coefficient of luma in the file
# factor between the expected error and the level for the prior, fitted on validation pictures (docs/noise.md)
_SHARE = 0.66
_SELDOM = 0.02  # smallest share of zeros from which a spread is estimated


@dataclass(frozen=True)
class Plane:
    """One plane of a file: luma, or one of the two chromas.

    Attributes:
        coefficients: c, (rows, columns, 8, 8) integers, for each block of samples.
        steps: q, (8, 8), positive, in levels of 255.
        factor: How many rows and columns of pixels share a sample.
    """

    coefficients: NDArray[np.integer]
    steps: NDArray[np.integer]
    factor: tuple[int, int]


@dataclass(frozen=True)
class Coefficients:
    """Everything that a JPEG file states about the pixels of its picture.

    Attributes:
        planes: One for gray, three (luma and two chromas) for colour.
        height, width: Size of the picture in pixels. Blocks may extend beyond it at the bottom and on the
            right.
    """

    planes: tuple[Plane, ...]
    height: int
    width: int

    @property
    def whole(self) -> tuple[int, int]:
        """(H, W) of all blocks of the picture."""
        sides = (BLOCK * max(factor) for factor in zip(*(p.factor for p in self.planes), strict=True))
        rows, columns = sides
        return -(-self.height // rows) * rows, -(-self.width // columns) * columns

    def luma(self) -> Coefficients:
        """The coefficients of luma alone, for a gray picture."""
        return replace(self, planes=self.planes[:1])

    def level(self) -> float:
        """The noise level on [0,1] for the prior.

        It is a fixed share of the root mean square error of luma. Coefficients are assumed to be Laplacian,
        with a spread for each frequency that is estimated from the number of zeros (Lam and Goodman 2000).
        """
        return _SHARE * math.sqrt(_variance(self.planes[0])) / _WHITE

    def observation(self, level: float) -> tuple[BlockCosines, Tensor]:
        """A, and y = A x with noise of the given level and of at most `HALF_STEP` times it.

        A is for pictures (1, C, H, W) on [0,1] with (H, W) = `whole`. y is float32.
        """
        height, width = self.whole
        weights, y = torch.zeros(2, len(self.planes), height, width)
        for index, plane in enumerate(self.planes):
            steps = _tiled(plane) / _WHITE
            rows, columns = steps.shape
            weight = level * math.sqrt(12.0) / steps
            weights[index, :rows, :columns] = weight
            y[index, :rows, :columns] = (_laid(plane) * steps + _offset(index, steps)) * weight
        return BlockCosines(weights, [plane.factor for plane in self.planes]), y[None]

    def decoded(self) -> Tensor:
        """The picture of an ordinary decoder with interpolated chroma, for all blocks.

        Returns:
            (1, C, H, W) on [0,1], not clamped.
        """
        planes = []
        for index, plane in enumerate(self.planes):
            steps = _tiled(plane) / _WHITE
            samples = block_pixels(_laid(plane) * steps + _offset(index, steps))[None, None]
            size = [count * factor for count, factor in zip(samples.shape[-2:], plane.factor, strict=True)]
            if plane.factor != (1, 1):
                samples = torch.nn.functional.interpolate(samples, size, mode="bilinear", align_corners=False)
            missing = [whole - side for whole, side in zip(self.whole, size, strict=True)]
            planes.append(torch.nn.functional.pad(samples, (0, missing[1], 0, missing[0]), mode="replicate"))
        mixing = torch.linalg.inv(colour_mixing(len(planes))).float()
        return torch.einsum("ij,bjhw->bihw", mixing, torch.cat(planes, 1))


def _laid(plane: Plane) -> Tensor:
    """c at the positions of the blocks' pixels, (H, W) float32."""
    rows, columns = plane.coefficients.shape[:2]
    laid = plane.coefficients.transpose(0, 2, 1, 3).reshape(BLOCK * rows, BLOCK * columns)
    return torch.from_numpy(laid.astype(np.float32))


def _tiled(plane: Plane) -> Tensor:
    """q at the same positions."""
    return torch.from_numpy(plane.steps.astype(np.float32)).repeat(plane.coefficients.shape[:2])


def _offset(index: int, like: Tensor) -> Tensor:
    """The offset of the coefficients of a plane: luma is stored relative to middle gray."""
    offset = torch.zeros_like(like)
    if index == 0:
        offset[::BLOCK, ::BLOCK] = _MIDDLE
    return offset


def _variance(plane: Plane) -> float:
    """The mean square error of a coefficient, in levels of 255.

    u is half a step in units of the spread b of a Laplacian. Within the step around zero the variance is that
    of a truncated Laplacian; elsewhere it is q^2 / 12.
    """
    c, q = plane.coefficients, plane.steps.astype(np.float64)
    count = c.shape[0] * c.shape[1]
    zeros = (c == 0).mean(axis=(0, 1))
    u = -np.log1p(-np.clip(zeros, _SELDOM, 1 - 0.5 / count))
    b = q / (2 * u)
    within = b**2 * (2 - np.exp(-u) * (u**2 + 2 * u + 2)) / -np.expm1(-u)
    return float(np.mean(zeros * within + (1 - zeros) * q**2 / 12))
