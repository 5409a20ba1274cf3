"""The options that `alr tune` has to itself."""

from dataclasses import dataclass
from typing import Annotated

import typer

from alr_cli.cli import values

RECIPE = "Recipe"


@dataclass(frozen=True, kw_only=True)
class TuningOptions:
    """Bilevel training."""

    weights: Annotated[
        str,
        typer.Option(
            "-w",
            "--weights",
            metavar="NAME|FILE",
            rich_help_panel=RECIPE,
            help="The critic to start from, as `alr train` makes it.",
        ),
    ]
    iterations: Annotated[
        int,
        typer.Option(
            "--iterations",
            metavar="K",
            parser=values.whole("--iterations", least=1),
            rich_help_panel=RECIPE,
            help="Steps of Adam.",
        ),
    ] = 8000
    batch_size: Annotated[
        int,
        typer.Option(
            "--batch-size",
            metavar="M",
            parser=values.whole("--batch-size", least=1),
            rich_help_panel=RECIPE,
            help="Crops per step.",
        ),
    ] = 3
    crop: Annotated[
        int,
        typer.Option(
            "--crop",
            metavar="N",
            parser=values.whole("--crop", least=32),
            rich_help_panel=RECIPE,
            help="Side of the crops in pixels.",
        ),
    ] = 112
    lr: Annotated[
        float,
        typer.Option(
            "--lr",
            metavar="X",
            parser=values.number("--lr", above=0),
            rich_help_panel=RECIPE,
            help="Step size at the start, relative to the size of the weights; it decays to a tenth.",
        ),
    ] = 2e-4
    blurs: Annotated[
        float,
        typer.Option(
            "--blurs",
            metavar="X",
            parser=values.number("--blurs", least=0, below=1),
            rich_help_panel=RECIPE,
            help="Share of the crops that are blurred, with little noise.",
        ),
    ] = 0.15
    holes: Annotated[
        float,
        typer.Option(
            "--holes",
            metavar="X",
            parser=values.number("--holes", least=0, below=1),
            rich_help_panel=RECIPE,
            help="Share of the crops that miss pixels, without noise.",
        ),
    ] = 0.1
    anchor: Annotated[
        float,
        typer.Option(
            "--anchor",
            metavar="X",
            parser=values.number("--anchor", least=0),
            rich_help_panel=RECIPE,
            help="Weight of the critic's own training, which keeps its energy free of holes.",
        ),
    ] = 0.2
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            parser=values.whole("--seed", least=0),
            rich_help_panel=RECIPE,
            help="Of the crops, noise, blurs and holes.",
        ),
    ] = 0
