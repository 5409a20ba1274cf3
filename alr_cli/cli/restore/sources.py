"""From what was typed to the pictures it means: files, stdin, folders in a fixed order."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

from alr_cli.errors import AlrError, InputError, UsageError
from alr_cli.files.sniff import EXTENSIONS


@dataclass(frozen=True)
class Source:
    """One picture to read.

    path: None is stdin. relative: its name below the folder that was typed, by which masks and references
    are found and trees are mirrored. problem: why it cannot be read, where that is already known.
    """

    path: Path | None
    relative: PurePath
    problem: AlrError | None = None

    def __str__(self) -> str:
        return "-" if self.path is None else str(self.path)


Kind = Literal["missing", "file", "folder", "special"]


def kind_of(path: Path) -> Kind:
    """What stands there; `special` is a pipe or a device. A path that cannot be asked about is missing."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return "missing"
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "special"


def find_sources(
    inputs: list[str], *, recursive: bool = False, suffix: str | None = None, output: Path | None = None
) -> list[Source]:
    """The pictures meant by `inputs`, folders sorted. Raises UsageError.

    suffix: pictures in folders that end in it are earlier outputs and left out. output: a folder that is not
    looked into, for the same reason.
    """
    if "-" in inputs and len(inputs) > 1:
        raise UsageError("INPUT - is stdin and stands alone: name files, or pipe one picture")
    sources: list[Source] = []
    for text in inputs:
        path = Path(text)
        if text == "-":
            sources.append(Source(None, PurePath("stdin")))
        elif kind_of(path) == "folder":
            sources += _in_folder(path, recursive=recursive, suffix=suffix, output=output)
        else:
            sources.append(Source(path, PurePath(path.name), _problem(path)))
    return sources


def partner(named: Path, source: Source, option: str) -> Path:
    """The file that belongs to `source`: `named` itself, or the one of equal name in the folder `named`."""
    path = named / source.relative if kind_of(named) == "folder" else named
    if kind_of(path) == "missing":
        raise InputError(f"{option} {path} does not exist: check the path and the name")
    return path


def _in_folder(folder: Path, *, recursive: bool, suffix: str | None, output: Path | None) -> list[Source]:
    avoided = os.path.realpath(output) if output is not None else None
    found: list[Path] = []
    try:
        for place, folders, names in os.walk(folder, onerror=_raise):
            here = Path(place)
            found += [here / name for name in names if _is_picture(name, suffix)]
            folders[:] = [
                name
                for name in folders
                if recursive and not name.startswith(".") and os.path.realpath(here / name) != avoided
            ]
    except OSError as error:
        raise InputError(f"folder {error.filename} cannot be listed ({error.strerror})") from error
    return [Source(path, path.relative_to(folder)) for path in sorted(found, key=lambda path: path.parts)]


def _is_picture(name: str, suffix: str | None) -> bool:
    stem = PurePath(name).stem
    known = PurePath(name).suffix.lower() in EXTENSIONS and not name.startswith(".")
    return known and not (suffix is not None and stem.endswith(suffix))


def _problem(path: Path) -> InputError | None:
    try:
        path.stat()
    except FileNotFoundError:
        return InputError(f"{path} does not exist: check the path")
    except OSError as error:
        return InputError(f"{path} cannot be opened ({error.strerror}): check the path")
    return None


def _raise(error: OSError) -> None:
    raise error
