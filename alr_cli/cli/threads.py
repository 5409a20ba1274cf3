"""How many threads compute, and how they wait for each other. torch reads this once, when it is loaded."""

import math
import os
from collections.abc import MutableMapping
from pathlib import Path

_V2, _V1 = "sys/fs/cgroup/cpu.max", "sys/fs/cgroup/cpu"


def prepare_threads(environment: MutableMapping[str, str]) -> None:
    """Set the OpenMP environment, unless it is set already.

    OpenMP starts one thread for each processor that this process may use. Threads that wait for others sleep.
    By default they spin, which takes processors from the very threads that are waited for if other programs
    run, and slows the work down many times.
    """
    environment.setdefault("OMP_NUM_THREADS", str(processors()))
    environment.setdefault("OMP_WAIT_POLICY", "passive")


def processors(root: Path = Path("/")) -> int:
    """The number of processors that this process may use, by its affinity and the quota of its container."""
    affinity = getattr(os, "sched_getaffinity", None)  # only Linux has it
    count = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quota = _quota(root)
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def _quota(root: Path) -> float | None:
    """The number of processors that a control group grants; None for no limit. A container sees its own group
    at `root`."""
    for files in ([root / _V2], [root / _V1 / "cpu.cfs_quota_us", root / _V1 / "cpu.cfs_period_us"]):
        try:
            quota, period = " ".join(file.read_text() for file in files).split()
            if float(quota) > 0:
                return float(quota) / float(period)
        except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
            continue
    return None
