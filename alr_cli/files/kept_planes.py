"""Restored planes of a stack, kept beside the output until that is complete."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import OutputError

_HEAD = 64
"""Bytes before the first plane: the SHA-256 of everything that the planes depend on."""


class KeptPlanes:
    """Float32 planes of one shape, stored one after the other in the file `.NAME.alr-planes`.

    They are valid only for exactly the same work, which `work` describes. A plane that was not written
    completely is ignored. Raises OutputError if the file cannot be written.
    """

    def __init__(self, target: Path, work: dict[str, Any], shape: tuple[int, ...]) -> None:
        self.path = target.with_name(f".{target.name[:200]}.alr-planes")
        self._shape = shape
        self._bytes = 4 * int(np.prod(shape))
        told = json.dumps(work, sort_keys=True, default=str)
        head = hashlib.sha256(told.encode()).hexdigest().encode()
        try:
            self._file = self.path.open("r+b" if self.path.exists() else "w+b")
            if self._file.read(_HEAD) != head:
                self._file.seek(0)
                self._file.truncate()
                self._file.write(head)
            self._file.seek(0, 2)
            self.count = (self._file.tell() - _HEAD) // self._bytes
            self._file.truncate(_HEAD + self.count * self._bytes)
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}; make room for it") from error

    def read(self, index: int) -> NDArray[np.float32]:
        """A plane that was kept."""
        self._file.seek(_HEAD + index * self._bytes)
        return np.frombuffer(self._file.read(self._bytes), np.float32).reshape(self._shape).copy()

    def add(self, pixels: NDArray[np.float32]) -> None:
        """Keep the next plane."""
        try:
            self._file.seek(_HEAD + self.count * self._bytes)
            self._file.write(np.ascontiguousarray(pixels, np.float32).tobytes())
            self._file.flush()
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}; make room for it") from error
        self.count += 1

    def close(self, *, done: bool) -> None:
        """Close the file. It is deleted if it has no planes, or if `done` says that the output is
        complete."""
        self._file.close()
        if done or self.count == 0:
            self.path.unlink(missing_ok=True)
