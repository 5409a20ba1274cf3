"""k >= 0, sum k = 1: blur kernels from a text such as gaussian:7:3, for the convolution A x = k * x of eq.
1."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from alr_cli.errors import UsageError

Kernel = NDArray[np.float64]

MAX_SIZE = 999  # pixels a side
_FREQUENCIES = 256  # in each direction, over which the amplitude is averaged
SUBPIXELS = 16  # per side: the coverage of a pixel is counted on 16 x 16 points

GRAMMAR = (
    "write gaussian:SIZE:SIGMA, motion:LENGTH:ANGLE, disk:RADIUS, box:SIZE or file:PATH, "
    "for instance gaussian:7:3, motion:15:30, disk:2.5, box:5"
)


def parse_kernel(spec: str) -> Kernel:
    """The kernel that `spec` describes: (h, w) float64, h and w odd, sum 1.

    gaussian:SIZE:SIGMA   exp(-r^2 / (2 SIGMA^2)) sampled on SIZE x SIZE pixels motion:LENGTH:ANGLE   a line
    LENGTH pixels long and one wide, ANGLE degrees counter-clockwise from the x axis disk:RADIUS           the
    share of each pixel that a disk of this radius covers (defocus) box:SIZE              the mean over SIZE x
    SIZE pixels

    SIZE is odd, LENGTH >= 1, SIGMA and RADIUS > 0. No kernel is larger than 999 x 999 pixels. Raises
    UsageError, whose message states the grammar.
    """
    kind, *fields = spec.split(":")
    if kind not in _KINDS:
        raise UsageError(f"unknown kernel {spec!r}: {GRAMMAR}")
    names, make = _KINDS[kind]
    form = ":".join((kind, *names))
    if len(fields) != len(names):
        raise UsageError(f"kernel {spec!r} should read {form}: {GRAMMAR}")
    try:
        kernel: Kernel = make(*(_number(name, text) for name, text in zip(names, fields, strict=True)))
    except ValueError as error:
        raise UsageError(f"kernel {spec!r} ({form}): {error}; {GRAMMAR}") from None
    kernel /= kernel.sum()
    return kernel


def normalize_kernel(array: ArrayLike) -> Kernel:
    """An array (h, w) as a kernel: divided by its sum, as float64. Negative weights are allowed.

    Raises UsageError unless it is two-dimensional, real and finite, with odd sides of at most 999 and a
    positive sum.
    """
    kernel = np.asarray(array)
    if kernel.ndim != 2 or kernel.dtype.kind not in "buif":
        shape = " x ".join(str(side) for side in kernel.shape)
        raise UsageError(
            f"a kernel is a table of real numbers with two axes, not {kernel.dtype} of shape ({shape})"
        )
    height, width = kernel.shape
    if height % 2 == 0 or width % 2 == 0 or max(height, width) > MAX_SIZE:
        raise UsageError(f"a kernel has odd sides of at most {MAX_SIZE} pixels, not {height} x {width}")
    kernel = kernel.astype(np.float64)  # always a copy
    if not np.isfinite(kernel).all():
        raise UsageError("the kernel contains NaN or infinite weights: give finite ones")
    # Scale first, so that neither the sum nor the division can overflow.
    kernel = kernel / max(float(np.abs(kernel).max()), np.finfo(np.float64).tiny)
    total = kernel.sum()
    if not total > 1e-9:
        raise UsageError(
            "the weights of the kernel do not add up to a positive number: a blur keeps brightness"
        )
    kernel /= total
    return kernel


def norm_of(kernel: Kernel) -> float:
    """||k||_2 = sqrt(E ||A* e||^2 / E ||e||^2): the share of white noise e that a blur passes on to the
    gradient of the data term."""
    return float(np.sqrt(np.sum(kernel**2)))


def mean_amplitude(kernel: Kernel) -> float:
    """The mean of |K| over all frequencies: the share of a picture that a blur passes."""
    sides = [max(side, _FREQUENCIES) for side in kernel.shape]
    return float(np.abs(np.fft.fft2(kernel, s=sides)).mean())


def _gaussian(size: float, sigma: float) -> Kernel:
    radius = _odd(size) // 2
    if not sigma > 0:
        raise ValueError(f"SIGMA must be greater than 0, not {sigma:g}")
    with np.errstate(over="ignore"):  # for a tiny sigma, exp(-inf) = 0 off the centre
        g: Kernel = np.exp(-((np.arange(-radius, radius + 1) / sigma) ** 2) / 2)
    return g[:, None] * g


def _motion(length: float, angle: float) -> Kernel:
    if not 1 <= length <= MAX_SIZE:
        raise ValueError(f"LENGTH must lie between 1 and {MAX_SIZE} pixels, not {length:g}")
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))

    def inside(x: Kernel, y: Kernel) -> NDArray[np.bool_]:
        along, across = x * cos + y * sin, y * cos - x * sin
        return (np.abs(along) < length / 2) & (np.abs(across) < 0.5)

    return _coverage(
        inside, (length * abs(sin) + abs(cos)) / 2, (length * abs(cos) + abs(sin)) / 2
    )  # half the height and width of the rotated line


def _disk(radius: float) -> Kernel:
    if not 0 < radius <= MAX_SIZE / 2:
        raise ValueError(f"RADIUS must be greater than 0 and at most {MAX_SIZE / 2:g} pixels, not {radius:g}")
    if radius <= 0.5:  # within one pixel
        return np.ones((1, 1))
    return _coverage(lambda x, y: x**2 + y**2 < radius**2, radius, radius)


def _box(size: float) -> Kernel:
    return np.ones((_odd(size), _odd(size)))


def _coverage(
    inside: Callable[[Kernel, Kernel], NDArray[np.bool_]], half_height: float, half_width: float
) -> Kernel:
    """The number of sampling points of each pixel that lie inside a centred shape; x points right, y up."""
    # A shape that ends at the edge of a pixel, up to rounding, does not enter the next pixel.
    rows, columns = (math.ceil(half - 0.5 - 1e-9) for half in (half_height, half_width))
    y, x = np.mgrid[rows : -rows - 1 : -1, -columns : columns + 1].astype(np.float64)
    offsets = (np.arange(SUBPIXELS) + 0.5) / SUBPIXELS - 0.5
    covered = np.zeros(x.shape)
    for dy in offsets:
        for dx in offsets:
            covered += inside(x + dx, y + dy)
    return covered


def _odd(size: float) -> int:
    if not (1 <= size <= MAX_SIZE and size % 2 == 1):
        raise ValueError(f"SIZE must be an odd whole number from 1 to {MAX_SIZE}, not {size:g}")
    return int(size)


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, not {text!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, not {text!r}")
    return number


_KINDS: dict[str, tuple[tuple[str, ...], Callable[..., Kernel]]] = {
    "gaussian": (("SIZE", "SIGMA"), _gaussian),
    "motion": (("LENGTH", "ANGLE"), _motion),
    "disk": (("RADIUS",), _disk),
    "box": (("SIZE",), _box),
}
