"""The options that commands share: written once, in groups that expand.py puts into each command."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options import values
from alr_cli.cli.options.expand import (
    expand_options as expand_options,  # commands import options from one place
)
from alr_cli.cli.ranks import Shard
from alr_cli.errors import UsageError

FILES, RESTORATION, ENERGY, COMPUTE, REPORTS = "Files", "Restoration", "Energy", "Compute", "Reports"

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...", help="Pictures, folders of pictures, or - for stdin.", show_default=False
    ),
]
Sigma = Annotated[
    float | None,
    typer.Option(
        "--sigma",
        metavar="SIGMA",
        parser=values.parse_sigma,
        rich_help_panel=RESTORATION,
        help="Standard deviation of the noise, pixels being 0 to 1: 0.1, or 25/255; auto, the default, "
        "estimates it.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", rich_help_panel=REPORTS, help="One JSON line per input on stdout.")
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug", envvar="ALR_DEBUG", rich_help_panel=REPORTS, help="Show the traceback of an error."
    ),
]


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """Which files are read and written, and how."""

    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            rich_help_panel=FILES,
            help="A file, - for stdout, or a folder (existing, or ending in /). Without it one picture goes "
            "to stdout if that is a pipe or a file, else <stem>.<command>.<ext> beside its input.",
        ),
    ] = None
    format: Annotated[
        Literal["png", "jpeg", "tiff", "webp", "bmp", "pnm"] | None,
        typer.Option(
            "-f",
            "--format",
            metavar="FORMAT",
            parser=values.parse_format,
            autocompletion=values.complete_format,
            rich_help_panel=FILES,
            help="png, jpeg, tiff, webp, bmp or pnm. Without it: by the name of the output, else that of the "
            "input; into a pipe 16-bit PNG, or TIFF for float pictures: the next stage loses nothing.",
        ),
    ] = None
    depth: Annotated[
        Literal["8", "16", "float"] | None,
        typer.Option(
            "--depth",
            rich_help_panel=FILES,
            help="Bits of each value to write. Without it those of the input (into a pipe at least 16).",
        ),
    ] = None
    suffix: Annotated[
        str | None,
        typer.Option(
            "--suffix",
            metavar="TEXT",
            rich_help_panel=FILES,
            help="Put TEXT after the stem of each output: --suffix _clean writes a_clean.png; without -o, "
            "beside its input.",
        ),
    ] = None
    recursive: Annotated[
        bool,
        typer.Option(
            "-r",
            "--recursive",
            rich_help_panel=FILES,
            help="Look into the folders of folders; the output mirrors the tree.",
        ),
    ] = False
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel=FILES, help="Replace outputs that exist.")
    ] = False
    skip_existing: Annotated[
        bool,
        typer.Option(
            "--skip-existing", rich_help_panel=FILES, help="Leave outputs that exist: a batch can be resumed."
        ),
    ] = False
    shard: Annotated[
        Shard | None,
        typer.Option(
            "--shard",
            metavar="K/N",
            parser=values.parse_shard,
            rich_help_panel=FILES,
            help="Do part K of N of a batch: N processes, on any machines, do each picture once. A picture's "
            "name alone decides which part it belongs to.",
        ),
    ] = None
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", rich_help_panel=FILES, help="Stop a batch at the first failure.")
    ] = False
    strip: Annotated[
        bool,
        typer.Option("--strip", rich_help_panel=FILES, help="Drop EXIF; the colour profile is kept."),
    ] = False
    drop_alpha: Annotated[
        bool,
        typer.Option(
            "--drop-alpha", rich_help_panel=FILES, help="Write no transparency, for formats that have none."
        ),
    ] = False
    page: Annotated[
        int | None,
        typer.Option(
            "--page",
            metavar="N",
            parser=values.whole("--page", least=1),
            rich_help_panel=FILES,
            help="Which picture of a file that holds several, counted from 1.",
        ),
    ] = None
    pages: Annotated[
        values.Pages | None,
        typer.Option(
            "--pages",
            metavar="A-B",
            parser=values.parse_pages,
            rich_help_panel=FILES,
            help="Which pages of a stack, counted from 1: 3-7. Without it a TIFF of several pages of one "
            "kind, plain, ImageJ or OME, is restored whole, plane by plane.",
        ),
    ] = None
    per_plane: Annotated[
        bool,
        typer.Option(
            "--per-plane",
            rich_help_panel=FILES,
            help="Estimate the noise of each plane of a stack by itself. Without it there is one level for "
            "each channel.",
        ),
    ] = False
    range: Annotated[
        values.Range | None,
        typer.Option(
            "--range",
            metavar="LO:HI",
            parser=values.parse_range,
            rich_help_panel=FILES,
            help="The numbers of the file that are black and white: 0:1023 for 10 bits in 16, 0:4000 for "
            "floats; sigma is in units of their distance. Without it as the file says, or else its numbers.",
        ),
    ] = None
    max_pixels: Annotated[
        int,
        typer.Option(
            "--max-pixels",
            metavar="N",
            parser=values.whole("--max-pixels", least=1),
            rich_help_panel=FILES,
            help="Refuse larger pictures (width x height, judged by the header).",
        ),
    ] = 100_000_000
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="FILE.png|.html",
            rich_help_panel=FILES,
            help="Show one picture before and after: FILE.png has crops at the most telling places, restored "
            "with 0.5, 0.7, 1 and 1.4 times the strength; FILE.html is a page with a slider over the whole.",
        ),
    ] = None
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="CLEAN",
            rich_help_panel=FILES,
            help="The true picture, or a folder of true pictures of equal names: report PSNR and SSIM.",
        ),
    ] = None

    @property
    def numbers(self) -> Literal["found"] | tuple[float, float]:
        """Which numbers of the files are black and white, see files/ranges.py."""
        return "found" if self.range is None else self.range.pair

    def __post_init__(self) -> None:
        if self.overwrite and self.skip_existing:
            raise UsageError("--overwrite and --skip-existing contradict each other: give one of them")
        if self.page is not None and self.pages is not None:
            raise UsageError("--page takes one picture and --pages a part of a stack: give one of them")
        if self.suffix is not None and (not self.suffix or "/" in self.suffix or "\0" in self.suffix):
            raise UsageError("--suffix is text inside a file name, without /: for instance --suffix _clean")


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which regularizer, how strong, and how the energy is descended."""

    weights: Annotated[
        str | None,
        typer.Option(
            "-w",
            "--weights",
            metavar="NAME|FILE",
            envvar="ALR_WEIGHTS",
            autocompletion=values.complete_weights,
            rich_help_panel=RESTORATION,
            help="Shipped weights by name (see alr weights) or a file of your own. Without it: gray weights "
            "for gray pictures, colour weights for colour pictures. Gray weights restore the "
            "channels of a colour picture one by one; colour weights take a gray picture for three equal "
            "channels.",
        ),
    ] = None
    strength: Annotated[
        float | None,
        typer.Option(
            "--strength",
            metavar="X",
            parser=values.number("--strength", least=0),
            rich_help_panel=ENERGY,
            help="Multiplies the lambda that was fitted for these weights, 1 by default: more is smoother.",
        ),
    ] = None
    lam: Annotated[
        float | None,
        typer.Option(
            "--lam",
            metavar="X",
            parser=values.number("--lam", least=0),
            rich_help_panel=ENERGY,
            help="Sets lambda itself, instead of the fitted one.",
        ),
    ] = None
    solver: Annotated[
        Literal["default", "fourier", "adam", "gd", "nmapg", "lbfgs", "direct"],
        typer.Option(
            "--solver",
            metavar="NAME",
            rich_help_panel=ENERGY,
            help="How the energy is descended: fourier, adam, gd, nmapg, lbfgs or direct; default takes what "
            "suits the weights.",
        ),
    ] = "default"
    formulation: Annotated[
        Literal["analysis", "synthesis"],
        typer.Option(
            "--formulation",
            metavar="NAME",
            rich_help_panel=ENERGY,
            help="What a flow is asked for: the picture whose latent is short (analysis), or the latent that "
            "makes the picture (synthesis).",
        ),
    ] = "analysis"
    max_iter: Annotated[
        int | None,
        typer.Option(
            "--max-iter",
            metavar="N",
            parser=values.whole("--max-iter", least=1),
            rich_help_panel=ENERGY,
            help="The most iterations; by default the solver's own number.",
        ),
    ] = None
    tol: Annotated[
        float | None,
        typer.Option(
            "--tol",
            metavar="X",
            parser=values.number("--tol", least=0),
            rich_help_panel=ENERGY,
            help="Stop when an iteration changes the pixels by less (root mean square).",
        ),
    ] = None
    clip_aware: Annotated[
        bool,
        typer.Option(
            "--clip-aware/--no-clip-aware",
            rich_help_panel=ENERGY,
            help="Take a pixel at black or white as cut off there: it says only 'at most' or 'at least'.",
        ),
    ] = True

    def __post_init__(self) -> None:
        if self.lam is not None and self.strength is not None:
            raise UsageError("--lam sets lambda and --strength multiplies the fitted one: give one of them")


