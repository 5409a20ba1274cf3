"""The options that `alr tune` has to itself."""

from dataclasses import dataclass
from typing import Annotated

import typer

from alr_cli.cli.options import values

RECIPE = "Recipe"


@dataclass(frozen=True, kw_only=True)
class TuningOptions:
    """Bilevel training."""

    weights: Annotated[
        str | None,
        typer.Option(
            "-w",
            "--weights",
            metavar="NAME|FILE",
            rich_help_panel=RECIPE,
            help="Tuned experts to go on from, instead of cosines.",
        ),
    ] = None
    gray: Annotated[
        bool,
        typer.Option("--gray", rich_help_panel=RECIPE, help="For gray pictures: colours become luminance."),
    ] = False
    coarser: Annotated[
        int | None,
        typer.Option(
            "--coarser",
            metavar="K",
            parser=values.whole("--coarser", least=1),
            rich_help_panel=RECIPE,
            help="So many filters at a quarter of the resolution, too: 28 x 28 pixels instead of 14 x 14.",
        ),
    ] = None
    holes: Annotated[
        float,
        typer.Option(
            "--holes",
            metavar="SHARE",
            parser=values.number("--holes", least=0, most=1),
            rich_help_panel=RECIPE,
            help="So many of the crops have no noise but miss pixels: 1 for a critic that fills holes.",
        ),
    ] = 0.0
    iterations: Annotated[
        int,
        typer.Option(
            "--iterations",
            metavar="K",
            parser=values.whole("--iterations", least=1),
            rich_help_panel=RECIPE,
            help="Steps of Adam.",
        ),
    ] = 3000
    batch_size: Annotated[
        int,
        typer.Option(
            "--batch-size",
            metavar="M",
            parser=values.whole("--batch-size", least=1),
            rich_help_panel=RECIPE,
            help="Crops per step.",
        ),
    ] = 8
    crop: Annotated[
        int,
        typer.Option(
            "--crop",
            metavar="N",
            parser=values.whole("--crop", least=32),
            rich_help_panel=RECIPE,
            help="Side of the crops in pixels.",
        ),
    ] = 72
    lr: Annotated[
        float,
        typer.Option(
            "--lr",
            metavar="X",
            parser=values.number("--lr", above=0),
            rich_help_panel=RECIPE,
            help="Step size at the start, relative to the size of the filters; it decays to a 25th.",
        ),
    ] = 1e-2
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            parser=values.whole("--seed", least=0),
            rich_help_panel=RECIPE,
            help="Of the crops and their noise.",
        ),
    ] = 0
