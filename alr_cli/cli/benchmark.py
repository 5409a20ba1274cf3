"""`alr benchmark`: known pictures degraded on purpose, restored by several methods, measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alr_cli.bench.settings import OBSERVED, OURS, Setting, Task
from alr_cli.cli.benchmark_options import ProtocolOptions, TableOptions, methods_of, settings_of
from alr_cli.cli.exits import explain
from alr_cli.cli.models import ModelFailure, Models
from alr_cli.cli.options import ComputeOptions, ModelOptions, ReportOptions, expand_options
from alr_cli.cli.report import Report, printable
from alr_cli.cli.sources import Source, find_sources
from alr_cli.errors import InputError, OutputError, PartialFailure, UsageError

if TYPE_CHECKING:
    from alr_cli.bench.baselines import Restore
    from alr_cli.bench.degradations import Pixels
    from alr_cli.bench.runs import Benchmark, Done, Failure
    from alr_cli.bench.scores import Mean, Score
    from alr_cli.cli.streams import Streams

    Read = Callable[[], Pixels]


@expand_options
def benchmark(
    ctx: typer.Context,
    task: Annotated[
        Task | None, typer.Argument(metavar="TASK", help="denoise, deblur or inpaint; without it, all three.")
    ] = None,
    *,
    protocol: ProtocolOptions,
    table: TableOptions,
    model: ModelOptions,
    compute: ComputeOptions,
    reports: ReportOptions,
) -> None:
    """Measure methods of restoration on pictures whose truth is known.

    Examples:

      alr benchmark
      alr benchmark denoise --data photos/ --sigmas 15/255,25/255 --methods ours,tv,cbm3d --markdown
      alr benchmark deblur --data photos/ --kernel gaussian:7:3 --sigma 0.03 -o restored/

    Degrades each clean picture x, and restores what was observed with each method:

      y = A x + noise

    Prints PSNR (peak 1, estimates clamped to 0 to 1, channels together), SSIM and seconds as means over the
    pictures. The first row, observed, is y itself, with black where pixels are missing. With --json there is
    a line for each picture, setting and method, then one for each mean.
    """
    if reports.json + table.csv + table.markdown > 1:
        raise UsageError("--json, --csv and --markdown contradict each other: give one of them")
    methods = methods_of(settings_of(task, protocol), protocol.methods)
    note = _check_kernels(methods)
    pictures = _pictures(protocol)
    if table.output is not None:
        _check_folder(Path(table.output), [name for name, _ in pictures], table.overwrite)
    models = Models(model, compute)
    if any(OURS in names for names in methods.values()):
        models.check()
    work = _prepare(pictures, methods, models, compute)
    with Report(ctx.obj, reports) as report:
        if note is not None:
            report.say(note)
        scores, lost = _run(work, models, report, table.output)
        means = _means(scores, report)
        if means and not reports.json:
            what = "1 picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
            title = f"{what} of {printable(protocol.data or 'scikit-image')}, seed {protocol.seed}"
            _print(means, title, table, ctx.obj)
    if lost:
        raise PartialFailure(f"{lost} of {work.results} results are missing: see above")


def _check_kernels(settings: Iterable[Setting]) -> str | None:
    """The note of a kernel that was normalised. Raises UsageError, InputError for one that is none."""
    from alr_cli.files.kernel_files import read_kernel

    kernels = dict.fromkeys(setting.kernel for setting in settings if setting.kernel is not None)
    notes = [note for _, note in map(read_kernel, kernels) if note is not None]
    return notes[0] if notes else None


def _pictures(protocol: ProtocolOptions) -> list[tuple[str, Read]]:
    """Name and reader of the first --limit in the folder, or bundled ones. Raises InputError, UsageError."""
    if protocol.data is None:
        from alr_cli.bench import bundled

        return [(name, partial(bundled.read, name)) for name in bundled.NAMES[: protocol.limit]]
    if protocol.data == "-":
        raise UsageError("--data - : stdin is no folder, name one that holds clean pictures")
    sources = find_sources([protocol.data])[: protocol.limit]
    if not sources:
        raise InputError(f"{protocol.data} holds no pictures: name a folder with PNG, JPEG or TIFF files")
    return [(source.relative.name, partial(_read, source)) for source in sources]


def _read(source: Source) -> Pixels:
    from alr_cli.files.pictures import read_picture

    if source.problem is not None:
        raise source.problem
    assert source.path is not None
    pixels = read_picture(source.path).pixels
    if pixels.min() < 0 or pixels.max() > 1:
        raise InputError(f"{source} has values outside 0 to 1: scale it, the noise levels are on that range")
    return pixels


def _check_folder(folder: Path, names: list[str], overwrite: bool) -> None:
    """Refuse before any work what could not be saved. Raises OutputError."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"-o {folder} is a file: name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise OutputError(f"-o {folder} is not empty: give --overwrite, or name another folder")
    stem, count = Counter(Path(name).stem for name in names).most_common(1)[0]
    if count > 1:
        raise OutputError(f"{count} pictures are called {stem}: rename them, or leave out -o")


