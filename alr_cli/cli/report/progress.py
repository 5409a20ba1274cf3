"""The progress bar on stderr: iteration, energy and time left of one picture, and the number of pictures
done."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console

    from alr_cli.core.restoration import Step


LONGEST_NAME = 20  # leaves room for the numbers on a terminal of 80 columns


class Silent:
    """Draws nothing."""

    def picture(self, name: str) -> None:
        """A picture is begun."""

    @property
    def step(self) -> "Callable[[Step], None] | None":
        """The callback for each iteration: None, so that energies need not be computed."""
        return None

    def done(self) -> None:
        """It is done, has failed, or was skipped."""


class Progress:
    """A live progress bar. Sentences printed through the same console appear above it."""

    def __init__(self, console: "Console", pictures: int) -> None:
        from rich import progress as rich_progress

        self._bars = rich_progress.Progress(
            rich_progress.TextColumn("{task.description}", markup=False),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TextColumn("{task.fields[energy]}"),
            rich_progress.TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._batch = self._bars.add_task("pictures", total=pictures, energy="") if pictures > 1 else None
        self._picture = self._bars.add_task("reading", total=None, energy="", visible=False)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def picture(self, name: str) -> None:
        short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
        self._bars.reset(self._picture, description=short, total=None, energy="", visible=True)

    def step(self, step: "Step") -> None:
        self._bars.update(
            self._picture,
            completed=step.iteration,
            total=step.max_iter,
            energy=f"data term {step.data_term:.6g}" if step.energy is None else f"energy {step.energy:.6g}",
            refresh=step.iteration == step.max_iter,
        )

    def done(self) -> None:
        if self._batch is not None:  # the bar of the single picture may already show the next one
            self._bars.update(self._batch, advance=1, refresh=True)
