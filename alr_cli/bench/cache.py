"""What was computed once: one small file for each result, so that a stopped benchmark goes on where it was

A key says everything a result depends on: what the method was given (every pixel of it), the truth it is
measured against, the code of method and metrics, and the weights. So nothing stored is ever out of date.

    python -m alr_cli.bench.cache pack FILE      all scores of the cache folder in one file, a line each
    python -m alr_cli.bench.cache unpack FILE    and back: what others computed need not be computed again
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alr_cli.errors import AlrError, InputError, UsageError
from alr_cli.files.atomic import read_bytes, write_atomic

_KEY = re.compile("[0-9a-f]{64}")


def default_folder() -> Path:
    """ALR_CACHE, else alr in the user's cache folder."""
    named = os.environ.get("ALR_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alr"


@dataclass(frozen=True)
class Cache:
    """Results by key. folder: None keeps nothing."""

    folder: Path | None

    def scores(self, key: str) -> dict[str, Any] | None:
        """What was stored, or None; a file that cannot be read, or holds something else, counts as none."""
        data = self._read(key, ".json")
        try:
            stored = json.loads(data) if data is not None else None
        except ValueError:
            return None
        return stored if isinstance(stored, dict) else None

    def picture(self, key: str) -> bytes | None:
        """The stored picture, encoded as it was."""
        return self._read(key, ".png")

    def keep(self, key: str, scores: dict[str, Any], picture: bytes | None) -> None:
        """Store a result, and its picture if there is one. Raises OutputError where it cannot be written."""
        if self.folder is None:
            return
        self._path(key, "").parent.mkdir(parents=True, exist_ok=True)
        if picture is not None:
            write_atomic(self._path(key, ".png"), picture)
        write_atomic(self._path(key, ".json"), json.dumps(scores, allow_nan=False).encode())

    def pack(self) -> str:
        """All scores, a line of JSON each, in the order of their keys."""
        lines = []
        for path in sorted(self.folder.glob("results/??/*.json")) if self.folder is not None else ():
            key = path.parent.name + path.stem
            scores = self.scores(key)
            if scores is not None:
                lines.append(json.dumps({"key": key, **scores}, allow_nan=False) + "\n")
        return "".join(lines)

    def unpack(self, text: str) -> int:
        """Store the scores of a packed file that are not there yet; returns how many. Raises InputError for a
        line that is none, OutputError."""
        new = 0
        for number, line in enumerate(text.splitlines(), 1):
            try:
                scores = json.loads(line)
                key = scores.pop("key")
                if not _KEY.fullmatch(key):
                    raise ValueError(key)
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise InputError(f"line {number} of the packed results is none: pack them anew") from error
            if self.scores(key) is None:
                self.keep(key, scores, None)
                new += 1
        return new

    def _read(self, key: str, suffix: str) -> bytes | None:
        if self.folder is None:
            return None
        try:
            return read_bytes(self._path(key, suffix))
        except AlrError:
            return None

    def _path(self, key: str, suffix: str) -> Path:
        assert self.folder is not None
        return self.folder / "results" / key[:2] / f"{key[2:]}{suffix}"


def main(verb: str, name: str) -> None:
    """Pack the default cache folder into a file, or unpack one."""
    cache = Cache(default_folder())
    if verb == "pack":
        write_atomic(Path(name), cache.pack().encode())
    elif verb == "unpack":
        sys.stdout.write(f"{cache.unpack(read_bytes(Path(name)).decode())} new results\n")
    else:
        raise UsageError(f"{verb!r} is neither pack nor unpack")


if __name__ == "__main__":
    main(*sys.argv[1:3])
