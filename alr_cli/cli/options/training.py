"""The options of `alr train`, in groups."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options import values
from alr_cli.errors import UsageError

NoiseOrigin = Literal["white", "from-noisy-dir", "none"]

RecipeName = Literal["adversarial", "flow", "potential"]

DATA, CRITIC, FLOW, RUN = "Data", "Critic", "Flow", "Run"
RECIPE = "Recipe (the defaults are the paper's)"


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


@dataclass(frozen=True, kw_only=True)
class CriticOptions:
    """The network."""

    gray: Annotated[
        bool,
        typer.Option(
            "--gray", rich_help_panel=CRITIC, help="A critic for gray pictures; colour becomes luma."
        ),
    ] = False
    width: Annotated[
        int | None,
        typer.Option(
            "--width",
            metavar="N",
            parser=values.whole("--width", least=1),
            rich_help_panel=CRITIC,
            show_default="32; 64 for a flow or a potential",
            help="Feature channels; of a potential, at half of the resolution.",
        ),
    ] = None
    depth: Annotated[
        int,
        typer.Option(
            "--depth",
            metavar="N",
            parser=values.whole("--depth", least=2),
            rich_help_panel=CRITIC,
            help="Convolutions: seven of stride 1 see 15 x 15 pixels.",
        ),
    ] = 7
    stride: Annotated[
        int,
        typer.Option(
            "--stride",
            metavar="N",
            parser=values.whole("--stride", least=1),
            rich_help_panel=CRITIC,
            help="Of the first convolution: 2 halves the resolution, sees twice as far (depth 6: 24 x 24 "
            "pixels) and costs a quarter per feature.",
        ),
    ] = 1
    activation: Annotated[
        Literal["relu", "leaky_relu", "silu", "softplus"],
        typer.Option("--activation", rich_help_panel=CRITIC, help="Between the convolutions."),
    ] = "relu"


@dataclass(frozen=True, kw_only=True)
class KindOptions:
    """What is trained, and the sizes of a flow."""

    recipe: Annotated[
        RecipeName,
        typer.Option(
            "--recipe",
            rich_help_panel=CRITIC,
            help="adversarial: the paper's critic. flow: the density of aligned pictures of one size. "
            "potential: an energy that sees far and removes noise in one step (docs/notebook/wide.md).",
        ),
    ] = "adversarial"
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="N",
            parser=values.whole("--size", least=2),
            rich_help_panel=FLOW,
            show_default="32; 64 for a potential",
            help="Pixels on a side of the pictures that a flow knows, larger ones being made smaller by "
            "means; or of the crops that a potential learns from.",
        ),
    ] = None
    levels: Annotated[
        int,
        typer.Option(
            "--levels",
            metavar="N",
            parser=values.whole("--levels", least=1),
            rich_help_panel=FLOW,
            help="How often the resolution is halved.",
        ),
    ] = 3
    steps: Annotated[
        int,
        typer.Option(
            "--steps",
            metavar="N",
            parser=values.whole("--steps", least=1),
            rich_help_panel=FLOW,
            help="Couplings of each level.",
        ),
    ] = 8


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """How it is trained."""

    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations",
            metavar="K",
            parser=values.whole("--iterations", least=1),
            rich_help_panel=RECIPE,
            show_default="100000; 4000 for a flow, 20000 for a potential",
            help="Steps; the first half of those of a potential train a plain denoiser.",
        ),
    ] = None
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            metavar="M",
            parser=values.whole("--batch-size", least=1),
            rich_help_panel=RECIPE,
            show_default="32; 8 for a potential",
            help="Clean patches, and as many noisy ones, per step.",
        ),
    ] = None
    lr: Annotated[
        float | None,
        typer.Option(
            "--lr",
            metavar="X",
            parser=values.number("--lr", above=0),
            rich_help_panel=RECIPE,
            show_default="0.001; 0.006 for a potential",
            help="Step size at the start. It decays exponentially; that of a potential falls in a straight "
            "line at the end.",
        ),
    ] = None
    lr_final: Annotated[
        float,
        typer.Option(
            "--lr-final",
            metavar="X",
            parser=values.number("--lr-final", above=0),
            rich_help_panel=RECIPE,
            help="Step size at the end.",
        ),
    ] = 1e-4
    mu: Annotated[
        float,
        typer.Option(
            "--mu",
            metavar="X",
            parser=values.number("--mu", least=0),
            rich_help_panel=RECIPE,
            help="Weight of the gradient penalty.",
        ),
    ] = 5.0
    one_sided: Annotated[
        bool,
        typer.Option("--one-sided", rich_help_panel=RECIPE, help="Penalise only gradients longer than 1."),
    ] = False
    normalise: Annotated[
        bool,
        typer.Option(
            "--normalise",
            rich_help_panel=RECIPE,
            help="Divide each pair's difference of scores by the length of its noise.",
        ),
    ] = False
    ema: Annotated[
        float,
        typer.Option(
            "--ema",
            metavar="X",
            parser=values.number("--ema", least=0, below=1),
            rich_help_panel=RECIPE,
            help="Keep a moving average of the weights with this decay, for instance 0.999; 0 for none. A "
            "flow and a potential have one of their own, 0.998 and 0.999.",
        ),
    ] = 0.0
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            parser=values.whole("--seed", least=0),
            rich_help_panel=RECIPE,
            help="Of the start, the patches and the noise.",
        ),
    ] = 0


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Output, checkpoints, machine."""

    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            rich_help_panel=RUN,
            help="Weights to write (.safetensors). The checkpoint FILE.checkpoint is kept beside them.",
        ),
    ]
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", rich_help_panel=RUN, help="Continue exactly from the checkpoint beside FILE."
        ),
    ] = False
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", rich_help_panel=RUN, help="Replace weights and checkpoint that exist."),
    ] = False
    checkpoint_every: Annotated[
        int,
        typer.Option(
            "--checkpoint-every",
            metavar="N",
            parser=values.whole("--checkpoint-every", least=1),
            rich_help_panel=RUN,
            help="Steps between checkpoints.",
        ),
    ] = 1000
    validate_every: Annotated[
        int,
        typer.Option(
            "--validate-every",
            metavar="N",
            parser=values.whole("--validate-every", least=1),
            rich_help_panel=RUN,
            help="Steps between restorations of a few validation crops.",
        ),
    ] = 10_000
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="DEVICE",
            envvar="ALR_DEVICE",
            parser=values.parse_device,
            rich_help_panel=RUN,
            help="auto, cpu, cuda, cuda:1 or mps.",
        ),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(
            "--precision",
            rich_help_panel=RUN,
            help="Of the convolutions. auto: bfloat16 where it is native, which halves the time.",
        ),
    ] = "auto"
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            metavar="N",
            envvar="ALR_THREADS",
            parser=values.whole("--threads", least=1),
            rich_help_panel=RUN,
            help="CPU threads. Without it, one per core.",
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise UsageError("--resume continues a checkpoint and --overwrite starts anew: give one of them")
        if not self.output.endswith(".safetensors"):
            raise UsageError(f"-o {self.output}: weights are written as .safetensors, give such a name")
