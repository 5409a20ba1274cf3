"""Record the restoration of one picture: --trace, --plot and --heatmap."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alr_cli.cli.options.files import FILES
from alr_cli.errors import OutputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.cli.report.energy_plot import Moment
    from alr_cli.core.restoration import Step
    from alr_cli.core.restore import Restorer


@dataclass(frozen=True, kw_only=True)
class ViewerOptions:
    """Files that show how a single picture was restored."""

    trace: Annotated[
        str | None,
        typer.Option(
            "--trace",
            metavar="FILE.csv",
            rich_help_panel=FILES,
            help="Write the energy, data term, regularizer and, with --reference, the PSNR of each "
            "iteration as CSV.",
        ),
    ] = None
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE.png",
            rich_help_panel=FILES,
            help="Plot the same values against the iterations (needs matplotlib).",
        ),
    ] = None
    heatmap: Annotated[
        str | None,
        typer.Option(
            "--heatmap",
            metavar="FILE.png",
            rich_help_panel=FILES,
            help="Plot the critic's score r of the patch around each pixel, before and after: it is "
            "high where the critic sees noise (needs matplotlib).",
        ),
    ] = None

    def __post_init__(self) -> None:
        for option, path in (("--plot", self.plot), ("--heatmap", self.heatmap)):
            if path is not None:
                _check_drawable(option, path)

    @property
    def paths(self) -> dict[str, Path]:
        """The files that were requested, by option."""
        given = {"--trace": self.trace, "--plot": self.plot, "--heatmap": self.heatmap}
        return {option: Path(path) for option, path in given.items() if path is not None}


class Viewer:
    """Observes one restoration, and writes its files when that is done.

    `beside` maps options to other files of a single picture; they are checked together with those of the
    viewer.
    """

    def __init__(self, options: ViewerOptions, beside: dict[str, str] | None = None) -> None:
        self._options = options
        self._beside = {option: Path(path) for option, path in (beside or {}).items()}
        self._moments: list[Moment] = []
        self._heatmap: bytes | None = None

    @property
    def looks(self) -> bool:
        """Whether anything is drawn or traced."""
        return bool(self._options.paths)

    @property
    def maps(self) -> bool:
        """Whether maps of scores are drawn."""
        return self._options.heatmap is not None

    def check(self, pictures: int, taken: Iterable[str | None], overwrite: bool) -> None:
        """Refuse what cannot be shown or written, before any work. taken: files that are used otherwise.
        Raises UsageError or OutputError."""
        paths = self._options.paths | self._beside
        if paths and pictures != 1:
            raise UsageError(
                f"{next(iter(paths))} is for one picture and there are {pictures}: name a single one"
            )
        occupied = {os.path.realpath(path) for path in taken if path is not None}
        for option, path in paths.items():
            if os.path.realpath(path) in occupied:
                raise UsageError(f"{option} {path} is also used otherwise by this command: give another name")
            occupied.add(os.path.realpath(path))
            check_place(option, path, overwrite)

    def refuse_stack(self, name: str, choice: str = "--page") -> None:
        """Raise UsageError if a file for a single picture was requested. `choice` is the option that selects
        one."""
        for option in (*self._options.paths, *self._beside):
            raise UsageError(f"{option} is for one picture and {name} is a stack: select one with {choice}")

    def watch(
        self, also: Callable[[Step], None] | None, reference: NDArray[np.float32] | None
    ) -> Callable[[Step], None] | None:
        """The callback for a restoration, which also calls `also`. None if nothing observes the
        restoration."""
        if self._options.trace is None and self._options.plot is None:
            return also

        def note(step: Step) -> None:
            from alr_cli.cli.report.energy_plot import Moment
            from alr_cli.core.metrics import psnr

            quality = None if reference is None else psnr(reference, step.estimate())
            self._moments.append(
                Moment(step.iteration, step.energy, step.data_term, step.regularizer, quality, step.slope)
            )
            if also is not None:
                also(step)

        return note

    def look(self, restorer: Restorer, observed: NDArray[np.float32], restored: NDArray[np.float32]) -> None:
        """Draw the maps of r of both pictures (H, W, C) while the critic is loaded."""
        if self._options.heatmap is not None:
            from alr_cli.cli.report.energy_plot import draw_scores

            maps = (restorer.scores(picture) for picture in (observed, restored))
            self._heatmap = draw_scores(observed, restored, *maps)

    def write(self) -> list[Path]:
        """Write the requested files and return their paths. Raises OutputError."""
        from alr_cli.files.atomic import write_atomic

        written = []
        for option, path in self._options.paths.items():
            data = self._data(option)
            if data is not None:
                write_atomic(path, data)
                written.append(path)
        return written

    def _data(self, option: str) -> bytes | None:
        if option == "--trace":
            return _table(self._moments)
        if option == "--plot":
            from alr_cli.cli.report.energy_plot import draw_trace

            return draw_trace(self._moments)
        return self._heatmap


def check_plot(option: str, path: str, overwrite: bool) -> None:
    """Refuse a plot that cannot be made or written. Raises UsageError or OutputError."""
    _check_drawable(option, path)
    check_place(option, Path(path), overwrite)


def _check_drawable(option: str, path: str) -> None:
    if not path.lower().endswith(".png"):
        raise UsageError(f"{option} {path}: plots are PNG files, give a name ending in .png")
    if find_spec("matplotlib") is None:
        raise UsageError(f"{option} needs the package matplotlib: pip install matplotlib")


def check_place(option: str, path: Path, overwrite: bool) -> None:
    """Refuse a file that cannot be written. Raises OutputError."""
    if path.exists() and not overwrite:
        raise OutputError(f"{option} {path} exists: give --overwrite, or another name")
    if not path.parent.is_dir():
        raise OutputError(f"{option} {path}: its folder does not exist, create it first")


def _table(moments: list[Moment]) -> bytes:
    from alr_cli.cli.report.energy_plot import Moment

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Moment)])
    writer.writerows(astuple(moment) for moment in moments)
    return text.getvalue().encode()