@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """Where and in which pieces the numbers are computed."""

    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="DEVICE",
            envvar="ALR_DEVICE",
            parser=values.parse_device,
            rich_help_panel=COMPUTE,
            help="auto, cpu, cuda, cuda:1 or mps. auto takes what there is; a named one is taken or refused.",
        ),
    ] = "auto"
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        typer.Option(
            "--precision",
            rich_help_panel=COMPUTE,
            help="Of the network; the energy is always summed in float32. auto: bfloat16 where it is native.",
        ),
    ] = "auto"
    tile: Annotated[
        int | None,
        typer.Option(
            "--tile",
            metavar="N",
            envvar="ALR_TILE",
            parser=values.parse_tile,
            rich_help_panel=COMPUTE,
            help="Side of the tiles in pixels, 0 for one piece, or auto, the default: bounds the memory, "
            "never changes the energy.",
        ),
    ] = None
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            metavar="N",
            envvar="ALR_THREADS",
            parser=values.whole("--threads", least=1),
            rich_help_panel=COMPUTE,
            help="CPU threads. Without it, one per core.",
        ),
    ] = None


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What is said, and where."""

    json: Json = False
    report: Annotated[
        str | None,
        typer.Option(
            "--report", metavar="FILE", rich_help_panel=REPORTS, help="Append the JSON lines to FILE as well."
        ),
    ] = None
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", rich_help_panel=REPORTS, help="Say nothing but errors.")
    ] = False
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", rich_help_panel=REPORTS, help="Say more about each picture.")
    ] = False
    no_progress: Annotated[
        bool, typer.Option("--no-progress", rich_help_panel=REPORTS, help="No progress bar on the terminal.")
    ] = False
    debug: Debug = False

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise UsageError("-q and -v contradict each other: give one of them")
