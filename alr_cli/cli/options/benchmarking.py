"""The options of `alr benchmark` alone, and the settings and methods they mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from alr_cli.bench.protocol import (
    BY_NAME,
    DEFAULT_BOUNDARY,
    DEFAULT_KERNEL,
    DEFAULT_MISSING,
    METHODS,
    Boundary,
    Missing,
    Setting,
    Task,
)
from alr_cli.bench.targets import PLANS, Plan, Target, lacking, owners
from alr_cli.cli.options import values
from alr_cli.cli.options.common import REPORTS
from alr_cli.cli.options.files import FILES
from alr_cli.errors import UsageError

PROTOCOL = "Protocol"


@dataclass(frozen=True, kw_only=True)
class ProtocolOptions:
    """Which pictures, how they are degraded, who restores them. None is the target's own default."""

    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DIR",
            rich_help_panel=FILES,
            help="A folder of clean pictures, or one of them. Without it: four that scikit-image brings, "
            "cropped to 256 x 256.",
        ),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            parser=values.whole("--limit", least=1),
            rich_help_panel=FILES,
            help="Only the first N pictures, by name.",
        ),
    ] = None
    sigmas: Annotated[
        str | None,
        typer.Option(
            "--sigmas",
            "--sigma",
            metavar="S,S",
            rich_help_panel=PROTOCOL,
            help="Noise levels, pixels being 0 to 1: 0.1,0.2 or 15/255,25/255. Without it 0.1,0.2 for "
            "denoise, 0.03 for deblur, 0 for inpaint, the paper's for its tables and figures.",
        ),
    ] = None
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods",
            metavar="M,M",
            rich_help_panel=PROTOCOL,
            help=f"Some of {', '.join(method.name for method in METHODS)}. Without it, those that "
            "need nothing extra, or those of the table.",
        ),
    ] = None
    kernel: Annotated[
        str | None,
        typer.Option(
            "-k",
            "--kernel",
            metavar="SPEC",
            autocompletion=values.complete_kernel,
            rich_help_panel=PROTOCOL,
            help=f"Blur of deblur, as in alr deblur; {DEFAULT_KERNEL} by default.",
        ),
    ] = None
    kernels: Annotated[
        str | None,
        typer.Option(
            "--kernels",
            metavar="FILE",
            rich_help_panel=PROTOCOL,
            help="Deblur by the protocol of GS-PnP: the eight motion blurs of Levin in this .npz file, a "
            "9 x 9 box and a 25 x 25 Gaussian of 1.6, circular, noise 2.55, 7.65 and 12.75 of 255; a table "
            "of the means over the blurs.",
        ),
    ] = None
    boundary: Annotated[
        Boundary | None,
        typer.Option(
            "--boundary",
            rich_help_panel=PROTOCOL,
            help="Beyond the frame of deblur. valid, the default: the blurred picture loses its border, as "
            "nobody knows what is beyond; circular is what many published tables assume.",
        ),
    ] = None
    missing: Annotated[
        str | None,
        typer.Option(
            "--missing",
            metavar="SHARE,..",
            rich_help_panel=PROTOCOL,
            help="Shares of the pixels that inpaint has to fill, drawn at random, or text for lines of "
            f"writing: 0.5,0.8,0.9,text; {DEFAULT_MISSING} by default.",
        ),
    ] = None
    sides: Annotated[
        str | None,
        typer.Option(
            "--sides",
            metavar="N,N",
            rich_help_panel=PROTOCOL,
            help="Sizes for the target speed, in pixels a side, cut out of the picture or continued by "
            "reflection; 128,256,512 by default.",
        ),
    ] = None
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            parser=values.whole("--seed", least=0),
            rich_help_panel=PROTOCOL,
            help="With the name of a picture it decides noise and mask; order and choice of pictures do not.",
        ),
    ] = 0
    clip: Annotated[
        bool | None,
        typer.Option(
            "--clip/--no-clip",
            rich_help_panel=PROTOCOL,
            help="Clip the noisy pixels to 0 to 1, or not. Without it: not; table1 and fig4 do as the paper "
            "did, table2 both.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """What becomes of the results."""

    csv: Annotated[
        bool, typer.Option("--csv", rich_help_panel=REPORTS, help="The means as CSV on stdout.")
    ] = False
    markdown: Annotated[
        bool, typer.Option("--markdown", rich_help_panel=REPORTS, help="The means as Markdown on stdout.")
    ] = False
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            rich_help_panel=FILES,
            help="Save all pictures, clean, degraded and restored, below this folder (8-bit PNG); a figure "
            "goes into it as fig1.png.",
        ),
    ] = None
    html: Annotated[
        str | None,
        typer.Option(
            "--html",
            metavar="DIR",
            rich_help_panel=FILES,
            help="Write pages into this folder: index.html with the table, and one for each picture with its "
            "restorations under a slider. They need no network.",
        ),
    ] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel=FILES, help="Even if there is something in it.")
    ] = False
    cache: Annotated[
        str | None,
        typer.Option(
            "--cache",
            metavar="DIR",
            rich_help_panel=FILES,
            help="Where results are kept, so that a stopped benchmark goes on and nothing is computed twice. "
            "Without it, alr in the user's cache folder.",
        ),
    ] = None
    no_cache: Annotated[
        bool,
        typer.Option("--no-cache", rich_help_panel=FILES, help="Compute everything, and keep nothing."),
    ] = False

    def __post_init__(self) -> None:
        if self.cache is not None and self.no_cache:
            raise UsageError("--cache keeps results and --no-cache keeps none: give one of them")


def settings_of(target: Target | None, protocol: ProtocolOptions) -> list[Setting]:
    """Every noise level of every degradation that was asked for. Raises UsageError, InputError."""
    plan = PLANS[target]
    _check_options(plan, protocol)
    clips = plan.clips if protocol.clip is None else (protocol.clip,)
    return [
        Setting(task, sigma, clip, protocol.seed, kernel, boundary, missing)
        for task in plan.tasks
        for clip in clips
        for kernel, boundary, missing in _operators(task, protocol)
        for sigma in _sigmas(protocol, plan, task)
    ]


def sides_of(protocol: ProtocolOptions) -> tuple[int, ...] | None:
    """--sides as numbers. Raises UsageError."""
    if protocol.sides is None:
        return None
    return tuple(values.whole("--sides", least=1)(side.strip()) for side in protocol.sides.split(","))


def _check_options(plan: Plan, protocol: ProtocolOptions) -> None:
    given = {
        "--data": protocol.data,
        "--limit": protocol.limit,
        "--sigmas": protocol.sigmas,
        "--methods": protocol.methods,
        "--kernel": protocol.kernel,
        "--kernels": protocol.kernels,
        "--boundary": protocol.boundary,
        "--missing": protocol.missing,
        "--sides": protocol.sides,
        "--clip": protocol.clip,
    }
    for option, value in given.items():
        if value is not None and option not in plan.options:
            raise UsageError(f"{option} belongs to alr benchmark {owners(option)}: leave it out")
    if protocol.kernel is not None and protocol.kernels is not None:
        raise UsageError("--kernel is one blur and --kernels the ten of a protocol: give one of them")


Operator = tuple[str | None, Boundary | None, Missing | None]


def _operators(task: Task, protocol: ProtocolOptions) -> list[Operator]:
    if task == "denoise":
        return [(None, None, None)]
    if task == "inpaint":
        return [(None, None, missing) for missing in _missing(protocol.missing)]
    if protocol.kernels is not None:
        from alr_cli.bench.blurs import gs_pnp

        boundary = protocol.boundary or "circular"
        return [(kernel, boundary, None) for kernel in gs_pnp(protocol.kernels)]
    return [(protocol.kernel or DEFAULT_KERNEL, protocol.boundary or DEFAULT_BOUNDARY, None)]


def _missing(text: str | None) -> tuple[Missing, ...]:
    if text is None:
        return (DEFAULT_MISSING,)
    share = values.number("--missing", above=0, below=1)
    parts = [part.strip() for part in text.split(",")]
    found: list[Missing] = ["text" if part == "text" else share(part) for part in parts]
    return tuple(dict.fromkeys(found))


def _sigmas(protocol: ProtocolOptions, plan: Plan, task: Task) -> tuple[float, ...]:
    text = protocol.sigmas
    if text is None:
        if protocol.kernels is not None:
            from alr_cli.bench.blurs import GS_PNP_SIGMAS

            return GS_PNP_SIGMAS
        return plan.sigmas_of(task)
    sigmas = [values.parse_sigma(part.strip()) for part in text.split(",")]
    known = tuple(dict.fromkeys(sigma for sigma in sigmas if sigma is not None))
    if len(known) < len(sigmas):
        raise UsageError(f"--sigmas {text}: give each noise level once, as a number such as 0.1 or 25/255")
    if task == "denoise" and 0 in known:
        raise UsageError(f"--sigmas {text}: without noise there is nothing to denoise, leave 0 out")
    return known


def methods_of(target: Target | None, text: str | None) -> tuple[dict[Task, tuple[str, ...]], list[str]]:
    """The methods for each task, and a sentence for each that a target has of itself and that cannot run.

    Raises UsageError for one that was named and cannot.
    """
    plan = PLANS[target]
    if text is None:
        wanted = {task: plan.methods_for(task) for task in plan.tasks}
        problems = {name: lacking(BY_NAME[name]) for names in wanted.values() for name in names}
        able = {
            task: tuple(name for name in names if problems[name] is None) for task, names in wanted.items()
        }
        return able, [problem for problem in problems.values() if problem is not None]
    names = _named(text, plan.tasks)
    return {task: tuple(name for name in names if task in BY_NAME[name].tasks) for task in plan.tasks}, []


def _named(text: str, tasks: tuple[Task, ...]) -> list[str]:
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in BY_NAME:
            raise UsageError(f"--methods: {name!r} is not a method, choose from {', '.join(BY_NAME)}")
        able = BY_NAME[name].tasks
        if not set(tasks) & set(able):
            raise UsageError(f"--methods: {name} cannot {' or '.join(tasks)}, only {', '.join(able)}")
        problem = lacking(BY_NAME[name])
        if problem is not None:
            raise UsageError(f"--methods: {problem}")
    return names
