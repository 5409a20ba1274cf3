"""Sinograms from files: TIFF, PNG and NumPy with one row for each angle, and Data Exchange in HDF5.

Numbers are returned as stored and not on [0,1], because line integrals and counts have units. A file with
several sinograms (pages of a TIFF, the first dimension of an array, the rows of a detector in HDF5) gives all
of them, or a selected one. Nothing is transposed by guessing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import InputError, UsageError
from alr_cli.files.atomic import read_bytes, shown
from alr_cli.files.limits import MAX_PIXELS
from alr_cli.files.picture import FULL
from alr_cli.files.quiet import quiet

EXTENSIONS = (".tif", ".tiff", ".png", ".npy", ".h5", ".hdf5", ".nxs")
_NPY, _HDF5 = b"\x93NUMPY", b"\x89HDF\r\n\x1a\n"
_EXCHANGE = "exchange"
_PAGES = 100_000

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scan:
    """The content of a file.

    Attributes:
        sinograms: (slices, angles, detectors), as stored.
        angles: In degrees, (angles,), if the file states them.
        flat, dark: (slices, detectors), measured without the object and without rays.
    """

    sinograms: Floats
    angles: NDArray[np.float64] | None = None
    flat: Floats | None = None
    dark: Floats | None = None


def read_scan(
    path: str | Path, number: int | None = None, *, max_values: int = MAX_PIXELS, data: bytes | None = None
) -> Scan:
    """Read the sinograms of a file.

    Args:
        path: The file, or its name for error messages.
        number: Which sinogram to read, counted from 0; None for all.
        max_values: Limit of the number of values.
        data: The bytes of the file, if they were read already.

    Raises:
        InputError: The file cannot be read.
        UsageError: h5py is needed for HDF5 and is not installed.
    """
    data = read_bytes(path) if data is None else data
    try:
        with quiet():
            scan = _reader(data)(data, number, max_values)
    except (InputError, UsageError) as error:
        raise type(error)(f"cannot read {shown(path)}: {error}") from error
    except MemoryError as error:
        raise InputError(
            f"cannot read {shown(path)}: it needs more memory than there is; split it first"
        ) from error
    except Exception as error:  # a damaged file makes decoders raise almost anything
        detail = " ".join(f"{type(error).__name__}: {error}".split())[:160]
        raise InputError(
            f"cannot read {shown(path)}: it is damaged ({detail}); get an undamaged copy"
        ) from error
    return scan


def read_row(path: str | Path, detectors: int, what: str, *, max_values: int = MAX_PIXELS) -> Floats:
    """A flat or dark field (detectors,): one row of numbers, or several rows, which are averaged."""
    rows = read_scan(path, max_values=max_values).sinograms
    if rows.shape[-1] != detectors:
        raise InputError(
            f"{what} {path} has {rows.shape[-1]} columns and the sinogram has {detectors}: they must have "
            "the same width"
        )
    return np.asarray(rows.reshape(-1, detectors).mean(0), np.float32)


def read_angles(path: str | Path) -> NDArray[np.float64]:
    """The numbers (angles,) in a NumPy file, or in a text file with any separators."""
    data = read_bytes(path)
    values: NDArray[np.float64]
    try:
        if data.startswith(_NPY):
            values = np.asarray(np.load(BytesIO(data), allow_pickle=False), np.float64).reshape(-1)
        else:
            lines = data.decode("utf-8-sig").splitlines()
            words = " ".join(line.split("#")[0] for line in lines).replace(",", " ").replace(";", " ").split()
            values = np.array([float(word) for word in words], np.float64)
    except Exception as error:
        raise InputError(
            f"--angles {path} is not a list of numbers: write one angle per line, or a NumPy file"
        ) from error
    if not len(values) or not np.isfinite(values).all():
        raise InputError(
            f"--angles {path} has no angles, or some that are not finite: write one angle per line"
        )
    return values


def _reader(data: bytes) -> Callable[[bytes, int | None, int], Scan]:
    if data.startswith(_NPY):
        return _read_npy
    if data.startswith(_HDF5):
        return _read_hdf5
    return _read_picture


def _read_npy(data: bytes, number: int | None, max_values: int) -> Scan:
    stream = BytesIO(data)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = read(stream)
    if kind.kind not in "fiu":
        raise InputError(f"it holds {kind} and not real numbers; save a table of numbers with numpy.save")
    if math.prod(shape) > max_values:
        raise _too_large(shape, max_values)
    values = np.load(BytesIO(data), allow_pickle=False)
    if values.ndim not in (2, 3):
        raise InputError(f"it has {values.ndim} dimensions; a sinogram has 2, and a stack of them 3")
    return Scan(_chosen(values if values.ndim == 3 else values[None], number))


def _read_picture(data: bytes, number: int | None, max_values: int) -> Scan:
    from alr_cli.files.pictures import decode

    pages: list[Floats] = []
    count = _count_pages(data)
    if number is not None and number >= count:
        raise _no_such(number, count)
    for page in range(count) if number is None else [number]:
        try:
            picture = decode(data, page=page + 1, max_pixels=max_values, allow_nan=True)
        except InputError as error:  # the name of the file is added by the caller
            raise InputError(str(error).removeprefix(f"cannot read {shown('-')}: ")) from error
        if picture.channels != 1 or picture.alpha is not None:
            raise InputError("it has colours or transparency; a sinogram is one gray plane")
        pages.append(picture.pixels[..., 0] * np.float32(FULL[picture.depth]))
        if pages[-1].shape != pages[0].shape:
            raise InputError("its pages differ in size; choose one with --slice")
        if sum(each.size for each in pages) > max_values:
            raise _too_large((count, *pages[0].shape), max_values)
    return Scan(np.stack(pages))


def _count_pages(data: bytes) -> int:
    if not data.startswith((b"II", b"MM")):
        return 1
    from alr_cli.files.ifd import open_tiff, page_offsets

    return min(_PAGES, len(page_offsets(data, *open_tiff(data))))


def _read_hdf5(data: bytes, number: int | None, max_values: int) -> Scan:
    """/exchange/data (angles, rows, detectors), data_white and data_dark in the same form, theta in
    degrees."""
    try:
        import h5py
    except ImportError as error:
        raise UsageError("it is HDF5, which needs h5py: pip install h5py, or save a float TIFF") from error
    with h5py.File(BytesIO(data), "r") as file:
        group = file.get(_EXCHANGE)
        if group is None or "data" not in group:
            raise InputError("it has no /exchange/data; convert it to Data Exchange, or save a float TIFF")
        stored = group["data"]
        if stored.ndim != 3:
            raise InputError(f"/exchange/data has {stored.ndim} dimensions and not angles x rows x detectors")
        rows = slice(None) if number is None else slice(number, number + 1)
        if number is not None and number >= stored.shape[1]:
            raise _no_such(number, stored.shape[1])
        values = stored.shape[0] * stored.shape[2] * (stored.shape[1] if number is None else 1)
        if values > max_values:
            raise _too_large(stored.shape, max_values)
        sinograms = np.asarray(stored[:, rows], np.float32).transpose(1, 0, 2)
        flat, dark = (
            np.asarray(group[name][:, rows], np.float32).mean(0) if name in group else None
            for name in ("data_white", "data_dark")
        )
        theta = np.asarray(group["theta"], np.float64).reshape(-1) if "theta" in group else None
    return Scan(np.ascontiguousarray(sinograms), theta, flat, dark)


def _chosen(values: NDArray[Any], number: int | None) -> Floats:
    if number is not None and number >= len(values):
        raise _no_such(number, len(values))
    part = values if number is None else values[number : number + 1]
    with np.errstate(over="ignore"):  # 64-bit floats may overflow; inf is refused later
        return np.ascontiguousarray(part, dtype=np.float32)


def _no_such(number: int, count: int) -> InputError:
    return InputError(f"--slice {number} was asked for, but it holds {count}, counted from 0")


def _too_large(shape: tuple[int, ...], most: int) -> InputError:
    size = " x ".join(str(side) for side in shape)
    return InputError(
        f"{size} numbers are more than the limit of {most / 1e6:g} million; choose one with --slice, or "
        "raise --max-pixels"
    )
