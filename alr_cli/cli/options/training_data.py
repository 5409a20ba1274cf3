"""The options of `alr train` and `alr tune` that name pictures and their noise."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options import values
from alr_cli.errors import UsageError

NoiseOrigin = Literal["white", "from-noisy-dir", "none"]

DATA = "Data"


def parse_sigma_range(text: str) -> tuple[float, float]:
    """`0.1` or `0.05:0.3`, each also as `25/255`: the noise levels to train for."""
    low_text, colon, high_text = text.partition(":")
    low = values.parse_sigma(low_text)
    high = values.parse_sigma(high_text) if colon else low
    if low is None or high is None or not 0 < low <= high:
        raise UsageError(f"--sigma {text} is not a range of noise levels: write 0.1, or 0.05:0.3")
    return low, high


@dataclass(frozen=True, kw_only=True)
class PictureOptions:
    """The pictures of any training."""

    clean_dir: Annotated[
        str,
        typer.Option("--clean-dir", metavar="DIR", rich_help_panel=DATA, help="Folder of clean pictures."),
    ]
    noisy_dir: Annotated[
        str | None,
        typer.Option(
            "--noisy-dir",
            metavar="DIR",
            rich_help_panel=DATA,
            help="Folder of noisy pictures, of anything: they need not show what the clean ones show. "
            "Without it, noise of --sigma is added to clean patches.",
        ),
    ] = None
    shrink: Annotated[
        int | None,
        typer.Option(
            "--shrink",
            metavar="N",
            parser=values.whole("--shrink", least=1),
            show_default="2 where JPEG blocks show, else 1",
            rich_help_panel=DATA,
            help="Average N x N pixels of the clean pictures, against their own noise and JPEG blocks.",
        ),
    ] = None
    val_dir: Annotated[
        str | None,
        typer.Option(
            "--val-dir",
            metavar="DIR",
            rich_help_panel=DATA,
            help="Folder of clean pictures to watch PSNR and to fit lambda(sigma) on. Without it, some of "
            "the clean ones.",
        ),
    ] = None
    range: Annotated[
        values.Range | None,
        typer.Option(
            "--range",
            metavar="LO:HI",
            parser=values.parse_range,
            rich_help_panel=DATA,
            help="The numbers of the files that are black and white, where floats or 10 bits in 16 leave it "
            "open: 0:1023, 0:4000.",
        ),
    ] = None
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="NAME",
            rich_help_panel=DATA,
            help="Leave this file of the clean folder out; may be repeated.",
        ),
    ] = None

    @property
    def black_and_white(self) -> tuple[float, float] | None:
        """The numbers of the files that are 0 and 1; None for the usual ones."""
        return None if self.range is None else self.range.pair


@dataclass(frozen=True, kw_only=True)
class DataOptions(PictureOptions):
    """The pictures of `alr train`, and their noise."""

    sigma: Annotated[
        str | None,
        typer.Option(
            "--sigma",
            metavar="S|LOW:HIGH",
            show_default="0.05:0.3, or what the noisy folder holds and some more; 1/255:0.4 for a potential",
            rich_help_panel=DATA,
            help="Noise levels to be ready for, pixels being 0 to 1: one, or a range.",
        ),
    ] = None
    noise_model: Annotated[
        NoiseOrigin | None,
        typer.Option(
            "--noise-model",
            show_default="white",
            rich_help_panel=DATA,
            help="What to learn from clean patches and --noisy-dir. white: white noise of all levels, lambda "
            "being fitted to the noise of the folder. from-noisy-dir: such noise as is estimated there "
            "(level by brightness, correlations). none: the noisy patches as they are.",
        ),
    ] = None
    log_sigma: Annotated[
        bool,
        typer.Option(
            "--log-sigma",
            rich_help_panel=DATA,
            help="Draw the level evenly in its logarithm: more small ones.",
        ),
    ] = False

    def __post_init__(self) -> None:
        if self.noise_model is not None and self.noisy_dir is None:
            raise UsageError(f"--noise-model {self.noise_model} needs a --noisy-dir to estimate the noise of")
        if self.noise_model == "none" and (self.sigma is not None or self.log_sigma):
            raise UsageError(
                "--sigma adds noise and --noise-model none takes what there is: give one of them"
            )
        self.levels  # noqa: B018 - parsed here, so that a mistake is found before anything is read

    def noise_from(self, default: NoiseOrigin) -> NoiseOrigin | None:
        """--noise-model, or its default where there is a noisy folder; None where there is none."""
        return None if self.noisy_dir is None else self.noise_model or default

    @property
    def levels(self) -> tuple[float, float]:
        return parse_sigma_range(self.sigma or "0.05:0.3")
