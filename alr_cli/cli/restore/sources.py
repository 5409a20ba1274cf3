"""Find the pictures that the inputs refer to: files, stdin, and folders in a fixed order."""

from dataclasses import dataclass
from pathlib import Path, PurePath

from alr_cli.cli.restore.contents import kind_of, look_into
from alr_cli.errors import AlrError, InputError, UsageError


@dataclass(frozen=True)
class Source:
    """One picture to read.

    Attributes:
        path: Its path; None is stdin.
        relative: Its name below the folder that was typed. Masks and references are found by it, and output
            trees mirror it.
        problem: Why it cannot be read, if that is already known.
    """

    path: Path | None
    relative: PurePath
    problem: AlrError | None = None

    def __str__(self) -> str:
        return "-" if self.path is None else str(self.path)


@dataclass(frozen=True)
class Found:
    """The pictures to read, and sentences about what was left out."""

    sources: list[Source]
    notes: tuple[str, ...] = ()


def find_sources(
    inputs: list[str], *, recursive: bool = False, suffix: str | None = None, output: Path | None = None
) -> Found:
    """The pictures that `inputs` refers to. Pictures in folders are sorted.

    Args:
        inputs: What was typed.
        recursive: Whether to search folders inside folders.
        suffix: Pictures in folders whose stem ends in it are outputs of an earlier run and left out.
        output: A folder that is not searched, for the same reason.

    Raises:
        UsageError: stdin was combined with other inputs.
        InputError: There are no pictures.
    """
    if "-" in inputs and len(inputs) > 1:
        raise UsageError(
            "INPUT - is stdin and cannot be combined with others: name files, or pipe one picture"
        )
    sources: list[Source] = []
    notes: list[str] = []
    for text in inputs:
        path = Path(text)
        if text == "-":
            sources.append(Source(None, PurePath("stdin")))
        elif kind_of(path) == "folder":
            content = look_into(path, recursive=recursive, suffix=suffix, output=output)
            sources += [Source(each, each.relative_to(path)) for each in content.in_order()]
            notes += content.notes(recursive)
        else:
            sources.append(Source(path, PurePath(path.name), _problem(path)))
    if not sources:
        raise InputError("; ".join(notes))
    return Found(sources, tuple(notes))


def partner(named: Path, source: Source, option: str) -> Path:
    """The file that belongs to `source`: `named` itself, or the file of the same name in the folder `named`.
    Raises InputError."""
    path = named / source.relative if kind_of(named) == "folder" else named
    if kind_of(path) == "missing":
        raise InputError(f"{option} {path} does not exist: check the path and the name")
    if path != named and kind_of(path) == "special":
        raise InputError(f"{option} {path} is a pipe or a device: name it directly, or put a picture there")
    return path


def _problem(path: Path) -> InputError | None:
    try:
        path.stat()
    except FileNotFoundError:
        return InputError(f"{path} does not exist: check the path")
    except OSError as error:
        return InputError(f"{path} cannot be opened ({error.strerror}): check the path")
    return None
