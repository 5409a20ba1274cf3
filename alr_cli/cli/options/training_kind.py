"""The options of `alr train` that say what is trained, and those of single recipes."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options import values
from alr_cli.cli.options.training import CRITIC
from alr_cli.errors import UsageError

RecipeName = Literal["adversarial", "defects", "flow", "global", "post", "potential", "reg", "unrolled"]

MOST_ANGLES, MOST_STEPS = 1000, 64
FLOW, REG = "Flow", "Regularizing gradient"


@dataclass(frozen=True, kw_only=True)
class KindOptions:
    """What is trained, and the size of a flow."""

    recipe: Annotated[
        RecipeName,
        typer.Option(
            "--recipe",
            rich_help_panel=CRITIC,
            help="adversarial: the critic of the paper. defects: a detector of dust and scratches "
            "(docs/guides/scans.md). flow: a density for aligned pictures of one "
            "size. global: a critic of whole pictures of one size, for tomography. "
            "post: a U-Net that removes the artefacts of filtered backprojection. "
            "potential: an energy with a wide field of view, which denoises "
            "in one step (docs/notebook/wide.md). reg: the gradient of a regularizer together with its "
            "denoiser (docs/guides/gradient.md). unrolled: a few steps of gradient descent for one --task.",
        ),
    ] = "adversarial"
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="N",
            parser=values.whole("--size", least=2),
            rich_help_panel=FLOW,
            show_default="32; 128 for global and post, 112 for defects, 64 for a potential, reg and unrolled",
            help="For a flow, global and post: side in pixels of the pictures; larger pictures are "
            "reduced by averaging blocks. For defects, a potential, reg and unrolled: side of the crops.",
        ),
    ] = None
    levels: Annotated[
        int,
        typer.Option(
            "--levels",
            metavar="N",
            parser=values.whole("--levels", least=1),
            rich_help_panel=FLOW,
            help="Number of levels; each halves the resolution.",
        ),
    ] = 3
    steps: Annotated[
        int,
        typer.Option(
            "--steps",
            metavar="N",
            parser=values.whole("--steps", least=1),
            rich_help_panel=FLOW,
            help="Number of coupling steps at each level.",
        ),
    ] = 8
    geometry: Annotated[
        str,
        typer.Option(
            "--geometry",
            metavar="identity|parallel:ANGLES",
            rich_help_panel=CRITIC,
            help="For global and post: what is measured. identity: pixels with noise (global only). "
            "parallel:30: sinograms of 30 angles over half a turn, from which slices are computed by "
            "filtered backprojection.",
        ),
    ] = "identity"
    own: Annotated[
        float | None,
        typer.Option(
            "--own",
            metavar="SHARE",
            parser=values.number("--own", above=0, most=1),
            rich_help_panel=CRITIC,
            show_default="none of them",
            help="For global with --geometry parallel: share of the steps that train on slices which the "
            "critic reconstructs itself, for instance 0.8.",
        ),
    ] = None
    strength: Annotated[
        float | None,
        typer.Option(
            "--strength",
            metavar="X",
            parser=values.number("--strength", above=0),
            rich_help_panel=CRITIC,
            show_default="1",
            help="For global with --geometry parallel: lambda is 2 sigma times this.",
        ),
    ] = None
    init: Annotated[
        str | None,
        typer.Option(
            "--init",
            metavar="FILE",
            rich_help_panel=REG,
            help="For potential and post: weights of a potential to begin with; for global: those of a "
            "critic of whole pictures; for reg: those of the first denoiser, or weights of reg; for defects: "
            "those of the first network without its last layer, or a detector. For unrolled: weights of reg "
            "or of a potential, whose gradient is the first one. Without them it is random.",
        ),
    ] = None
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="TASK",
            rich_help_panel=REG,
            help="For unrolled: the task, as upscale:2, or as deblur: and a kernel, for instance "
            "deblur:gaussian:11:1.6.",
        ),
    ] = None
    unroll: Annotated[
        int,
        typer.Option(
            "--unroll",
            metavar="K",
            parser=values.whole("--unroll", least=1),
            rich_help_panel=REG,
            help="For unrolled: number of steps of the descent.",
        ),
    ] = 6
    plain: Annotated[
        int | None,
        typer.Option(
            "--plain",
            metavar="K",
            parser=values.whole("--plain", least=0),
            rich_help_panel=REG,
            show_default="a tenth of the steps with --init, else half of them",
            help="Number of steps at the beginning that train the denoiser alone.",
        ),
    ] = None
    joint_weight: Annotated[
        float,
        typer.Option(
            "--joint-weight",
            metavar="X",
            parser=values.number("--joint-weight", above=0),
            rich_help_panel=REG,
            help="Weight of the loss that ties the gradient to the denoiser.",
        ),
    ] = 0.3
    fixed_denoiser: Annotated[
        bool,
        typer.Option(
            "--fixed-denoiser",
            rich_help_panel=REG,
            help="Do not train the denoiser together with the gradient.",
        ),
    ] = False
    explicit: Annotated[
        bool,
        typer.Option(
            "--explicit",
            rich_help_panel=REG,
            help="Train the gradient of an energy, instead of a free network.",
        ),
    ] = False

    def __post_init__(self) -> None:
        self.angles  # noqa: B018 - parsed here, so that a mistake is found before any file is read
        if self.geometry != "identity" and self.recipe not in ("global", "post"):
            raise UsageError("--geometry belongs to --recipe global and post: leave it out")
        scanned = self.recipe == "global" and self.geometry != "identity"
        for name, given in (("--own", self.own), ("--strength", self.strength)):
            if given is not None and not scanned:
                raise UsageError(
                    f"{name} is for scans: give --recipe global --geometry parallel:ANGLES, or leave it out"
                )
        if self.task is not None and self.recipe != "unrolled":
            raise UsageError("--task belongs to --recipe unrolled: leave it out")
        if self.recipe == "unrolled":
            self._check_task()

    def _check_task(self) -> None:
        """Raise UsageError for a task that is not one."""
        from alr_cli.core.task_names import GRAMMAR, parse_task

        if self.task is None:
            raise UsageError(f"--recipe unrolled is for one task: give --task, and {GRAMMAR}")
        parse_task(self.task)
        if self.unroll > MOST_STEPS:
            raise UsageError(f"--unroll {self.unroll} is too many: give at most {MOST_STEPS}")

    @property
    def angles(self) -> int | None:
        """Number of angles of the simulated scans; None for pixels with noise."""
        if self.geometry == "identity":
            return None
        kind, _, count = self.geometry.partition(":")
        if kind != "parallel" or not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST_ANGLES):
            raise UsageError(
                f"--geometry {self.geometry} is not known: write identity, or parallel:ANGLES with the "
                f"number of angles, for example parallel:30 (at most {MOST_ANGLES})"
            )
        return int(count)
