"""The options of `alr train`, in groups: what is trained, how and where. Its pictures: training_data.py."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options import values
from alr_cli.errors import UsageError

RecipeName = Literal["adversarial", "flow", "potential"]

CRITIC, FLOW, RUN = "Critic", "Flow", "Run"
RECIPE = "Recipe (the defaults are the paper's)"


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
