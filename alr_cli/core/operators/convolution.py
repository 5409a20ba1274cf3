"""A x = k * x, and every n-th pixel of it: blurs"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alr_cli.core.numerics.fast_lengths import fast_length
from alr_cli.core.operators.norm import largest_singular_value
from alr_cli.core.operators.placed import Placed, checked
from alr_cli.core.operators.protocol import Shape
from alr_cli.errors import UsageError

Boundary = Literal["replicate", "reflect", "circular", "valid"]

_NUMPY_PADDING: dict[Boundary, Literal["edge", "reflect"]] = {"replicate": "edge", "reflect": "reflect"}


class Convolution:
    """A x = k * x, a true convolution (the kernel is flipped), by FFT.

    Args:
        kernel: (h, w), both odd, centred.
        shape: (H, W) of x.
        boundary: What lies beyond the frame of x: "replicate" repeats the nearest pixel of the frame;
            "reflect" mirrors at the outermost pixel, which is not repeated; "circular" continues at the
            opposite side; "valid" needs no pixel beyond, because A x is smaller than x by the kernel's radius
            on each side.

    Raises:
        UsageError: The kernel has an even side or is larger than the picture.
    """

    def __init__(self, kernel: NDArray[np.float64], shape: Shape, boundary: Boundary = "valid") -> None:
        if boundary not in get_args(Boundary):
            raise UsageError(f"unknown boundary {boundary!r}: choose one of {', '.join(get_args(Boundary))}")
        height, width = kernel.shape
        if height % 2 == 0 or width % 2 == 0:
            raise UsageError(
                f"the kernel is {height} x {width}: both sides must be odd, so that there is a centre"
            )
        if height > shape[0] or width > shape[1]:
            raise UsageError(
                f"the kernel ({height} x {width}) is larger than the picture ({shape[0]} x {shape[1]}): "
                "use a smaller kernel"
            )
        self.kernel, self.boundary, self.input_shape = kernel, boundary, shape
        self.output_shape = shape if boundary != "valid" else (shape[0] - height + 1, shape[1] - width + 1)
        # Row i and column j of the padded picture are copies of row rows[i] and column columns[j] of x.
        self._rows, self._columns = (
            _padded_indices(n, k // 2, boundary) for n, k in zip(shape, kernel.shape, strict=True)
        )
        if boundary == "circular":
            self._fft_shape, corner = shape, (0, 0)
        else:  # any size that fits the padded picture: what wraps around falls outside the window
            self._fft_shape = (
                fast_length(len(self._rows)),
                fast_length(len(self._columns)),
            )
            corner = (height - 1, width - 1)
        self._window = tuple(slice(c, c + n) for c, n in zip(corner, self.output_shape, strict=True))
        self._k_hat = Placed(self._transfer_function)

    def forward(self, x: Tensor) -> Tensor:
        checked(x, self.input_shape)
        k_hat = self._k_hat.beside(x)
        rows, columns = self._rows.to(x.device), self._columns.to(x.device)

        def convolve(plane: Tensor) -> Tensor:
            if self.boundary in _NUMPY_PADDING:
                plane = plane.index_select(0, rows).index_select(1, columns)
            product = torch.fft.rfft2(plane, s=self._fft_shape) * k_hat
            convolved: Tensor = torch.fft.irfft2(product, s=self._fft_shape)
            return convolved[self._window]

        return by_plane(convolve, x)

    def adjoint(self, y: Tensor) -> Tensor:
        checked(y, self.output_shape)
        k_hat = self._k_hat.beside(y).conj()
        rows, columns = self._rows.to(y.device), self._columns.to(y.device)

        def correlate(plane: Tensor) -> Tensor:
            placed = plane.new_zeros(self._fft_shape)
            placed[self._window] = plane
            product = torch.fft.rfft2(placed) * k_hat
            padded: Tensor = torch.fft.irfft2(product, s=self._fft_shape)[: len(rows), : len(columns)]
            # each padded pixel is added to the one that it was copied from
            if self.boundary in _NUMPY_PADDING:
                padded = plane.new_zeros(self.input_shape[0], len(columns)).index_add_(0, rows, padded)
                padded = plane.new_zeros(self.input_shape).index_add_(1, columns, padded)
            return padded

        return by_plane(correlate, y)

    def power(self, shape: Shape) -> Tensor | None:
        """None if pixels beyond the frame repeat those inside, and for a torus of another size than the
        circular picture."""
        if self.boundary != "valid" and (self.boundary != "circular" or shape != self.input_shape):
            return None
        return torch.from_numpy(np.abs(np.fft.rfft2(self.kernel, s=shape)) ** 2)

    @cached_property
    def norm(self) -> float:
        """The norm: exact for "circular", otherwise by Lanczos, within 1e-3 (relative) of the largest
        singular value.

        For pictures larger than 256 pixels and 8 kernels on a side, it is computed on a smaller picture and
        is up to 2 % too large. The top of the spectrum is then either the largest frequency response of the
        kernel, which belongs to the interior, or a mode at the border, which a smaller picture has as well.
        """
        height, width = self.input_shape
        if self.boundary != "circular":
            height, width = (
                min(height, max(256, 8 * self.kernel.shape[0])),
                min(width, max(256, 8 * self.kernel.shape[1])),
            )
        response = float(np.abs(np.fft.rfft2(self.kernel, s=(height, width))).max())
        if self.boundary == "circular":
            return response
        if (height, width) == self.input_shape:
            return largest_singular_value(self)
        return max(response, largest_singular_value(Convolution(self.kernel, (height, width), self.boundary)))

    def _transfer_function(self, dtype: torch.dtype) -> Tensor:
        """The Fourier transform of the kernel, complex, (H_fft, W_fft // 2 + 1)."""
        height, width = self.kernel.shape
        placed = np.zeros(self._fft_shape)
        placed[:height, :width] = self.kernel
        if self.boundary == "circular":  # put the centre of the kernel at the origin
            placed = np.roll(placed, (-(height // 2), -(width // 2)), (0, 1))
        k_hat: Tensor = torch.fft.rfft2(torch.from_numpy(placed))
        return k_hat.to(dtype.to_complex())


class Downsample:
    """A x = every `factor`-th pixel of the blurred k * x, starting with the first.

    The boundary is as in Convolution. Raises UsageError for a factor below 1.
    """

    def __init__(
        self, factor: int, kernel: NDArray[np.float64], shape: Shape, boundary: Boundary = "replicate"
    ) -> None:
        if factor < 1:
            raise UsageError(f"the downsampling factor must be at least 1, not {factor}")
        self.kernel = kernel
        self._blur = Convolution(kernel, shape, boundary)
        self._kept = (..., slice(None, None, factor), slice(None, None, factor))
        height, width = self._blur.output_shape
        self.input_shape = shape
        self.output_shape = (-(-height // factor), -(-width // factor))

    def forward(self, x: Tensor) -> Tensor:
        return self._blur.forward(x)[self._kept]

    def adjoint(self, y: Tensor) -> Tensor:
        blurred = y.new_zeros(*y.shape[:-2], *self._blur.output_shape)
        blurred[self._kept] = checked(y, self.output_shape)
        return self._blur.adjoint(blurred)

    def power(self, shape: Shape) -> Tensor | None:
        return self._blur.power(shape)

    @cached_property
    def norm(self) -> float:
        return largest_singular_value(self)


def _padded_indices(size: int, radius: int, boundary: Boundary) -> Tensor:
    inside = np.arange(size)
    mode = _NUMPY_PADDING.get(boundary)
    return torch.from_numpy(np.pad(inside, radius, mode=mode) if mode else inside)


def by_plane(transform: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    # One channel of one picture at a time, because transforms of a whole large picture would take gigabytes.
    planes = torch.stack([transform(plane) for plane in x.flatten(0, 1)])
    return planes.reshape(*x.shape[:2], *planes.shape[1:])
