"""Find the pictures in a folder, and say in a sentence what was left out."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from alr_cli.errors import InputError
from alr_cli.files.sniff import EXTENSIONS, remedy_of_name

Kind = Literal["missing", "file", "folder", "special"]


def kind_of(path: Path) -> Kind:
    """What a path refers to. `special` is a pipe or a device. A path that cannot be examined counts as
    missing."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return "missing"
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "special"


@dataclass
class Content:
    """What a folder contains.

    Attributes:
        folder: The folder.
        pictures: The pictures to read.
        special: Pipes and devices with the names of pictures.
        others: Number of files with other names, by suffix.
        folders: Number of folders that were not searched.
        outputs: Number of files that are outputs of an earlier run.
    """

    folder: Path
    pictures: list[Path] = field(default_factory=list)
    special: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    folders: int = 0
    outputs: int = 0

    def in_order(self) -> list[Path]:
        """The pictures, folder by folder."""
        return sorted(self.pictures, key=lambda path: path.parts)

    def notes(self, recursive: bool) -> Iterator[str]:
        """Sentences about what was left out. Texts and folders beside pictures are not mentioned."""
        for path in self.special:
            yield f"{path} is skipped: it is a pipe or a device, and may never end"
        pictures = {suffix: count for suffix, count in self.others.items() if remedy_of_name(suffix)}
        if self.pictures:
            if pictures:
                yield f"left out of {self.folder}: {_counted(pictures)}"
            return
        inside = [_counted(pictures)] * bool(pictures)
        unknown = self.others.total() - sum(pictures.values())
        if unknown:
            known = ", ".join(sorted({suffix for suffix in EXTENSIONS if len(suffix) == 4}))
            inside.append(f"{_files(unknown)} with none of the suffixes {known}")
        if self.outputs:
            inside.append(f"{_files(self.outputs)} that --suffix takes for earlier outputs")
        if self.folders:
            inside.append(f"{self.folders} folder{'s' * (self.folders > 1)}: -r looks into folders")
        if self.special:
            inside.append("pipes and devices")
        below = " and its folders" if recursive else ""
        content = f"it holds {'; and '.join(inside)}" if inside else "it is empty"
        yield f"no pictures found in {self.folder}{below}: {content}"


def _counted(suffixes: dict[str, int]) -> str:
    """`12 files .cr2, .nef (develop them ...)`, for each remedy."""
    by_remedy: dict[str, list[str]] = {}
    for suffix in sorted(suffixes):
        by_remedy.setdefault(remedy_of_name(suffix) or "", []).append(suffix)
    return "; and ".join(
        f"{_files(sum(suffixes[suffix] for suffix in group))} {', '.join(group)} ({remedy})"
        for remedy, group in by_remedy.items()
    )


def _files(count: int) -> str:
    return f"{count} file{'s' * (count > 1)}"


def look_into(folder: Path, *, recursive: bool, suffix: str | None, output: Path | None) -> Content:
    """Search a folder for pictures.

    Args:
        folder: The folder.
        recursive: Whether to search folders inside it.
        suffix: The suffix of outputs of an earlier run, which are left out.
        output: A folder that is not searched.

    Raises:
        InputError: A folder cannot be listed.
    """
    avoided = os.path.realpath(output) if output is not None else None
    content = Content(folder)
    try:
        for place, folders, names in os.walk(folder, onerror=_raise):
            for name in names:
                _sort_in(Path(place) / name, suffix, content)
            inner = [
                name
                for name in folders
                if not name.startswith(".") and os.path.realpath(Path(place) / name) != avoided
            ]
            folders[:] = inner if recursive else []
            content.folders += 0 if recursive else len(inner)
    except OSError as error:
        raise InputError(f"folder {error.filename} cannot be listed ({error.strerror})") from error
    return content


def _sort_in(path: Path, suffix: str | None, content: Content) -> None:
    if path.name.startswith("."):
        return
    if path.suffix.lower() not in EXTENSIONS:
        content.others[path.suffix.lower()] += 1
    elif suffix is not None and path.stem.endswith(suffix):
        content.outputs += 1
    else:
        (content.special if kind_of(path) == "special" else content.pictures).append(path)


def _raise(error: OSError) -> None:
    raise error
