"""The options of `alr train` and `alr tune` that name pictures and their noise."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options import values
from alr_cli.errors import UsageError

NoiseOrigin = Literal["white", "from-noisy-dir", "none"]

DATA = "Data"


def parse_sigma_range(text: str) -> tuple[float, float]:
    """Parse the noise levels to train for: `0.1` or `0.05:0.3`, also written as `25/255`. Raises
    UsageError."""
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
            help="Folder of noisy pictures. They need not show the same scenes as the clean ones. "
            "Without it, noise of --sigma is added to clean patches. With --recipe global and --geometry "
            "parallel it has sinograms, with detectors as wide as a pixel of the slice.",
        ),
    ] = None
    shrink: Annotated[
        int | None,
        typer.Option(
            "--shrink",
            metavar="N",
            parser=values.whole("--shrink", least=1),
            show_default="2 if JPEG blocks are visible, else 1",
            rich_help_panel=DATA,
            help="Average blocks of N x N pixels of the clean pictures to remove their own noise and"
            " JPEG blocks.",
        ),
    ] = None
    val_dir: Annotated[
        str | None,
        typer.Option(
            "--val-dir",
            metavar="DIR",
            rich_help_panel=DATA,
            help="Folder of clean pictures for measuring the PSNR and fitting lambda(sigma). By "
            "default some of the clean pictures.",
        ),
    ] = None
    range: Annotated[
        values.Range | None,
        typer.Option(
            "--range",
            metavar="LO:HI",
            parser=values.parse_range,
            rich_help_panel=DATA,
            help="The numbers of the files that mean black and white, such as 0:1023 or 0:4000. Needed if "
            "the range of floats or of 10 bits in 16 is in doubt.",
        ),
    ] = None
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="NAME",
            rich_help_panel=DATA,
            help="Skip this file of the clean folder. May be given several times.",
        ),
    ] = None

    @property
    def black_and_white(self) -> tuple[float, float] | None:
        """The numbers of the files that mean 0 and 1, or None for those of their type."""
        return None if self.range is None else self.range.pair


@dataclass(frozen=True, kw_only=True)
class DataOptions(PictureOptions):
    """The pictures of `alr train` and their noise."""

    sigma: Annotated[
        str | None,
        typer.Option(
            "--sigma",
            metavar="S|LOW:HIGH",
            show_default="0.05:0.3, or slightly more than the range of the noisy folder",
            rich_help_panel=DATA,
            help="Noise levels to train for, for pixels from 0 to 1: a single level or a range.",
        ),
    ] = None
    noise_model: Annotated[
        NoiseOrigin | None,
        typer.Option(
            "--noise-model",
            show_default="white",
            rich_help_panel=DATA,
            help="What to learn from clean patches and --noisy-dir. white: white noise of all "
            "levels; lambda is fitted to the noise of the folder. from-noisy-dir: noise as "
            "estimated in the folder (level by brightness, correlations). none: the noisy "
            "patches directly.",
        ),
    ] = None
    log_sigma: Annotated[
        bool,
        typer.Option(
            "--log-sigma",
            rich_help_panel=DATA,
            help="Draw noise levels uniformly on a logarithmic scale, which gives more small ones.",
        ),
    ] = False

    def __post_init__(self) -> None:
        if self.noise_model is not None and self.noisy_dir is None:
            raise UsageError(
                f"--noise-model {self.noise_model} needs a --noisy-dir whose noise can be estimated"
            )
        if self.noise_model == "none" and (self.sigma is not None or self.log_sigma):
            raise UsageError(
                "--sigma adds noise, but --noise-model none uses the noise of the pictures: give one of them"
            )
        self.levels  # noqa: B018 - parsed here, so that a mistake is found before any file is read

    def noise_from(self, default: NoiseOrigin) -> NoiseOrigin | None:
        """--noise-model, or `default` if it was not given; None without a noisy folder."""
        return None if self.noisy_dir is None else self.noise_model or default

    @property
    def levels(self) -> tuple[float, float]:
        return parse_sigma_range(self.sigma or "0.05:0.3")
