"""The options of `alr train`, in groups."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options import values
from alr_cli.errors import UsageError

CRITIC, RUN = "Critic", "Run"
RECIPE = "Recipe (the defaults are the paper's)"


@dataclass(frozen=True, kw_only=True)
class CriticOptions:
    """The network."""

    gray: Annotated[
        bool,
        typer.Option(
            "--gray",
            rich_help_panel=CRITIC,
            help="Train for gray pictures. Colour pictures become luminance.",
        ),
    ] = False
    width: Annotated[
        int | None,
        typer.Option(
            "--width",
            metavar="N",
            parser=values.whole("--width", least=1),
            rich_help_panel=CRITIC,
            show_default="32; 16 for global, 64 for defects, a flow or a potential, 48 for the gradient of "
            "reg and unrolled",
            help="Number of feature channels; for U-Nets (defects, post, potential, reg, unrolled), at half "
            "the resolution.",
        ),
    ] = None
    depth: Annotated[
        int,
        typer.Option(
            "--depth",
            metavar="N",
            parser=values.whole("--depth", least=2),
            rich_help_panel=CRITIC,
            help="Number of convolutions. Seven with stride 1 see 15 x 15 pixels.",
        ),
    ] = 7
    stride: Annotated[
        int,
        typer.Option(
            "--stride",
            metavar="N",
            parser=values.whole("--stride", least=1),
            rich_help_panel=CRITIC,
            help="Stride of the first convolution. 2 halves the resolution, which doubles the field "
            "of view (24 x 24 pixels at depth 6) and quarters the cost of each feature.",
        ),
    ] = 1
    activation: Annotated[
        Literal["relu", "leaky_relu", "silu", "softplus"],
        typer.Option("--activation", rich_help_panel=CRITIC, help="Activation between the convolutions."),
    ] = "relu"


@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """The training recipe."""

    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations",
            metavar="K",
            parser=values.whole("--iterations", least=1),
            rich_help_panel=RECIPE,
            show_default="100000; 2500 for global, 4000 for a flow and post, 6000 for defects, 20000 for "
            "a potential, 12000 for reg, 2000 for unrolled",
            help="Number of steps. The first half of the steps of a potential train a plain denoiser.",
        ),
    ] = None
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            metavar="M",
            parser=values.whole("--batch-size", least=1),
            rich_help_panel=RECIPE,
            show_default="32; 16 for global, 8 for a potential and reg, 6 for defects, 4 for post and "
            "unrolled",
            help="Number of clean patches per step. As many noisy patches are used.",
        ),
    ] = None
    lr: Annotated[
        float | None,
        typer.Option(
            "--lr",
            metavar="X",
            parser=values.number("--lr", above=0),
            rich_help_panel=RECIPE,
            show_default="0.001; 0.0001 for global, 0.006 for post, a potential and reg, 0.002 for "
            "defects and unrolled",
            help="Initial step size. It decays exponentially; for defects, post, a potential, reg and "
            "unrolled it falls linearly at the end.",
        ),
    ] = None
    lr_final: Annotated[
        float,
        typer.Option(
            "--lr-final",
            metavar="X",
            parser=values.number("--lr-final", above=0),
            rich_help_panel=RECIPE,
            help="Final step size.",
        ),
    ] = 1e-4
    mu: Annotated[
        float,
        typer.Option(
            "--mu",
            metavar="X",
            parser=values.number("--mu", least=0),
            rich_help_panel=RECIPE,
            help="Weight of the gradient penalty. global always takes 20.",
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
            help="Divide the difference of the scores of each pair by the norm of its noise.",
        ),
    ] = False
    ema: Annotated[
        float,
        typer.Option(
            "--ema",
            metavar="X",
            parser=values.number("--ema", least=0, below=1),
            rich_help_panel=RECIPE,
            help="Keep a moving average of the weights with this decay, for instance 0.999. 0 means "
            "none, or the default of a flow (0.998), post (0.995), defects (0.998), a potential or reg "
            "(0.999), or unrolled (0.99).",
        ),
    ] = 0.0
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            parser=values.whole("--seed", least=0),
            rich_help_panel=RECIPE,
            help="Random seed for the initial weights, the patches and the noise.",
        ),
    ] = 0


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Output, checkpoints and hardware."""

    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            rich_help_panel=RUN,
            help="Weights file to write (.safetensors). The checkpoint FILE.checkpoint is kept beside it.",
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
        typer.Option(
            "--overwrite", rich_help_panel=RUN, help="Replace an existing weights file and checkpoint."
        ),
    ] = False
    checkpoint_every: Annotated[
        int,
        typer.Option(
            "--checkpoint-every",
            metavar="N",
            parser=values.whole("--checkpoint-every", least=1),
            rich_help_panel=RUN,
            help="Number of steps between checkpoints.",
        ),
    ] = 1000
    validate_every: Annotated[
        int,
        typer.Option(
            "--validate-every",
            metavar="N",
            parser=values.whole("--validate-every", least=1),
            rich_help_panel=RUN,
            help="Number of steps between validations, in which a few crops are restored.",
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
            help="Precision of the convolutions. auto takes bfloat16 if it is native, which halves the time.",
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
            help="Number of CPU threads. By default one per core.",
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.resume and self.overwrite:
            raise UsageError("--resume continues a checkpoint and --overwrite starts again: give one of them")
        if not self.output.endswith(".safetensors"):
            raise UsageError(
                f"-o {self.output}: weights are written as safetensors: give a name that ends in .safetensors"
            )
