"""y = A x + eps with the unknown extended beyond the frame: what eq. 1 is for each command

Nobody observed the pixels beyond the frame. The unknown therefore reaches p - 1 pixels further on every
side (and further by the kernel's radius where a blur mixes them in); those pixels start as a reflection and
only the regularizer sees them. Every pixel of the frame then lies in exactly p^2 patches. Padding by
reflection instead would count border pixels twice: its energy is another one, and 3 dB worse in a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from alr_cli.core.operators.linear import (
    Boundary,
    Compose,
    Convolution,
    Crop,
    Downsample,
    LinearOperator,
    Mask,
)

HELD_LEVEL = 0.2  # of noise, for the critic where known pixels are held: see docs/critics.md
_ITERATIONS = 50  # the paper's, sec. 3.3
_FREQUENCIES = 256  # in each direction, over which an amplitude is averaged


@dataclass(frozen=True)
class Problem:
    """An observation and how it came about.

    operator: A, from the extended unknown to y.  y: (B, C, H', W').  begin: makes the extended unknown to
    begin with, which is as large as all else.  frame: (H, W) of the picture asked for.  free: 1 where the
    unknown may move, None for everywhere.  near: the solution lies within the noise of the start; elsewhere A
    hides what only many steps bring back.  holes: it hides single pixels.  periodic: the unknown is the frame
    alone, which goes on at its opposite side.
    """

    operator: LinearOperator
    y: Tensor
    begin: Callable[[], Tensor]
    frame: tuple[int, int]
    free: Tensor | None = None
    near: bool = False
    periodic: bool = False
    holes: bool = False

    @property
    def start(self) -> Tensor:
        """The extended unknown (B, C, H, W) to begin with, made anew."""
        return self.begin()

    @property
    def pixels(self) -> int:
        return self.frame[0] * self.frame[1]

    def step_scale(self, sigma: Tensor) -> Tensor:
        """Of adam's steps: the paper's at its sigma of 0.1, and less noise is a shorter way."""
        return (sigma / 0.1).clamp_max(1.0) if self.near else torch.ones_like(sigma)

    def adam_iterations(self, sigma: float) -> int:
        """How many of adam's steps lead from the start to the solution; see docs/performance.md."""
        return round(_ITERATIONS * min(max(sigma / 0.1, 0.6), 2.0)) if self.near else 2 * _ITERATIONS

    def crop(self, x: Tensor) -> Tensor:
        """The frame of an extended picture."""
        top = (x.shape[-2] - self.frame[0]) // 2
        left = (x.shape[-1] - self.frame[1]) // 2
        return x[..., top : top + self.frame[0], left : left + self.frame[1]]


def denoising(y: Tensor, patch: int) -> Problem:
    """A = identity."""
    margin = patch - 1
    return Problem(_beyond(_shape(y), margin), y, lambda: extend(y, margin), _shape(y), near=True)


def deblurring(y: Tensor, kernel: np.ndarray, patch: int, boundary: Boundary = "valid") -> Problem:
    """A = true convolution with `kernel`; "valid" leaves the blurred-in pixels beyond the frame unknown,
    "circular" has no beyond."""
    if boundary == "circular":
        shape = _shape(y)
        return Problem(Convolution(kernel, shape, boundary), y, y.clone, shape, periodic=True)
    rows, columns = (side // 2 for side in kernel.shape) if boundary == "valid" else (0, 0)
    shape = (y.shape[-2] + 2 * rows, y.shape[-1] + 2 * columns)
    operator = Compose(Convolution(kernel, shape, boundary), _beyond(shape, patch - 1))
    return Problem(operator, y, lambda: extend(extend(y, rows, columns), patch - 1), _shape(y))


def inpainting(y: Tensor, missing: Tensor, patch: int, exact: bool = False) -> Problem:
    """A = mask. missing: (H, W) bool.  exact: hold the known pixels instead of fitting them (sigma = 0)."""
    known = (~missing).to(y)
    crop = _beyond(_shape(y), patch - 1)
    free = 1.0 - crop.adjoint(known[None, None]) if exact else None
    y = y * known
    return Problem(
        *(Compose(Mask(known), crop), y, lambda: extend(fill(y, known), patch - 1), _shape(y), free),
        holes=True,
    )


def downsampling(y: Tensor, factor: int, kernel: np.ndarray, shape: tuple[int, int], patch: int) -> Problem:
    """A = blur and keep every factor-th pixel of a picture of `shape`, reflected at its borders."""

    def begin() -> Tensor:
        coarse = torch.nn.functional.interpolate(y, size=shape, mode="bilinear", align_corners=False)
        return extend(coarse, patch - 1)

    operator = Compose(Downsample(factor, kernel, shape, "reflect"), _beyond(shape, patch - 1))
    return Problem(operator, y, begin, shape)


def extend(x: Tensor, rows: int, columns: int | None = None) -> Tensor:
    """Reflect x by `rows` above and below and `columns` left and right, as often as its size demands."""
    columns = rows if columns is None else columns
    index = [
        torch.from_numpy(np.pad(np.arange(size), margin, mode="reflect")).to(x.device)
        for size, margin in zip(x.shape[-2:], (rows, columns), strict=True)
    ]
    return x.index_select(-2, index[0]).index_select(-1, index[1])


def fill(y: Tensor, known: Tensor) -> Tensor:
    """A smooth first guess of the missing pixels: averages of ever coarser neighbourhoods (push and pull).

    y: (B, C, H, W).  known: (H, W), 1 where y holds.
    """
    weight = known.expand(1, 1, *known.shape)
    if bool((weight > 0).all()) or min(y.shape[-2:]) == 1:
        total = weight.sum().clamp_min(1.0)
        mean = (y * weight).sum(dim=(-2, -1), keepdim=True) / total
        return y * weight + mean * (1 - weight)
    pool = torch.nn.functional.avg_pool2d
    coarse_weight = pool(weight, 2, ceil_mode=True)
    coarse = pool(y * weight, 2, ceil_mode=True) / coarse_weight.clamp_min(1e-6)
    coarse = fill(coarse, (coarse_weight > 0).to(y)[0, 0])
    guess = torch.nn.functional.interpolate(coarse, size=y.shape[-2:], mode="bilinear", align_corners=False)
    return y * weight + guess * (1 - weight)


def noise_gain(kernel: Tensor) -> float:
    """||k||_2 = sqrt(E ||A* e||^2 / E ||e||^2) of a blur: how much of white noise reaches the gradient of the
    data term. lambda(sigma) is fitted to denoising; for the gradients to balance (Lunz, Oktem and
    Schoenlieb 2018, sec. 4), a blur scales it by this."""
    return float(kernel.square().sum().sqrt())


def mean_amplitude(kernel: Tensor) -> float:
    """The mean of |K| over all frequencies: how much of a picture a blur lets through."""
    sides = [max(side, _FREQUENCIES) for side in kernel.shape]
    return float(torch.fft.fft2(kernel, s=sides).abs().mean())


def _beyond(shape: tuple[int, int], margin: int) -> Crop:
    """From an unknown that reaches `margin` pixels beyond all four sides of `shape` to that shape."""
    return Crop((shape[0] + 2 * margin, shape[1] + 2 * margin), margin)


def _shape(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]
