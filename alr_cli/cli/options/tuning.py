"""The options that `alr tune` has to itself."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options import values
from alr_cli.cli.options.training import RUN, RunOptions
from alr_cli.cli.options.training_data import DATA, NoiseOrigin, PictureOptions, parse_sigma_range

RECIPE = "Recipe"
LEVELS = "0.008:0.42"


@dataclass(frozen=True, kw_only=True)
class TuningPictures(PictureOptions):
    """The pictures of `alr tune`, and their noise."""

    sigma: Annotated[
        str | None,
        typer.Option(
            "--sigma",
            metavar="S|LOW:HIGH",
            show_default=f"{LEVELS}, or what the noisy folder holds and some more",
            rich_help_panel=DATA,
            help="Noise levels to be ready for, pixels being 0 to 1: one, or a range.",
        ),
    ] = None

    def __post_init__(self) -> None:
        self.levels  # noqa: B018 - parsed here, so that a mistake is found before anything is read

    def noise_from(self, default: NoiseOrigin) -> NoiseOrigin | None:
        """`default` where there is a noisy folder; None where there is none."""
        return None if self.noisy_dir is None else default

    @property
    def levels(self) -> tuple[float, float]:
        return parse_sigma_range(self.sigma or LEVELS)


@dataclass(frozen=True, kw_only=True)
class TuningRun(RunOptions):
    """Output, checkpoints, machine."""

    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option(
            "--precision",
            rich_help_panel=RUN,
            help="Of the convolutions that find the minimisers. What is learned gains by float32.",
        ),
    ] = "float32"


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
