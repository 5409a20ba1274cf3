"""The options that only `alr benchmark` has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from alr_cli.bench.protocol import (
    DEFAULT_KERNEL,
    DEFAULT_MISSING,
    METHODS,
    Boundary,
)
from alr_cli.cli.options import values
from alr_cli.cli.options.common import REPORTS
from alr_cli.cli.options.files import FILES
from alr_cli.errors import UsageError

PROTOCOL = "Protocol"


@dataclass(frozen=True, kw_only=True)
class ProtocolOptions:
    """Which pictures are used, how they are degraded, and which methods restore them. None means the default
    of the target."""

    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DIR",
            rich_help_panel=FILES,
            help="A folder of clean pictures, or a single picture. By default four pictures of "
            "scikit-image, cropped to 256 x 256.",
        ),
    ] = None
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            metavar="N",
            parser=values.whole("--limit", least=1),
            rich_help_panel=FILES,
            help="Use only the first N pictures in the order of their names.",
        ),
    ] = None
    sigmas: Annotated[
        str | None,
        typer.Option(
            "--sigmas",
            "--sigma",
            metavar="S,S",
            rich_help_panel=PROTOCOL,
            help="Noise levels for pixels from 0 to 1, such as 0.1,0.2 or 15/255,25/255. The default"
            " is 0.1,0.2 for denoise, 0.03 for deblur, 0 for inpaint, and the paper's levels "
            "for its tables and figures.",
        ),
    ] = None
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods",
            metavar="M,M",
            rich_help_panel=PROTOCOL,
            help=f"Methods to compare: some of {', '.join(method.name for method in METHODS)}. By default "
            "those that need no extra package, or those of the table.",
        ),
    ] = None
    kernel: Annotated[
        str | None,
        typer.Option(
            "-k",
            "--kernel",
            metavar="SPEC",
            autocompletion=values.complete_kernel,
            rich_help_panel=PROTOCOL,
            help=f"Blur kernel for deblur, as in alr deblur. The default is {DEFAULT_KERNEL}.",
        ),
    ] = None
    kernels: Annotated[
        str | None,
        typer.Option(
            "--kernels",
            metavar="FILE",
            rich_help_panel=PROTOCOL,
            help="Use the deblurring protocol of GS-PnP: the eight motion blurs of Levin in this "
            ".npz file, a 9 x 9 box and a 25 x 25 Gaussian of sigma 1.6, circular, with noise "
            "of 2.55, 7.65 and 12.75 of 255. The table shows means over the blurs.",
        ),
    ] = None
    boundary: Annotated[
        Boundary | None,
        typer.Option(
            "--boundary",
            rich_help_panel=PROTOCOL,
            help="Borders for deblur. valid, the default: the blurred picture loses its border, "
            "because what lies beyond is unknown. circular: the assumption of many published "
            "tables.",
        ),
    ] = None
    missing: Annotated[
        str | None,
        typer.Option(
            "--missing",
            metavar="SHARE,..",
            rich_help_panel=PROTOCOL,
            help="Shares of randomly missing pixels for inpaint, or text for lines of writing, such as "
            f"0.5,0.8,0.9,text. The default is {DEFAULT_MISSING}.",
        ),
    ] = None
    sides: Annotated[
        str | None,
        typer.Option(
            "--sides",
            metavar="N,N",
            rich_help_panel=PROTOCOL,
            help="Side lengths in pixels for the target speed. Pictures are cropped or continued by "
            "reflection. The default is 128,256,512.",
        ),
    ] = None
    crop: Annotated[
        int | None,
        typer.Option(
            "--crop",
            metavar="N",
            parser=values.whole("--crop", least=32),
            rich_help_panel=FILES,
            help="For reg, reg-convergence and reg-ablation: use only the middle N x N pixels of each "
            "picture.",
        ),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps",
            metavar="N",
            parser=values.whole("--steps", least=3),
            rich_help_panel=PROTOCOL,
            show_default="300 iterations for reg, 1000 for reg-convergence; 150 training steps for "
            "reg-unrolled, 300 for reg-ablation",
            help="Number of iterations, or of training steps for reg-unrolled and reg-ablation.",
        ),
    ] = None
    train_dir: Annotated[
        str | None,
        typer.Option(
            "--train-dir",
            metavar="DIR",
            rich_help_panel=FILES,
            help="For reg-unrolled and reg-ablation: folder of clean pictures to train on.",
        ),
    ] = None
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            metavar="TASK",
            rich_help_panel=PROTOCOL,
            help="For reg-unrolled: the task, as in alr train. The default is upscale:2.",
        ),
    ] = None
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            metavar="N",
            parser=values.whole("--seed", least=0),
            rich_help_panel=PROTOCOL,
            help="Random seed. Noise and mask depend only on it and on the name of the picture.",
        ),
    ] = 0
    clip: Annotated[
        bool | None,
        typer.Option(
            "--clip/--no-clip",
            rich_help_panel=PROTOCOL,
            help="Whether noisy pixels are clipped to the range from 0 to 1. By default they are "
            "not; table1 and fig4 follow the paper, and table2 does both.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """How the results are reported and stored."""

    csv: Annotated[
        bool, typer.Option("--csv", rich_help_panel=REPORTS, help="Write the means as CSV to stdout.")
    ] = False
    markdown: Annotated[
        bool,
        typer.Option("--markdown", rich_help_panel=REPORTS, help="Write the means as Markdown to stdout."),
    ] = False
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="DIR",
            rich_help_panel=FILES,
            help="Save all clean, degraded and restored pictures into this folder (8-bit PNG). A "
            "figure is saved there as fig1.png.",
        ),
    ] = None
    html: Annotated[
        str | None,
        typer.Option(
            "--html",
            metavar="DIR",
            rich_help_panel=FILES,
            help="Write HTML pages into this folder: index.html with the table, and a page for each "
            "picture that compares its restorations with a slider. The pages need no network.",
        ),
    ] = None
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", rich_help_panel=FILES, help="Write into a folder that is not empty."),
    ] = False
    cache: Annotated[
        str | None,
        typer.Option(
            "--cache",
            metavar="DIR",
            rich_help_panel=FILES,
            help="Folder for intermediate results, so that an interrupted benchmark can continue and"
            " nothing is computed twice. The default is alr in the user's cache folder.",
        ),
    ] = None
    no_cache: Annotated[
        bool,
        typer.Option("--no-cache", rich_help_panel=FILES, help="Do not use or store intermediate results."),
    ] = False

    def __post_init__(self) -> None:
        if self.cache is not None and self.no_cache:
            raise UsageError("--cache stores results and --no-cache stores none: give one of them")
