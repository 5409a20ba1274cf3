"""The figures of the paper, the comparison of Oberlin and Verm, and the time that methods take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.bench.protocol import OURS
from alr_cli.bench.targets import PLANS
from alr_cli.cli.benchmark.files import Read, write
from alr_cli.cli.benchmark.run import Run, bar
from alr_cli.cli.options.benchmarking import ProtocolOptions
from alr_cli.cli.options.common import ModelOptions
from alr_cli.cli.restore.models import ModelFailure
from alr_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from typing import Literal

    from alr_cli.bench.degradations import Pixels
    from alr_cli.bench.runs import Benchmark
    from alr_cli.bench.scores import Mean
    from alr_cli.bench.studies.speed import Timing
    from alr_cli.bench.tables.layout import Table


def circle(run: Run, path: Path, seed: int) -> Table:
    """Figure 1."""
    from alr_cli.bench.figures import circle

    field = circle.compute(seed)
    return _keep(run, path, circle.draw(field), circle.table(field))


def patches(
    target: Literal["fig2", "fig3"], run: Run, path: Path, pictures: list[tuple[str, Read]], seed: int
) -> Table:
    """Figures 2 and 3: one critic on patches of all pictures that fit it."""
    from alr_cli.bench.figures import patches as figure

    labels = run.contenders.labels((OURS,))
    if len(labels) > 1:
        raise UsageError(f"{target} shows one critic: name a single one with -w")
    clean = _read_all(run, pictures)
    restorer = run.contenders.restorer(labels[0], clean[0][1].shape[2])
    assert restorer is not None
    regularizer = figure.scoring(restorer)
    fitting = []
    for name, pixels in clean:
        try:
            fitting.append(figure.fitted(pixels, regularizer))
        except InputError as error:
            run.lost += 1
            run.report.fail(name, error)
    if not fitting:
        raise InputError("no usable picture is left: see above")
    title = f"{target}: {restorer.weights.name}, patches of {len(fitting)} pictures, seed {seed}"
    if target == "fig2":
        scored = figure.compute(regularizer, fitting, (0.0, figure.SHOWN_SIGMA), figure.COUNT // 10, seed)
        data = figure.draw_patches([figure.quantiles(each, figure.SHOWN) for each in scored])
    else:
        scored = figure.compute(regularizer, fitting, figure.SIGMAS, figure.COUNT, seed)
        data = figure.draw_histograms(scored)
    return _keep(run, path, data, figure.table(scored, title))


def side_by_side(
    target: Literal["fig4", "fig5"], run: Run, path: Path, work: Benchmark, title: str
) -> tuple[Table, list[Mean]]:
    """Figures 4 and 5. The table has the scores of the whole pictures."""
    from alr_cli.bench.figures import pictures
    from alr_cli.bench.tables import layout

    done = list(run.results(work))
    means = run.means(each.score for each in done)
    shown = layout.by_setting(means, f"{target}: {title}")
    return _keep(run, path, pictures.draw(pictures.rows_of(done)), shown), means


def oberlin(run: Run, protocol: ProtocolOptions, model: ModelOptions, title: str) -> Table:
    """Compare analysis and synthesis by a flow with other methods. Raises UsageError without --data, because
    a flow is for one kind of pictures."""
    from alr_cli.bench.studies import oberlin, oberlin_tasks

    if protocol.data is None:
        raise UsageError(
            "oberlin needs pictures of the kind that the flow was trained on: give --data FOLDER"
        )
    flow, local = oberlin.load(model.weights or oberlin.FLOW)
    limit = PLANS["oberlin"].limit if protocol.limit is None else protocol.limit
    pictures = oberlin.read(protocol.data, flow.size, limit)
    with bar(run.report, oberlin.count(flow, local)) as advance:
        results = oberlin.measure(pictures, flow, local, protocol.seed, lambda what: advance(what, 1))
    for result in results:
        run.report.event({"kind": "result", "status": "ok", **result.as_dict()})
    return oberlin.table(
        results, f"{title}; sigma {oberlin_tasks.SIGMA:g}; means (and deviations) over the pictures"
    )


def speed(
    run: Run, picture: tuple[str, Read], labels: tuple[str, ...], sides: tuple[int, ...] | None
) -> Table:
    """Time each method on the first picture at several sizes. For a local prior that -w names, also report
    what share of the processor's speed is reached."""
    from alr_cli.bench.studies import speed as speeds
    from alr_cli.core.tasks import Denoising

    name, read = picture
    clean, sigma = read(), speeds.SETTING.sigma
    channels = clean.shape[2]
    timings: list[Timing] = []
    sides = speeds.SIDES if sides is None else sides
    run.asked = len(labels) * len(sides)
    with bar(run.report, run.asked) as advance:
        for label in labels:
            for side in sides:
                try:
                    restore = run.contenders.contender(label, channels, Denoising(), sigma).restore
                    assert restore is not None
                    timings.append(speeds.measure(label, restore, clean, side))
                except ModelFailure:
                    raise
                except Exception as error:  # noqa: BLE001 - one method does not stop the others
                    run.lost += 1
                    run.report.fail(f"{label}, {side} x {side}", error)
                else:
                    run.report.event({"kind": "speed", "picture": name, **timings[-1].as_dict()})
                advance(f"{label} {side}", 1)
    _rates(run, labels, channels, Denoising().wide(sigma))
    return speeds.table(timings, f"denoising at sigma 0.1, {name}: the fastest of {speeds.REPEATS} runs")


def _rates(run: Run, labels: tuple[str, ...], channels: int, wide: bool) -> None:
    from alr_cli.bench.studies import machine

    for label in labels:
        restorer = run.contenders.restorer(label, channels, wide=wide)
        if restorer is None:
            continue
        try:
            rate = machine.rate(restorer)
        except UsageError as error:
            run.report.say(str(error))
            continue
        run.report.event({"kind": "rate", "method": label, **rate.as_dict()})
        run.report.say(
            f"{label}: the gradient reaches {rate.gradient / 1e9:.0f} of {rate.product / 1e9:.0f} GFlop/s, "
            f"{100 * rate.share:.0f} % of a large {rate.precision} matrix product ({rate.threads} threads)"
        )


def _read_all(run: Run, pictures: list[tuple[str, Read]]) -> list[tuple[str, Pixels]]:
    """The pictures that can be read; failures are reported. Raises the error of a single picture."""
    found = []
    run.asked += len(pictures)
    for name, read in pictures:
        try:
            found.append((name, read()))
        except Exception as error:
            if len(pictures) == 1:
                raise
            run.lost += 1
            run.report.fail(name, error)
    if not found:
        raise InputError("no picture can be read: see above")
    return found


def _keep(run: Run, path: Path, data: bytes, table: Table) -> Table:
    """Save a figure and report its numbers, which are those of the table."""
    write(path, data)
    rows = [dict(zip(table.headings, row, strict=True)) for row in table.rows]
    run.report.event({"kind": "figure", "file": str(path), "numbers": rows})
    run.report.say(f"{path} written")
    return table
