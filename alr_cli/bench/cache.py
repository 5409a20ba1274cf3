"""Stored results, so that an interrupted benchmark continues where it stopped

Each result is one small file. Its key covers everything the result depends on: every pixel of the method's
input, the clean picture it is compared with, the code of the method and of the metrics, and the weights. A
stored result is therefore never out of date.

    python -m alr_cli.bench.cache pack FILE      write all scores of the cache folder to one file, one per
    line
    python -m alr_cli.bench.cache unpack FILE    add the scores of such a file to the cache folder
"""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import typer

from alr_cli.errors import AlrError, InputError
from alr_cli.files.atomic import read_bytes, write_atomic

_KEY = re.compile("[0-9a-f]{64}")


def default_folder() -> Path:
    """The folder that ALR_CACHE names, else `alr` in the user's cache folder."""
    named = os.environ.get("ALR_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "alr"


@dataclass(frozen=True)
class Cache:
    """Results by key.

    Attributes:
        folder: Where they are stored. None stores nothing.
    """

    folder: Path | None

    def scores(self, key: str) -> dict[str, Any] | None:
        """The stored scores, or None if there are none or their file is unreadable or malformed."""
        data = self._read(key, ".json")
        try:
            stored = json.loads(data) if data is not None else None
        except ValueError:
            return None
        return stored if isinstance(stored, dict) else None

    def picture(self, key: str) -> bytes | None:
        """The stored picture, still encoded as PNG, or None."""
        return self._read(key, ".png")

    def keep(self, key: str, scores: dict[str, Any], picture: bytes | None) -> None:
        """Store a result, and its picture if there is one. Raises OutputError if it cannot be written."""
        if self.folder is None:
            return
        self._path(key, "").parent.mkdir(parents=True, exist_ok=True)
        if picture is not None:
            write_atomic(self._path(key, ".png"), picture)
        write_atomic(self._path(key, ".json"), json.dumps(scores, allow_nan=False).encode())

    def pack(self) -> str:
        """All scores as lines of JSON, sorted by key."""
        lines = []
        for path in sorted(self.folder.glob("results/??/*.json")) if self.folder is not None else ():
            key = path.parent.name + path.stem
            scores = self.scores(key)
            if scores is not None:
                lines.append(json.dumps({"key": key, **scores}, allow_nan=False) + "\n")
        return "".join(lines)

    def unpack(self, text: str) -> int:
        """Store those scores of a packed file that are not stored yet, and return their number.

        Raises:
            InputError: A line is not a result.
            OutputError: A result cannot be written.
        """
        new = 0
        for number, line in enumerate(text.splitlines(), 1):
            try:
                scores = json.loads(line)
                key = scores.pop("key")
                if not _KEY.fullmatch(key):
                    raise ValueError(key)
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise InputError(
                    f"line {number} of the packed results is not a result: pack them again"
                ) from error
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


def main(verb: Literal["pack", "unpack"], file: Path) -> None:
    """Pack the default cache folder into a file, or unpack such a file into it."""
    cache = Cache(default_folder())
    if verb == "pack":
        write_atomic(file, cache.pack().encode())
    else:
        sys.stdout.write(f"{cache.unpack(read_bytes(file).decode())} new results\n")


if __name__ == "__main__":
    typer.run(main)
