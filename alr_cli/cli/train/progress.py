"""The progress bar of a training: step, objective, gradient norm, PSNR, time left."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from alr_cli.cli.report.records import Report

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

    from alr_cli.core.training.stepwise import Progress


LABELS = {
    "objective": "D",
    "wasserstein": "Wasserstein",
    "gradient_norm": "gradient norm",
    "gain": "gain in dB",
    "bits_per_dimension": "bits/dim",
    "loss": "loss",
}


class TrainingBar:
    """A progress bar on stderr if that is a terminal, else nothing. The numbers are smoothed."""

    def __init__(self, report: Report, iterations: int) -> None:
        self._report = report
        self._iterations = iterations
        self._smooth: dict[str, float] = {}
        self._psnr = ""
        self._bars: RichProgress | None = None
        self._drawing = report.live()

    def __enter__(self) -> Self:
        console = self._drawing.__enter__()
        if console is not None:
            from rich import progress as rich_progress

            self._bars = rich_progress.Progress(
                rich_progress.TextColumn("training"),
                rich_progress.BarColumn(),
                rich_progress.MofNCompleteColumn(),
                rich_progress.TextColumn("{task.fields[numbers]}"),
                rich_progress.TimeRemainingColumn(),
                console=console,
                transient=True,
            )
            self._task = self._bars.add_task("training", total=self._iterations, numbers="")
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._drawing.__exit__(kind, error, trace)

    def step(self, progress: Progress) -> None:
        for name, value in progress.measures.items():
            self._smooth[name] = 0.99 * self._smooth.get(name, value) + 0.01 * value
        if self._bars is not None:
            numbers = "  ".join(f"{LABELS[name]} {value:.3f}" for name, value in self._smooth.items())
            numbers += self._psnr
            self._bars.update(self._task, completed=progress.step, numbers=numbers)

    def validated(self, psnr: float) -> None:
        self._psnr = f"  PSNR {psnr:.2f}"
