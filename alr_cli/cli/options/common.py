"""The options that commands share: written once, in groups that expand.py puts into each command."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options import values
from alr_cli.cli.options.expand import (
    expand_options as expand_options,  # commands import options from one place
)
from alr_cli.errors import UsageError

RESTORATION, ENERGY, COMPUTE, REPORTS = "Restoration", "Energy", "Compute", "Reports"

Sigma = Annotated[
    float | None,
    typer.Option(
        "--sigma",
        metavar="SIGMA",
        parser=values.parse_sigma,
        rich_help_panel=RESTORATION,
        help="Standard deviation of the noise, pixels being 0 to 1: 0.1, or 25/255; auto, the default, "
        "estimates it.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", rich_help_panel=REPORTS, help="One JSON line per input on stdout.")
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug", envvar="ALR_DEBUG", rich_help_panel=REPORTS, help="Show the traceback of an error."
    ),
]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which regularizer, how strong, and how the energy is descended."""

    weights: Annotated[
        str | None,
        typer.Option(
            "-w",
            "--weights",
            metavar="NAME|FILE",
            envvar="ALR_WEIGHTS",
            autocompletion=values.complete_weights,
            rich_help_panel=RESTORATION,
            help="Shipped weights by name (see alr weights) or a file of your own. Without it: gray weights "
            "for gray pictures, colour weights for colour pictures. Gray weights restore the "
            "channels of a colour picture one by one; colour weights take a gray picture for three equal "
            "channels.",
        ),
    ] = None
    strength: Annotated[
        float | None,
        typer.Option(
            "--strength",
            metavar="X",
            parser=values.number("--strength", least=0),
            rich_help_panel=ENERGY,
            help="Multiplies the lambda that was fitted for these weights, 1 by default: more is smoother.",
        ),
    ] = None
    lam: Annotated[
        float | None,
        typer.Option(
            "--lam",
            metavar="X",
            parser=values.number("--lam", least=0),
            rich_help_panel=ENERGY,
            help="Sets lambda itself, instead of the fitted one.",
        ),
    ] = None
    solver: Annotated[
        Literal["default", "fourier", "adam", "gd", "nmapg", "lbfgs", "direct", "splitting"],
        typer.Option(
            "--solver",
            metavar="NAME",
            rich_help_panel=ENERGY,
            help="How the energy is descended: fourier, adam, gd, nmapg, lbfgs, direct or splitting; "
            "default takes what suits the weights.",
        ),
    ] = "default"
    formulation: Annotated[
        Literal["analysis", "synthesis"],
        typer.Option(
            "--formulation",
            metavar="NAME",
            rich_help_panel=ENERGY,
            help="What a flow is asked for: the picture whose latent is short (analysis), or the latent that "
            "makes the picture (synthesis).",
        ),
    ] = "analysis"
    max_iter: Annotated[
        int | None,
        typer.Option(
            "--max-iter",
            metavar="N",
            parser=values.whole("--max-iter", least=1),
            rich_help_panel=ENERGY,
            help="The most iterations; by default the solver's own number.",
        ),
    ] = None
    fast: Annotated[
        bool,
        typer.Option(
            "--fast",
            rich_help_panel=ENERGY,
            help="A third of the usual iterations, for a look at what will come of it.",
        ),
    ] = False
    tol: Annotated[
        float | None,
        typer.Option(
            "--tol",
            metavar="X",
            parser=values.number("--tol", least=0),
            rich_help_panel=ENERGY,
            help="Stop when an iteration changes the pixels by less (root mean square).",
        ),
    ] = None
    clip_aware: Annotated[
        bool,
        typer.Option(
            "--clip-aware/--no-clip-aware",
            rich_help_panel=ENERGY,
            help="Take a pixel at black or white as cut off there: it says only 'at most' or 'at least'.",
        ),
    ] = True

    def __post_init__(self) -> None:
        if self.lam is not None and self.strength is not None:
            raise UsageError("--lam sets lambda and --strength multiplies the fitted one: give one of them")
        if self.fast and self.max_iter is not None:
            raise UsageError("--max-iter sets the iterations and --fast takes a third: give one of them")


@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """Where and in which pieces the numbers are computed."""

    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="DEVICE",
            envvar="ALR_DEVICE",
            parser=values.parse_device,
            rich_help_panel=COMPUTE,
            help="auto, cpu, cuda, cuda:1 or mps. auto takes what there is; a named one is taken or refused.",
        ),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(
            "--precision",
            rich_help_panel=COMPUTE,
            help="Of the network; the energy is always summed in float32. auto: bfloat16 where it is native.",
        ),
    ] = "auto"
    tile: Annotated[
        int | None,
        typer.Option(
            "--tile",
            metavar="N",
            envvar="ALR_TILE",
            parser=values.parse_tile,
            rich_help_panel=COMPUTE,
            help="Side of the tiles in pixels, 0 for one piece, or auto, the default: bounds the memory, "
            "never changes the energy.",
        ),
    ] = None
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            metavar="N",
            envvar="ALR_THREADS",
            parser=values.whole("--threads", least=1),
            rich_help_panel=COMPUTE,
            help="CPU threads. Without it, one per core.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What is said, and where."""

    json: Json = False
    report: Annotated[
        str | None,
        typer.Option(
            "--report", metavar="FILE", rich_help_panel=REPORTS, help="Append the JSON lines to FILE as well."
        ),
    ] = None
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", rich_help_panel=REPORTS, help="Say nothing but errors.")
    ] = False
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", rich_help_panel=REPORTS, help="Say more about each picture.")
    ] = False
    no_progress: Annotated[
        bool, typer.Option("--no-progress", rich_help_panel=REPORTS, help="No progress bar on the terminal.")
    ] = False
    debug: Debug = False

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise UsageError("-q and -v contradict each other: give one of them")
