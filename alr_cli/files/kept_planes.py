"""Planes of a stack that are restored already, kept beside the output until that is whole."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import OutputError

_HEAD = 64
"""Bytes before the first plane: the SHA-256 of all that the planes depend on."""


class KeptPlanes:
    """Float32 planes of one shape, one after the other in a file of the name `.NAME.alr-planes`.

    They count only for the very same work: `work` says all that they depend on. A plane that was not written
    whole does not count. Raises OutputError where the file cannot be written.
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
        """Keep the next one."""
        try:
            self._file.seek(_HEAD + self.count * self._bytes)
            self._file.write(np.ascontiguousarray(pixels, np.float32).tobytes())
            self._file.flush()
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}; make room for it") from error
        self.count += 1

    def close(self, *, done: bool) -> None:
        """done: the output is written and holds them all; a file without any planes is deleted as well."""
        self._file.close()
        if done or self.count == 0:
            self.path.unlink(missing_ok=True)
