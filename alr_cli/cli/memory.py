"""What becomes of freed memory: it is kept where there is plenty, and returned to the system elsewhere."""

import ctypes
import os
import sys
from pathlib import Path

LARGE_PAGES = "THP_MEM_ALLOC_ENABLE"  # PyTorch reads it before its first tensor
_V2, _V1 = "sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"
_PLENTY = 12 << 30  # bytes
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h
# Bytes from which on glibc returns a freed array, and free memory at the end of the heap. It accepts no more
# than 32 MB for the former, which is just enough for the features of a block of a large picture.
_KEPT, _RETURNED = (32 << 20, 1 << 30), (16 << 20, 64 << 20)


def prepare_memory(root: Path = Path("/")) -> None:
    """Tell glibc how long to keep freed memory, and PyTorch, which is not loaded yet, whether to ask for
    large pages. Other C libraries are left as they are.

    The system clears each page that it provides. A network that frees and allocates its features in every
    layer spends a quarter of its time on that. Kept memory has gaps between its arrays, however, which add up
    to half to the peak of a large picture. Large pages (2 MB) are cleared faster, but the last one of each
    array is not used in full. They take a quarter of the time off 12 megapixels.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is None:
        return
    plenty = limit(root) >= _PLENTY
    if plenty:
        os.environ.setdefault(LARGE_PAGES, "1")
    array, end = _KEPT if plenty else _RETURNED
    mallopt(_M_MMAP_THRESHOLD, array)
    mallopt(_M_TRIM_THRESHOLD, end)


def limit(root: Path = Path("/")) -> int:
    """The bytes of memory that this process may use: those of the machine, or of its control group, as which
    a container sees its own at `root`."""
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for file in (_V2, _V1):
        try:
            return min(found, int((root / file).read_text()))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return found
