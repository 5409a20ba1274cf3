"""sum_ki w_k log(1 + t_ki^2),  t_k = f_k * M_s x    and its gradient: the filters of one scale of experts.py

The finest filters see the picture as 4 C channels at half the resolution (x_{2i+p, 2j+q} is in channel 4 c +
2 p + q). All windows of a row become channels, so that a convolution has a single column and many channels.
Processors are fast at that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional

from alr_cli.core.numerics.chunks import parts

_NEGLIGIBLE = 0.002  # share of the total pull below which the weakest filters together are dropped
_ALIKE = 1e-3  # relative difference below which two pulls count as equal


@dataclass(frozen=True)
class Bank:
    """The filters of one scale, in the form in which they are applied.

    Attributes:
        kernels: (K, side n, side, 1); windows of a row of n channels are channels.
        slopes: The same, each multiplied by twice its weight.
        weights: (K,), the weight of one place.
        scale: s.
        dilation: Pixels between the taps, at the resolution seen.
        before, after: Rows and columns there by which the patches extend beyond these filters.
    """

    kernels: Tensor
    slopes: Tensor
    weights: Tensor
    scale: int
    dilation: int
    before: int
    after: int

    def seen(self, x: Tensor) -> Tensor:
        """What the filters see of x (B, C, H, W), which consists of whole patches: (B, side n, h, w), linear
        in x."""
        return self._windows(self._small(x))

    def _small(self, x: Tensor) -> Tensor:
        """x at the resolution seen and in the precision of the filters, (B, n, h, w')."""
        small = functional.pixel_unshuffle(x, 2) if self.scale == 1 else functional.avg_pool2d(x, 2)
        if self.scale == 4:
            small = functional.avg_pool2d(small, 2, stride=2 // self.dilation)
        return small[..., *self._inside(small)].to(self.kernels.dtype)

    def _windows(self, small: Tensor) -> Tensor:
        return rows_as_channels(small, self.kernels.shape[2], self.dilation)

    def responses(self, seen: Tensor) -> Tensor:
        """The responses t, (B, K, rows, columns)."""
        return functional.conv2d(seen, self.kernels, dilation=(self.dilation, 1))

    def spread(self, t: Tensor, gradient: Tensor) -> None:
        """Add the adjoint of the responses, weighted by 2 w, to a gradient with the shape of x."""
        small = self._frame(gradient)
        self._add(t, small[..., *self._inside(small)])
        self._enlarge(small, gradient)

    def sum_and_spread(self, x: Tensor, gradient: Tensor, wide: int, valued: bool) -> Tensor:
        """The sum of w log(1 + t^2), (B,). Its gradient is added to `gradient`, which has the shape of x.

        The rows are processed in blocks of `wide` pixels from right to left. The windows of a pixel then add
        up in one order, and to the same bits, whatever `wide` is. The sum is 0 if no value is needed, since
        logarithms are a tenth of the work.
        """
        small, frame = self._small(x), self._frame(gradient)
        slope = frame[..., *self._inside(frame)]
        value = x.new_zeros(len(x))
        side = (self.kernels.shape[2] - 1) * self.dilation + 1
        for _, columns in reversed([*parts(small, -1, side, 1, wide // max(2, self.scale))]):
            t = self.responses(self._windows(small[..., columns]))
            u = torch.addcmul(torch.ones((), dtype=t.dtype, device=t.device), t, t)
            self._add(t.div_(u), slope[..., columns])
            if valued:
                value += (_sum_of_logs(u, x.dtype) * self.weights).sum(1)
        self._enlarge(frame, gradient)
        return value

    def only(self, chosen: Tensor) -> Bank:
        """The filters for which `chosen` (K,) is true."""
        kernels, slopes = (
            part[chosen].contiguous(memory_format=torch.channels_last) for part in (self.kernels, self.slopes)
        )
        return replace(self, kernels=kernels, slopes=slopes, weights=self.weights[chosen])

    def _frame(self, gradient: Tensor) -> Tensor:
        """Zeros for a gradient at the resolution seen, (B, n, h, w')."""
        channels = gradient.shape[1] * (4 if self.scale == 1 else 1)
        step = max(2, self.scale) // self.dilation
        sizes = (size // step - (self.dilation - 1) for size in gradient.shape[-2:])
        return gradient.new_zeros(len(gradient), channels, *sizes)

    def _add(self, t: Tensor, slope: Tensor) -> None:
        """Add the adjoint of the responses t to `slope`, the inside of a frame."""
        rows = functional.conv_transpose2d(t, self.slopes, dilation=(self.dilation, 1))
        add_channels_to_rows(rows, slope, self.dilation)

    def _enlarge(self, small: Tensor, gradient: Tensor) -> None:
        if self.scale == 1:
            gradient += functional.pixel_shuffle(small, 2)
            return
        if self.scale == 4 and self.dilation == 1:
            small = functional.interpolate(small, scale_factor=2) / 4
        elif self.scale == 4:
            small = functional.avg_pool2d(functional.pad(small, (1, 1, 1, 1)), 2, stride=1)
        gradient += functional.interpolate(small, scale_factor=2) / 4

    def _inside(self, small: Tensor) -> tuple[slice, slice]:
        height, width = (size - self.after for size in small.shape[-2:])
        return slice(self.before, height), slice(self.before, width)


def rows_as_channels(x: Tensor, side: int, dilation: int = 1) -> Tensor:
    """(B, n, h, w) -> (B, side n, h, w - dilation (side - 1)).

    Channel d n + c of the result is channel c, `dilation * d` pixels to the right.
    """
    last = x.contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    rows, columns, pixels, _ = last.stride()
    count, height, width, channels = last.shape
    windows = last.as_strided(
        (count, height, width - dilation * (side - 1), side, channels),
        (rows, columns, pixels, dilation * pixels, 1),
        last.storage_offset(),
    )
    return windows.flatten(3).contiguous().permute(0, 3, 1, 2)


def add_channels_to_rows(rows: Tensor, x: Tensor, dilation: int = 1) -> None:
    """Add the adjoint of `rows_as_channels` to x."""
    channels, width = x.shape[1], rows.shape[-1]
    rows = rows.to(x.dtype).contiguous()  # contiguous planes add five times as fast
    for d in range(rows.shape[1] // channels):
        x[..., dilation * d : dilation * d + width] += rows[:, d * channels : (d + 1) * channels]


def _sum_of_logs(u: Tensor, dtype: torch.dtype) -> Tensor:
    """sum log u over the places, (B, K, rows, columns) -> (B, K).

    One logarithm of a product costs half of two logarithms. Products of two are finite up to responses of
    1e9.
    """
    half = u.shape[2] // 2
    pairs = (u[:, :, :half] * u[:, :, half : 2 * half]).log_().sum((2, 3), dtype=dtype)
    return pairs + u[:, :, 2 * half :].log().sum((2, 3), dtype=dtype)


def without_negligible(banks: tuple[Bank, ...]) -> tuple[Bank, ...]:
    """The banks without their weakest filters, which have no visible effect (docs/performance.md).

    Since |t / (1 + t^2)| is at most 1/2, w ||f|| bounds the pull of a filter on a picture. The filters with
    the smallest bounds are dropped as long as all of them together have at most the share `_NEGLIGIBLE` of
    the total. Filters with equal pulls stay or go together.
    """
    pulls = [bank.weights * bank.kernels.float().flatten(1).norm(dim=1) for bank in banks]
    weakest = torch.cat(pulls).sort().values
    if not bool(weakest.isfinite().all()):  # a check of the result will find this
        return banks
    negligible = int((weakest.cumsum(0) <= _NEGLIGIBLE * weakest.sum()).sum())
    least = weakest[negligible] * (1 - _ALIKE)
    kept = [bank.only(pull >= least) for bank, pull in zip(banks, pulls, strict=True)]
    return tuple(bank for bank in kept if len(bank.weights))


def summed(
    banks: tuple[Bank, ...], stride: int, x: Tensor, wide: int, valued: bool = True
) -> tuple[Tensor, Tensor]:
    """The sum of the scores of x (B, C, H, W), (B,), and its gradient, computed `wide` pixels at a time.

    `valued` says whether the sum is needed. If not, the first result is meaningless.
    """
    value = x.new_zeros(x.shape[0])
    gradient = torch.zeros_like(x)
    covered = whole_patches(x, stride)
    slope = whole_patches(gradient, stride)
    for bank in banks:
        value += bank.sum_and_spread(covered, slope, wide, valued)
    return value, gradient


def whole_patches(x: Tensor, stride: int) -> Tensor:
    """x (B, C, H, W) without the last rows and columns that do not fill a stride."""
    height, width = (size // stride * stride for size in x.shape[-2:])
    return x[..., :height, :width]


def at_four_pixels(filters: Tensor) -> Tensor:
    """(K, C, 7, 7) -> (4 K, 4 C, 4, 4), for the picture at half the resolution.

    Each filter is applied at each pixel of a block of 2 x 2.
    """
    placed = [_at_pixel(filters, down, right) for down, right in product((0, 1), repeat=2)]
    return torch.stack(placed, 1).flatten(0, 1)


def at_first_pixel(filters: Tensor) -> Tensor:
    """(K, C, 7, 7) -> (K, 4 C, 4, 4): as `at_four_pixels`, with each filter at the first of the four
    pixels."""
    return _at_pixel(filters, 0, 0)


def _at_pixel(filters: Tensor, down: int, right: int) -> Tensor:
    count, channels, side, _ = filters.shape
    half = (side + 1) // 2
    wide = functional.pad(filters, (right, 1 - right, down, 1 - down))
    blocks = wide.reshape(count, channels, half, 2, half, 2).permute(0, 1, 3, 5, 2, 4)
    return blocks.reshape(count, 4 * channels, half, half)
