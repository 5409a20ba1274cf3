"""`alr benchmark`: degrade known pictures, restore them by several methods, and measure the results."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alr_cli.bench.protocol import OURS, Setting
from alr_cli.bench.targets import FIGURES, LUNZ1_SIDE, PLANS, PLOTS, Target, saves_pictures, undrawable
from alr_cli.cli.benchmark import figures as figures
from alr_cli.cli.benchmark import files as files
from alr_cli.cli.benchmark import gradient as gradient
from alr_cli.cli.benchmark import tomography as tomography
from alr_cli.cli.benchmark import upscaling as upscaling
from alr_cli.cli.benchmark.album import Album
from alr_cli.cli.benchmark.contenders import Contenders
from alr_cli.cli.benchmark.run import Run, prepare, show
from alr_cli.cli.benchmark.selection import methods_of, settings_of, sides_of
from alr_cli.cli.options.benchmarking import ProtocolOptions, TableOptions
from alr_cli.cli.options.common import ComputeOptions, ModelOptions, ReportOptions, expand_options
from alr_cli.cli.report.records import Report, printable
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    from alr_cli.bench.scores import Mean
    from alr_cli.bench.tables.layout import Layout


@expand_options
def benchmark(
    ctx: typer.Context,
    target: Annotated[
        Target | None,
        typer.Argument(
            metavar="TARGET",
            help="denoise, deblur, inpaint or upscale; table1, table2, fig1 to fig5 of the paper; lunz1 and "
            "lunz2, tables 1 and 2 of Lunz, Oktem and Schoenlieb (2018), lunz2 on slices of --data; oberlin; "
            "reg, reg-convergence, reg-unrolled and reg-ablation, plug and play with a gradient network; "
            "speed. By default the first three.",
        ),
    ] = None,
    *,
    protocol: ProtocolOptions,
    table: TableOptions,
    model: ModelOptions,
    compute: ComputeOptions,
    reports: ReportOptions,
) -> None:
    """Measure restoration methods on pictures whose truth is known.

    Examples:

      alr benchmark
      alr benchmark denoise --data photos/ --sigmas 15/255,25/255 --methods ours,tv,cbm3d --markdown
      alr benchmark deblur --data photos/ --kernel gaussian:7:3 --sigma 0.03 -o restored/
      alr benchmark table2 --data cbsd68/ -w color-paper,mine.safetensors --markdown
      alr benchmark lunz2 --data slices/ -w ct-tuned,gray-tuned --limit 4
      alr benchmark fig4 --data photos/ -o figures/
      alr benchmark denoise --data photos/ --html pages/
      alr benchmark oberlin --data faces/ -w faces32-flow --markdown
      alr benchmark upscale --data set5/ --markdown
      alr benchmark reg --data set5/ -w color-reg,color-wide,color-tuned
      alr benchmark reg-unrolled --data val/ --train-dir clean/ --steps 150 -o plots/

    Degrades each clean picture x, and restores the observation y by each method:

      y = A x + noise

    Prints the means over the pictures of PSNR (peak 1, estimates clamped to
    the range from 0 to 1, all channels together), SSIM, LPIPS (if its package is installed)
    and seconds. The first row, observed, is y itself; missing pixels are black
    in it. --json prints a line for each picture, setting and method, and then
    one for each mean. -w accepts several weights, and folders of weights,
    separated by commas. Results are stored, so that an interrupted benchmark
    continues where it stopped. upscale reduces pictures by the factors 2, 3 and
    4 with bicubic interpolation, rounds to 8 bits, and measures without a
    border as wide as the factor.
    """
    if reports.json + table.csv + table.markdown > 1:
        raise UsageError("--json, --csv and --markdown contradict each other: give one of them")
    settings, sides = settings_of(target, protocol), sides_of(protocol)
    note = _check_kernels(settings)
    able, problems = methods_of(target, protocol.methods)
    if model.weights is None and target in gradient.DEFAULT_WEIGHTS:
        model = replace(model, weights=gradient.DEFAULT_WEIGHTS[target])
    contenders = Contenders(model, compute)
    limit = PLANS[target].limit if protocol.limit is None else protocol.limit
    if target == "lunz2":
        tomography.check_data(protocol.data)
    gradient.check(target, protocol.train_dir, protocol.task)
    pictures = files.pictures(protocol.data, limit)
    side = LUNZ1_SIDE if target == "lunz1" else protocol.crop
    if side is not None:
        pictures = files.middles(pictures, side)
    place = _place(target, table, [name for name, _ in pictures])
    album = _album(target, table, [name for name, _ in pictures])
    if target in ("fig2", "fig3", "upscale", *gradient.TARGETS) or any(
        OURS in names for names in able.values()
    ):
        contenders.check()
    _set_threads(compute.threads)
    methods = {setting: contenders.labels(able[setting.task]) for setting in settings if able[setting.task]}
    count = "1 picture" if len(pictures) == 1 else f"{len(pictures)} pictures"
    title = f"{count} of {printable(protocol.data or 'scikit-image')}, seed {protocol.seed}"
    with Report(ctx.obj, reports) as report:
        if note is not None:
            report.say(note)
        for problem in problems:
            report.warn(problem)
        run = Run(contenders, report, problems)
        means: list[Mean] | None = None
        if target == "oberlin":
            shown = figures.oberlin(run, protocol, model, title)
        elif target in gradient.TARGETS:
            steps, train_dir = protocol.steps, protocol.train_dir
            asked = gradient.Asked(pictures, title, protocol.seed, steps, train_dir, protocol.task, place)
            shown = gradient.TARGETS[target](run, asked)
        elif target == "speed":
            shown = figures.speed(run, pictures[0], contenders.labels(able["denoise"]), sides)
        elif target == "lunz2":
            shown = tomography.lunz2(run, pictures, model, compute, title, protocol.seed)
        elif target == "upscale":
            shown = upscaling.upscale(run, pictures, contenders, title)
        elif place is not None and target == "fig1":
            shown = figures.circle(run, place, protocol.seed)
        elif place is not None and (target == "fig2" or target == "fig3"):
            shown = figures.patches(target, run, place, pictures, protocol.seed)
        else:
            wanted = place is not None or album is not None
            work = prepare(pictures, methods, contenders, table, pictures_wanted=wanted)
            if place is not None and (target == "fig4" or target == "fig5"):
                shown, means = figures.side_by_side(target, run, place, work, title)
            else:
                results = run.results(work, place)
                means = run.means(done.score for done in (album.watch(results) if album else results))
                shown = _layout(target, protocol, contenders)(means, title)
                if album is not None:
                    report.say(f"{album.finish(shown)} written")
        if shown.rows and not reports.json:
            show(shown, means, table, ctx.obj)
        run.finish()


def _check_kernels(settings: list[Setting]) -> str | None:
    """A note if a kernel was normalised. Raises UsageError or InputError for what is not a kernel."""
    from alr_cli.bench.blurs import read_blur

    kernels = dict.fromkeys(setting.kernel for setting in settings if setting.kernel is not None)
    notes = [note for _, note in map(read_blur, kernels) if note is not None]
    return notes[0] if notes else None


def _place(target: Target | None, table: TableOptions, names: list[str]) -> Path | None:
    """The folder for pictures, or the file of a figure. Raises UsageError or OutputError."""
    if target in FIGURES or (target in PLOTS and table.output is not None):
        problem = undrawable(target)
        if problem is not None:
            raise UsageError(problem)
        return files.figure_path(table.output, target, table.overwrite)
    if table.output is None:
        return None
    if not saves_pictures(target):
        raise UsageError(f"-o is for other targets: {target} saves no pictures, leave -o out")
    return files.check_folder("-o", table.output, names, table.overwrite)


def _album(target: Target | None, table: TableOptions, names: list[str]) -> Album | None:
    """The pages that --html asks for. Raises UsageError or OutputError."""
    if table.html is None:
        return None
    if not saves_pictures(target):
        raise UsageError(f"--html shows restored pictures and {target} has none: leave --html out")
    if table.output is not None and Path(table.html).resolve() == Path(table.output).resolve():
        raise UsageError("--html and -o name the same folder: give each its own")
    return Album(files.check_folder("--html", table.html, names, table.overwrite))


def _set_threads(threads: int | None) -> None:
    from alr_cli.core.numerics import devices

    devices.set_threads(threads)


def _layout(target: Target | None, protocol: ProtocolOptions, contenders: Contenders) -> Layout:
    from alr_cli.bench.tables import layout, paper

    if target == "table1":
        return partial(paper.table1, trained=contenders.trained())
    if target == "table2":
        return paper.table2
    if target == "lunz1":
        return paper.lunz1
    return layout.by_level if protocol.kernels is not None else layout.by_setting
