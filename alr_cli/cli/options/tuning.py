"""The options that only `alr tune` has."""

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
    """The pictures of `alr tune` and their noise."""

    sigma: Annotated[
        str | None,
        typer.Option(
            "--sigma",
            metavar="S|LOW:HIGH",
            show_default=f"{LEVELS}, or slightly more than the range of the noisy folder",
            rich_help_panel=DATA,
            help="Noise levels to train for, for pixels from 0 to 1: a single level or a range.",
        ),
    ] = None

    def __post_init__(self) -> None:
        self.levels  # noqa: B018 - parsed here, so that a mistake is found before any file is read

    def noise_from(self, default: NoiseOrigin) -> NoiseOrigin | None:
        """`default` with a noisy folder; None without one."""
        return None if self.noisy_dir is None else default

    @property
    def levels(self) -> tuple[float, float]:
        return parse_sigma_range(self.sigma or LEVELS)


@dataclass(frozen=True, kw_only=True)
class TuningRun(RunOptions):
    """Output, checkpoints and hardware."""

    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option(
            "--precision",
            rich_help_panel=RUN,
            help="Precision of the convolutions that compute the minimisers. The weights learn "
            "better in float32.",
        ),
    ] = "float32"


@dataclass(frozen=True, kw_only=True)
class TuningOptions:
    """The bilevel training."""

    weights: Annotated[
        str | None,
        typer.Option(
            "-w",
            "--weights",
            metavar="NAME|FILE",
            rich_help_panel=RECIPE,
            help="Weights of fields of experts to continue from, instead of cosine filters.",
        ),
    ] = None
    gray: Annotated[
        bool,
        typer.Option(
            "--gray", rich_help_panel=RECIPE, help="Tune for gray pictures. Colour pictures become luminance."
        ),
    ] = False
    coarser: Annotated[
        int | None,
        typer.Option(
            "--coarser",
            metavar="K",
            parser=values.whole("--coarser", least=1),
            rich_help_panel=RECIPE,
            help="Number of additional filters at a quarter of the resolution. The field of view is "
            "then 28 x 28 pixels instead of 14 x 14.",
        ),
    ] = None
    holes: Annotated[
        float,
        typer.Option(
            "--holes",
            metavar="SHARE",
            parser=values.number("--holes", least=0, most=1),
            rich_help_panel=RECIPE,
            help="Share of the crops that have missing pixels instead of noise. Use 1 for weights "
            "that only fill in pixels.",
        ),
    ] = 0.0
    iterations: Annotated[
        int,
        typer.Option(
            "--iterations",
            metavar="K",
            parser=values.whole("--iterations", least=1),
            rich_help_panel=RECIPE,
            help="Number of Adam steps.",
        ),
    ] = 3000
    batch_size: Annotated[
        int,
        typer.Option(
            "--batch-size",
            metavar="M",
            parser=values.whole("--batch-size", least=1),
            rich_help_panel=RECIPE,
            help="Number of crops per step.",
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
            help="Initial step size, relative to the size of the filters. It decays to a 25th.",
        ),
    ] = 1e-2
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            parser=values.whole("--seed", least=0),
            rich_help_panel=RECIPE,
            help="Random seed for the crops and their noise.",
        ),
    ] = 0
