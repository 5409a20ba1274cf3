"""`--html DIR`: a page with the table, and a page for each picture that compares all methods with a
slider."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.bench.protocol import OBSERVED
from alr_cli.cli.benchmark.files import write
from alr_cli.cli.report.page import Layers, Links, Table, page

if TYPE_CHECKING:
    from alr_cli.bench.runs import Done
    from alr_cli.bench.tables import layout

INDEX = "index.html"


class Album:
    """Writes each page as soon as its last method is done, so that only one picture's results are in
    memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: list[Done] = []
        self._links: list[tuple[str, str]] = []

    def watch(self, results: Iterable[Done]) -> Iterator[Done]:
        """Pass the results on in order. Results of one picture and setting must follow each other."""
        for done in results:
            if self._open and _key(done) != _key(self._open[0]):
                self._close()
            self._open.append(done)
            yield done
        if self._open:
            self._close()

    def finish(self, table: layout.Table) -> Path:
        """Write the page with the table and links to the others; return its path."""
        shown = Table(table.title, table.headings, table.rows, table.words)
        path = self._folder / INDEX
        write(path, page(table.title, [shown, Links("Pictures", self._links)]))
        return path

    def _close(self) -> None:
        from alr_cli.bench.runs import encoded

        first, group = self._open[0].score, self._open
        title = f"{first.picture}, {first.setting}"
        layers = [(_name(done), encoded(done.estimate)) for done in group if done.estimate is not None]
        layers.append(("clean", encoded(group[0].clean)))
        name = f"{Path(first.picture).stem}.{first.setting.slug.replace('/', '-')}.html"
        write(self._folder / name, page(title, [Layers(title, layers)]))
        self._links.append((title, name))
        self._open = []


def _key(done: Done) -> tuple[str, str]:
    return done.score.picture, str(done.score.setting)


def _name(done: Done) -> str:
    """The method and its PSNR."""
    psnr = done.score.metrics.psnr
    method = "as observed" if done.score.method == OBSERVED else done.score.method
    return method if psnr is None else f"{method}, {psnr:.2f} dB"
