"""How many threads compute, and how they wait for each other: torch reads it once, when it is loaded."""

import math
import os
from collections.abc import MutableMapping
from pathlib import Path

_V2, _V1 = "sys/fs/cgroup/cpu.max", "sys/fs/cgroup/cpu"


def prepare_threads(environment: MutableMapping[str, str]) -> None:
    """Have OpenMP start a thread for each processor that this process may use, and let threads that wait for
    others sleep. By default they spin: where other programs want the processors, that takes them from the
    very threads that are waited for, and the work takes many times as long. What the environment says stays.
    """
    environment.setdefault("OMP_NUM_THREADS", str(processors()))
    environment.setdefault("OMP_WAIT_POLICY", "passive")


def processors(root: Path = Path("/")) -> int:
    """The processors that this process may use: by its affinity, and by the quota of its container."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    count = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quota = _quota(root)
    return count if quota is None else max(1, min(count, math.ceil(quota)))


def _quota(root: Path) -> float | None:
    """How many processors' time a control group grants, None for any; as a container sees its own group."""
    for files in ([root / _V2], [root / _V1 / "cpu.cfs_quota_us", root / _V1 / "cpu.cfs_period_us"]):
        try:
            quota, period = " ".join(file.read_text() for file in files).split()
            if float(quota) > 0:
                return float(quota) / float(period)
        except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
            continue
    return None
