"""The options of `alr benchmark` alone, and the settings and methods they mean."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated

import typer

from alr_cli.bench.settings import (
    DEFAULT_BOUNDARY,
    DEFAULT_KERNEL,
    DEFAULT_MISSING,
    DEFAULT_SIGMAS,
    METHODS,
    TASKS,
    Boundary,
    Setting,
    Task,
)
from alr_cli.cli import values
from alr_cli.cli.options import FILES, REPORTS
from alr_cli.errors import UsageError

PROTOCOL = "Protocol"


@dataclass(frozen=True, kw_only=True)
class ProtocolOptions:
    """Which pictures, how they are degraded, who restores them. None is the task's own default."""

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
            "denoise, 0.03 for deblur, 0 for inpaint.",
        ),
    ] = None
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods",
            metavar="M,M",
            rich_help_panel=PROTOCOL,
            help=f"Some of {', '.join(method.name for method in METHODS)}. Without it, those that "
            "need no extra package.",
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
        float | None,
        typer.Option(
            "--missing",
            metavar="SHARE",
            parser=values.number("--missing", above=0, below=1),
            rich_help_panel=PROTOCOL,
            help="Share of the pixels that inpaint has to fill, drawn at random; "
            f"{DEFAULT_MISSING} by default.",
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
        bool,
        typer.Option(
            "--clip/--no-clip", rich_help_panel=PROTOCOL, help="Clip the noisy pixels to 0 to 1, or not."
        ),
    ] = False


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
            help="Save all pictures, clean, degraded and restored, below this folder (8-bit PNG).",
        ),
    ] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel=FILES, help="Even if there is something in it.")
    ] = False


def settings_of(task: Task | None, protocol: ProtocolOptions) -> list[Setting]:
    """Every noise level of every task that was asked for. Raises UsageError."""
    tasks = TASKS if task is None else (task,)
    given = (
        ("deblur", "--kernel", protocol.kernel),
        ("deblur", "--boundary", protocol.boundary),
        ("inpaint", "--missing", protocol.missing),
    )
    for owner, option, value in given:
        if value is not None and owner not in tasks:
            raise UsageError(f"{option} belongs to alr benchmark {owner}: leave it out")
    kernel = protocol.kernel or DEFAULT_KERNEL
    return [
        Setting(
            each,
            sigma,
            protocol.clip,
            protocol.seed,
            kernel=kernel if each == "deblur" else None,
            boundary=(protocol.boundary or DEFAULT_BOUNDARY) if each == "deblur" else None,
            missing=(protocol.missing or DEFAULT_MISSING) if each == "inpaint" else None,
        )
        for each in tasks
        for sigma in _sigmas(protocol.sigmas, each)
    ]


def _sigmas(text: str | None, task: Task) -> tuple[float, ...]:
    if text is None:
        return DEFAULT_SIGMAS[task]
    sigmas = [values.parse_sigma(part.strip()) for part in text.split(",")]
    known = tuple(dict.fromkeys(sigma for sigma in sigmas if sigma is not None))
    if len(known) < len(sigmas):
        raise UsageError(f"--sigmas {text}: give each noise level once, as a number such as 0.1 or 25/255")
    if task == "denoise" and 0 in known:
        raise UsageError(f"--sigmas {text}: without noise there is nothing to denoise, leave 0 out")
    return known


def methods_of(settings: list[Setting], text: str | None) -> dict[Setting, tuple[str, ...]]:
    """The methods of each setting; settings that none of them can do are left out. Raises UsageError."""
    if text is None:
        return {
            setting: tuple(m.name for m in METHODS if m.usual and setting.task in m.tasks)
            for setting in settings
        }
    tasks = list(dict.fromkeys(setting.task for setting in settings))
    known = {method.name: method for method in METHODS}
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        if name not in known:
            raise UsageError(f"--methods: {name!r} is not a method, choose from {', '.join(known)}")
        if not set(tasks) & set(known[name].tasks):
            raise UsageError(
                f"--methods: {name} cannot {' or '.join(tasks)}, only {', '.join(known[name].tasks)}"
            )
        package = known[name].package
        if package is not None and find_spec(package) is None:
            raise UsageError(
                f"--methods: {name} needs the package {package}: pip install 'alr-cli[bench]' "
                "(mind its licence, it is not for commercial use)"
            )
    able = {setting: tuple(n for n in names if setting.task in known[n].tasks) for setting in settings}
    return {setting: chosen for setting, chosen in able.items() if chosen}
