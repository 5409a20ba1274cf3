"""The pictures of a benchmark, and the folder for its results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.bench.protocol import OBSERVED
from alr_cli.cli.restore.sources import Source, find_sources
from alr_cli.errors import InputError, OutputError, UsageError

if TYPE_CHECKING:
    from alr_cli.bench.degradations import Pixels
    from alr_cli.bench.runs import Done

Read = Callable[[], "Pixels"]


def pictures(data: str | None, limit: int | None) -> list[tuple[str, Read]]:
    """Names and readers of the first `limit` pictures of a folder, or of bundled ones. Raises InputError or
    UsageError."""
    if data is None:
        from alr_cli.bench import bundled

        return [(name, partial(bundled.read, name)) for name in bundled.NAMES[:limit]]
    if data == "-":
        raise UsageError("--data - : stdin is not a folder, name a folder of clean pictures")
    sources = find_sources([data]).sources[:limit]
    return [(source.relative.name, partial(_read, source)) for source in sources]


def _read(source: Source) -> Pixels:
    from alr_cli.files.pictures import read_picture

    if source.problem is not None:
        raise source.problem
    assert source.path is not None
    pixels = read_picture(source.path).pixels
    if pixels.min() < 0 or pixels.max() > 1:
        raise InputError(
            f"{source} has values outside 0 to 1: scale it, because noise levels refer to that range"
        )
    return pixels


def middles(pictures: list[tuple[str, Read]], side: int) -> list[tuple[str, Read]]:
    """The same pictures, cropped to their central side x side pixels."""
    return [(name, partial(_read_middle, read, side)) for name, read in pictures]


def _read_middle(read: Read, side: int) -> Pixels:
    from alr_cli.bench.bundled import middle

    return middle(read(), side)


def check_folder(option: str, output: str, names: list[str], overwrite: bool) -> Path:
    """The folder of an option. What could not be saved is refused before any work. Raises OutputError."""
    folder = Path(output)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{option} {folder} is a file: name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise OutputError(f"{option} {folder} is not empty: give --overwrite, or name another folder")
    stem, count = Counter(Path(name).stem for name in names).most_common(1)[0]
    if count > 1:
        raise OutputError(f"{count} pictures are called {stem}: rename them, or leave out {option}")
    return folder


def figure_path(folder: str | None, name: str, overwrite: bool) -> Path:
    """The file of a figure. Raises UsageError or OutputError before any work."""
    if folder is None:
        raise UsageError(f"{name} is a picture: name a folder for it with -o")
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise OutputError(f"-o {folder} is a file: name a folder")
    path = place / f"{name}.png"
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists: give --overwrite, or name another folder with -o")
    return path


def write(path: Path, data: bytes) -> None:
    """Write a file, and create its folder. Raises OutputError."""
    from alr_cli.files.atomic import write_atomic

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {path.parent} cannot be created ({error.strerror}): name another with -o"
        ) from error
    write_atomic(path, data)


def save(done: Done, folder: Path) -> None:
    """Write a restored picture. With the observed picture, write the clean one as well."""
    from alr_cli.bench.runs import encoded

    score = done.score
    assert done.estimate is not None
    wanted = {score.method.replace(" ", "-"): done.estimate}
    if score.method == OBSERVED:
        wanted["clean"] = done.clean
    for name, pixels in wanted.items():
        write(folder / score.setting.slug / f"{Path(score.picture).stem}.{name}.png", encoded(pixels))
