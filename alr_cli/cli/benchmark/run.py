"""Run a benchmark: progress, failures, JSON lines, and a table on stdout at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.cli.benchmark.contenders import Contenders
from alr_cli.cli.benchmark.files import Read, save
from alr_cli.cli.exits import explain
from alr_cli.cli.options.benchmarking import TableOptions
from alr_cli.cli.report.records import Report
from alr_cli.cli.restore.models import ModelFailure
from alr_cli.errors import PartialFailure

if TYPE_CHECKING:
    from alr_cli.bench.cache import Cache
    from alr_cli.bench.protocol import Setting
    from alr_cli.bench.runs import Benchmark, Done, Failure
    from alr_cli.bench.scores import Mean, Score
    from alr_cli.bench.tables.layout import Table
    from alr_cli.cli.streams import Streams


@dataclass
class Run:
    """One run of a benchmark.

    Attributes:
        contenders: The methods.
        report: Where to report.
        problems: Sentences about default methods that cannot run here.
        asked: Number of results that were requested.
        lost: Number of them that failed.
    """

    contenders: Contenders
    report: Report
    problems: list[str]
    asked: int = 0
    lost: int = 0

    def results(self, work: Benchmark, output: Path | None = None) -> Iterator[Done]:
        """Do the work and report on it; save pictures below `output`. Raises an error that leaves no
        results."""
        from alr_cli.bench.runs import Done

        self.asked += work.results
        with bar(self.report, work.results) as advance:
            for result in work.run():
                if isinstance(result, Done):
                    self.report.event(
                        {"kind": "result", "status": "ok", **result.score.as_dict()}
                        | {"weights_sha256": result.weights, "cached": result.cached}
                    )
                    if output is not None:
                        save(result, output)
                    advance(f"{result.score.picture} {result.score.method}", 1)
                    yield result
                    continue
                if isinstance(result.error, ModelFailure) or _nothing_left(result, work):
                    raise result.error
                self.lost += result.results
                self._fail(result)
                advance(result.picture, result.results)

    def means(self, scores: Iterable[Score]) -> list[Mean]:
        """The means. Each is also reported as a JSON line."""
        from alr_cli.bench.scores import means

        found = means(scores)
        for mean in found:
            self.report.event({"kind": "mean", **mean.as_dict()})
        return found

    def finish(self) -> None:
        """Raise PartialFailure if something is missing."""
        if self.lost:
            raise PartialFailure(f"{self.lost} of {self.asked} results are missing: see above")
        if self.problems:
            raise PartialFailure("some methods are missing: see above")

    def _fail(self, failure: Failure) -> None:
        setting = failure.setting
        what = [failure.picture, *([str(setting)] if setting else []), *filter(None, [failure.method])]
        self.report.fail(": ".join(what), failure.error)
        reason = explain(failure.error)[1]
        of_setting = setting.as_dict() if setting else {}
        self.report.event(
            {"kind": "result", "status": "failed", "reason": reason, "picture": failure.picture}
            | of_setting
            | {"method": failure.method}
        )


def prepare(
    pictures: list[tuple[str, Read]],
    methods: dict[Setting, tuple[str, ...]],
    contenders: Contenders,
    table: TableOptions,
    pictures_wanted: bool,
) -> Benchmark:
    """The benchmark to run. This imports torch, after all options have been checked."""
    from alr_cli.bench import lpips
    from alr_cli.bench.runs import Benchmark, Clean

    return Benchmark(
        [Clean(name, read) for name, read in pictures],
        methods,
        contenders.for_observation,
        cache_of(table),
        pictures_wanted,
        lpips.lpips if lpips.available() else None,
    )


def cache_of(table: TableOptions) -> Cache:
    """The cache that --cache and --no-cache ask for."""
    from alr_cli.bench.cache import Cache, default_folder

    if table.no_cache:
        return Cache(None)
    return Cache(default_folder() if table.cache is None else Path(table.cache))


def show(what: Table, means: list[Mean] | None, table: TableOptions, streams: Streams) -> None:
    """Write a table to stdout: drawn on a terminal, as Markdown into a pipe or file, or as requested."""
    from alr_cli.bench.tables import layout

    if table.csv:
        text = layout.cells(what) if means is None else layout.comma_separated(means)
    elif table.markdown or streams.stdout_kind != "terminal":
        text = layout.markdown(what)
    else:
        text = layout.drawn(what)
    streams.write_stdout(text.encode())


@contextmanager
def bar(report: Report, results: int) -> Iterator[Callable[[str, int], None]]:
    """A progress bar with the time left, if the report may draw one. Yields advance(text, count)."""
    with report.live() as console:
        if console is None:
            yield lambda text, count: None
            return
        from rich import progress

        columns = (
            progress.BarColumn(),
            progress.MofNCompleteColumn(),
            progress.TimeRemainingColumn(),
            progress.TextColumn("{task.description}", markup=False),
        )
        with progress.Progress(*columns, console=console, transient=True) as bars:
            task = bars.add_task("", total=results)

            def advance(text: str, count: int) -> None:
                bars.update(task, advance=count, description=text)

            yield advance


def _nothing_left(failure: Failure, work: Benchmark) -> bool:
    return failure.setting is None and len(work.pictures) == 1
