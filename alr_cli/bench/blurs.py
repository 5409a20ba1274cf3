"""k in A x = k * x, for a benchmark

A kernel is given by a spec as for `alr deblur`, or by npz:FILE:NAME, which names one of a file of kernels.
"""

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
)  # the protocol of Hurault, Leclaire and Papadakis (2022), with circular blurs
# used in addition to the eight motion blurs of Levin et al. (2009)
GS_PNP_KERNELS = ("box:9", "gaussian:25:1.6")
LEVIN = "levin"  # prefix of these blurs' names, in any case, in a file with several kinds of kernels


def read_blur(spec: str) -> tuple[Kernel, str | None]:
    """The kernel of a spec.

    Returns:
        The kernel (h, w), with odd sides and sum 1, and a note if it had to be normalised.

    Raises:
        UsageError: The spec does not describe a kernel.
        InputError: The file of kernels is missing or unreadable.
    """
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
    """The specs of the protocol's ten kernels.

    The motion blurs are the kernels of the .npz file `path` whose names begin with `levin`, or all of its
    kernels if there are none such. Raises InputError.
    """
    names = sorted(_contents(path))
    levin = [name for name in names if name.lower().startswith(LEVIN)] or names
    return (*(f"npz:{path}:{name}" for name in levin), *GS_PNP_KERNELS)


def _contents(path: str) -> dict[str, NDArray[Any]]:
    if not Path(path).is_file():
        raise InputError(f"--kernels {path} does not exist: name a .npz file of kernels")
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except Exception as error:  # a damaged archive can raise many errors, and a .npy file has no names
        raise InputError(
            f"--kernels {path} cannot be read: save the kernels by name with numpy.savez"
        ) from error