def _prepare(
    pictures: list[tuple[str, Read]],
    methods: dict[Setting, tuple[str, ...]],
    models: Models,
    compute: ComputeOptions,
) -> Benchmark:
    """Here torch is imported: everything that was typed has been checked."""
    from alr_cli.bench.runs import Benchmark, Clean
    from alr_cli.core.devices import set_threads

    if compute.threads is not None:
        set_threads(compute.threads)
    clean = [Clean(name, read) for name, read in pictures]
    return Benchmark(clean, methods, partial(_method, models))


def _method(models: Models, name: str, channels: int) -> Restore:
    from alr_cli.bench import ours
    from alr_cli.bench.baselines import BASELINES

    if name == OURS:
        return partial(ours.restore, models.restorer(channels))
    return BASELINES[name]


def _run(work: Benchmark, models: Models, report: Report, output: str | None) -> tuple[list[Score], int]:
    """Do it; returns the scores and how many results are missing. Raises what leaves nothing to do."""
    from alr_cli.bench.runs import Done

    scores: list[Score] = []
    lost = 0
    with _bar(report, work.results) as advance:
        for result in work.run():
            if isinstance(result, Done):
                scores.append(result.score)
                report.event(
                    {"kind": "result", "status": "ok", **result.score.as_dict()}
                    | {"weights_sha256": _hash(result, models)}
                )
                if output is not None:
                    _save(result, Path(output))
                advance(f"{result.score.picture} {result.score.method}", 1)
                continue
            if isinstance(result.error, ModelFailure) or (result.setting is None and len(work.pictures) == 1):
                raise result.error
            lost += result.results
            _report_failure(result, report)
            advance(result.picture, result.results)
    return scores, lost


def _hash(done: Done, models: Models) -> str | None:
    return models.restorer(done.clean.shape[2]).weights.sha256 if done.score.method == OURS else None


def _report_failure(failure: Failure, report: Report) -> None:
    setting = failure.setting
    what = [
        failure.picture,
        *([str(setting)] if setting else []),
        *([failure.method] if failure.method else []),
    ]
    report.fail(": ".join(what), failure.error)
    reason = explain(failure.error)[1]
    of_setting = setting.as_dict() if setting else {}
    report.event(
        {"kind": "result", "status": "failed", "reason": reason, "picture": failure.picture}
        | of_setting
        | {"method": failure.method}
    )


def _save(done: Done, folder: Path) -> None:
    """Write a result, and the clean picture beside it once."""
    import numpy as np

    from alr_cli.files.pictures import Picture, encode, write_atomic

    score = done.score
    place = folder / score.setting.slug
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {place} cannot be made ({error.strerror}): name another with -o"
        ) from error
    stem = Path(score.picture).stem
    wanted = {score.method: done.estimate}
    if score.method == OBSERVED:
        wanted["clean"] = done.clean
    for name, pixels in wanted.items():
        path = place / f"{stem}.{name}.png"
        picture = Picture(np.ascontiguousarray(pixels), "uint8", "png")  # codecs want plain arrays
        write_atomic(path, encode(picture, "png", name=str(path)))


def _means(scores: list[Score], report: Report) -> list[Mean]:
    from alr_cli.bench.scores import means

    found = means(scores)
    for mean in found:
        report.event({"kind": "mean", **mean.as_dict()})
    return found


def _print(found: list[Mean], title: str, table: TableOptions, streams: Streams) -> None:
    """On stdout: drawn on a terminal, as Markdown into a pipe or file, or as was asked."""
    from alr_cli.bench import tables

    if table.csv:
        text = tables.comma_separated(found)
    elif table.markdown or streams.stdout_kind != "terminal":
        text = tables.markdown(found, title)
    else:
        text = tables.drawn(found, title)
    streams.write_stdout(text.encode())


@contextmanager
def _bar(report: Report, results: int) -> Iterator[Callable[[str, int], None]]:
    """A bar with the time left, where the report may draw one; yields advance(what was done, how many)."""
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
