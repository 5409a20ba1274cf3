"""(B, C, H, W) in chunks, so that arithmetic on a large picture does not need copies of it

A picture of 24 megapixels takes 288 MB in float32, and so does every intermediate result of its size. A small
picture is one chunk. A large one is split: into planes for operators, which treat each plane alike; into
bands of rows for arithmetic on single pixels; into parts for patches.
"""

from collections.abc import Iterator

from torch import Tensor

Piece = tuple[slice, ...]

WHOLE: Piece = (slice(None),)

_AT_ONCE = 4_000_000  # numbers in one chunk


def small(x: Tensor) -> bool:
    """Whether x is a single chunk."""
    return x.numel() <= _AT_ONCE


def planes(x: Tensor) -> Iterator[Piece]:
    """The slices of (B, C, H, W) to process one after the other: all of a small batch, else (1, 1, H, W)."""
    if small(x):
        yield WHOLE
        return
    for picture in range(x.shape[0]):
        for channel in range(x.shape[1]):
            yield slice(picture, picture + 1), slice(channel, channel + 1)


def pictures(x: Tensor) -> Iterator[Piece]:
    """The slices of (B, ...) to process one after the other: all of a small batch, else (1, ...)."""
    if small(x):
        yield WHOLE
        return
    for picture in range(x.shape[0]):
        yield (slice(picture, picture + 1),)


def bands(x: Tensor, at_once: int = _AT_ONCE) -> Iterator[Piece]:
    """Slices of whole rows of (B, C, H, W), with about `at_once` numbers each; all of any other tensor."""
    if x.dim() != 4:
        yield WHOLE
        return
    height = x.shape[-2]
    rows = height if x.numel() <= at_once else max(1, at_once * height // x.numel())
    for top in range(0, height, rows):
        yield slice(None), slice(None), slice(top, top + rows)


def parts(x: Tensor, axis: int, patch: int, stride: int, most: int) -> Iterator[tuple[slice, slice]]:
    """The patches along an axis of x, in parts of equal size (up to one patch).

    Args:
        x: The tensor.
        axis: The axis.
        patch: Size of a patch in pixels.
        stride: Distance between patches in pixels.
        most: Most pixels in a part, unless a single patch is larger.

    Returns:
        For each part, the range of its patches and the range of the pixels that they see.
    """
    count, halo = (x.shape[axis] - patch) // stride + 1, patch - stride
    number = -(-count // max(1, most // stride))
    for n in range(number):
        first, last = n * count // number, (n + 1) * count // number
        yield slice(first, last), slice(stride * first, stride * last + halo)
