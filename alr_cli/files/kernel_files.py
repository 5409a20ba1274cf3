"""A blur kernel from what was typed: a specification such as gaussian:7:3, or file:PATH."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.operators.kernels import GRAMMAR, Kernel, normalize_kernel, parse_kernel
from alr_cli.errors import InputError, UsageError
from alr_cli.files.atomic import read_bytes
from alr_cli.files.quiet import quiet

MAX_BYTES = 64 * 2**20  # a kernel has at most 999 x 999 weights
_NPY = b"\x93NUMPY"


def read_kernel(spec: str) -> tuple[Kernel, str | None]:
    """The kernel (h, w), with odd sides and sum 1, and a note if the weights of the file had another sum.

    file:PATH is a NumPy file (.npy) of real numbers, or a gray picture. Everything else is parsed by
    `parse_kernel`.

    Raises:
        InputError: The file cannot be read.
        UsageError: The content of the file, or the text, is not a kernel.
    """
    kind, _, path = spec.partition(":")
    if kind != "file":
        return parse_kernel(spec), None
    if not path:
        raise UsageError(f"kernel {spec!r} names no file: {GRAMMAR}")
    weights = _weights(read_bytes(path, max_bytes=MAX_BYTES), path)
    try:
        kernel = normalize_kernel(weights)
    except UsageError as error:
        raise UsageError(f"kernel file {path}: {error}") from error
    with np.errstate(over="ignore"):
        total = float(weights.sum(dtype=np.float64))
    return kernel, None if abs(total - 1) <= 1e-6 else f"kernel normalised: its sum was {total:.6g}"


def encode_kernel(kernel: Kernel, path: str) -> bytes:
    """A kernel (h, w) as a file that `file:PATH` can read.

    It is a NumPy file if the path ends in .npy, and otherwise a 16-bit gray PNG in which the largest weight
    is white.
    """
    if path.endswith(".npy"):
        stream = BytesIO()
        np.save(stream, kernel)
        return stream.getvalue()
    from alr_cli.files.pictures import Picture, encode

    white = np.maximum(kernel, 0) / kernel.max()
    return encode(Picture(white[..., None].astype(np.float32), "uint16", "png"), "png")


def _weights(data: bytes, path: str) -> NDArray[Any]:
    if data.startswith(_NPY):
        try:
            with quiet():
                weights: NDArray[Any] = np.load(BytesIO(data), allow_pickle=False)
        except Exception as error:  # a damaged header makes NumPy raise almost anything
            raise InputError(
                f"cannot read the kernel {path}: the NumPy file is damaged or holds objects; "
                "save a table of numbers with numpy.save"
            ) from error
        return weights
    from alr_cli.files.pictures import (
        decode,
    )  # the codecs are slow to import and needed only for pictures

    picture = decode(data, path)
    if picture.alpha is not None or (picture.pixels != picture.pixels[..., :1]).any():
        raise UsageError(f"kernel file {path} has colours or transparency: save it as a gray picture")
    return picture.pixels[..., 0]
