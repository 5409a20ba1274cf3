"""The options that several commands share, declared once in groups. expand.py puts the groups into each
command."""

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
        help="Standard deviation of the noise for pixels from 0 to 1, such as 0.1 or 25/255. The "
        "default, auto, estimates it.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", rich_help_panel=REPORTS, help="Write one JSON line per input to stdout.")
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug", envvar="ALR_DEBUG", rich_help_panel=REPORTS, help="Show the traceback of an error."
    ),
]


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which regularizer is used, with what weight, and how the energy is minimised."""

    weights: Annotated[
        str | None,
        typer.Option(
            "-w",
            "--weights",
            metavar="NAME|FILE",
            envvar="ALR_WEIGHTS",
            autocompletion=values.complete_weights,
            rich_help_panel=RESTORATION,
            help="The name of shipped weights (see alr weights), or a weights file. By default gray "
            "pictures get gray weights and colour pictures colour weights. Gray weights restore"
            " the channels of a colour picture one by one. Colour weights see a gray picture as"
            " three equal channels.",
        ),
    ] = None
    strength: Annotated[
        float | None,
        typer.Option(
            "--strength",
            metavar="X",
            parser=values.number("--strength", least=0),
            rich_help_panel=ENERGY,
            help="Factor by which the fitted lambda is multiplied, 1 by default. Larger values smooth more.",
        ),
    ] = None
    lam: Annotated[
        float | None,
        typer.Option(
            "--lam",
            metavar="X",
            parser=values.number("--lam", least=0),
            rich_help_panel=ENERGY,
            help="The value of lambda, instead of the fitted one.",
        ),
    ] = None
    solver: Annotated[
        Literal[
            "default",
            "fourier",
            "adam",
            "gd",
            "nmapg",
            "lbfgs",
            "direct",
            "splitting",
            "pgd",
            "admm",
            "pnp-adam",
            "pnp-pgd",
            "pnp-gd",
            "unrolled",
        ],
        typer.Option(
            "--solver",
            metavar="NAME",
            rich_help_panel=ENERGY,
            help="The minimisation algorithm: fourier, adam, gd, nmapg, lbfgs, direct, splitting, pgd, admm, "
            "pnp-adam, pnp-pgd, pnp-gd or unrolled. default takes the one that suits the weights.",
        ),
    ] = "default"
    formulation: Annotated[
        Literal["analysis", "synthesis"],
        typer.Option(
            "--formulation",
            metavar="NAME",
            rich_help_panel=ENERGY,
            help="For flow weights: minimise over the picture (analysis) or over the latent that "
            "generates it (synthesis).",
        ),
    ] = "analysis"
    max_iter: Annotated[
        int | None,
        typer.Option(
            "--max-iter",
            metavar="N",
            parser=values.whole("--max-iter", least=1),
            rich_help_panel=ENERGY,
            help="Maximum number of iterations. The default depends on the solver. The path of splitting "
            "has a fixed length; fewer iterations follow it in larger steps.",
        ),
    ] = None
    fast: Annotated[
        bool,
        typer.Option(
            "--fast",
            rich_help_panel=ENERGY,
            help="For a quick preview, use a third of the usual iterations. color-wide and gray-wide then "
            "denoise one orientation of the picture instead of four.",
        ),
    ] = False
    tol: Annotated[
        float | None,
        typer.Option(
            "--tol",
            metavar="X",
            parser=values.number("--tol", least=0),
            rich_help_panel=ENERGY,
            help="Stop when an iteration changes the pixels by less than this (root mean square).",
        ),
    ] = None
    clip_aware: Annotated[
        bool,
        typer.Option(
            "--clip-aware/--no-clip-aware",
            rich_help_panel=ENERGY,
            help="Treat a pixel that is exactly black or white as clipped: its true value may lie beyond.",
        ),
    ] = True

    def __post_init__(self) -> None:
        if self.lam is not None and self.strength is not None:
            raise UsageError(
                "--lam sets lambda and --strength multiplies the fitted lambda: give one of them"
            )
        if self.fast and self.max_iter is not None:
            raise UsageError("--max-iter sets the iterations and --fast takes a third: give one of them")


@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """On which device and in which pieces the numbers are computed."""

    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="DEVICE",
            envvar="ALR_DEVICE",
            parser=values.parse_device,
            rich_help_panel=COMPUTE,
            help="auto, cpu, cuda, cuda:1 or mps. auto takes the best available device. A named "
            "device that is missing is an error.",
        ),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(
            "--precision",
            rich_help_panel=COMPUTE,
            help="Precision of the network; the energy is always summed in float32. auto takes "
            "bfloat16 if the device supports it natively.",
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
            help="Side of the tiles in pixels, 0 for a single tile, or auto, the default. Tiles "
            "bound the memory and never change the energy.",
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
            help="Number of CPU threads. By default one per core.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Which messages are written, and where."""

    json: Json = False
    report: Annotated[
        str | None,
        typer.Option(
            "--report", metavar="FILE", rich_help_panel=REPORTS, help="Also append the JSON lines to FILE."
        ),
    ] = None
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", rich_help_panel=REPORTS, help="Print errors only.")
    ] = False
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", rich_help_panel=REPORTS, help="Print more about each picture.")
    ] = False
    no_progress: Annotated[
        bool, typer.Option("--no-progress", rich_help_panel=REPORTS, help="Do not show a progress bar.")
    ] = False
    debug: Debug = False

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise UsageError("-q and -v contradict each other: give one of them")
