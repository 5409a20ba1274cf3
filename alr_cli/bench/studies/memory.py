"""The peak memory that a call adds to the process"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

_STATM = Path("/proc/self/statm")
_PERIOD = 0.005  # seconds


class PeakMemory:
    """A context manager that measures memory.

    Attributes:
        added: After the context, the highest resident memory minus that at the start, in bytes, sampled every
            few milliseconds. None except on Linux.
    """

    added: int | None = None

    def __enter__(self) -> PeakMemory:
        self._stop = threading.Event()
        self._start = self._most = resident()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._watcher.join()
        if self._start is not None and self._most is not None:
            self.added = self._most - self._start

    def _watch(self) -> None:
        while self._most is not None and not self._stop.wait(_PERIOD):
            self._most = max(self._most, resident() or 0)


def resident() -> int | None:
    """Resident memory of this process in bytes, or None where it is unknown."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return None
