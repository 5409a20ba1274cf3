"""k of A x = k * x for a benchmark: a spec as for `alr deblur`, or npz:FILE:NAME, one of a file of kernels"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.operators.kernels import Kernel, normalize_kernel
from alr_cli.errors import InputError, UsageError
from alr_cli.files.kernel_files import read_kernel

GS_PNP_SIGMAS = (
    2.55 / 255,
    7.65 / 255,
    12.75 / 255,
)  # Hurault, Leclaire and Papadakis (2022), circular blurs
GS_PNP_KERNELS = ("box:9", "gaussian:25:1.6")  # after the eight motion blurs of Levin et al. (2009)
LEVIN = "levin"  # how the names of these begin, in any case, in a file of several kinds


def read_blur(spec: str) -> tuple[Kernel, str | None]:
    """The kernel (h, w), odd sides, sum 1, and a note if it was normalised. Raises UsageError, InputError."""
    kind, _, rest = spec.partition(":")
    if kind != "npz":
        return read_kernel(spec)
    path, _, name = rest.rpartition(":")
    weights = _contents(path)[name]
    total = float(weights.sum(dtype=np.float64))
    try:
        kernel = normalize_kernel(weights)
    except UsageError as error:
        raise UsageError(f"kernel {name} of {path}: {error}") from error
    return kernel, None if abs(total - 1) <= 1e-6 else f"kernel {name} normalised: its sum was {total:.6g}"


def gs_pnp(path: str) -> tuple[str, ...]:
    """The specs of the ten kernels; the motion blurs are those of the .npz file `path` that are called
    Levin's, or all of it. Raises InputError."""
    names = sorted(_contents(path))
    levin = [name for name in names if name.lower().startswith(LEVIN)] or names
    return (*(f"npz:{path}:{name}" for name in levin), *GS_PNP_KERNELS)


def _contents(path: str) -> dict[str, NDArray[Any]]:
    if not Path(path).is_file():
        raise InputError(f"--kernels {path} does not exist: name a .npz file of kernels")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception as error:  # whatever a damaged archive makes NumPy raise; a .npy file has no names
        raise InputError(
            f"--kernels {path} cannot be read: save the kernels by name with numpy.savez"
        ) from error
