"""The options that say which files are read and written, and how."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options import values
from alr_cli.cli.ranks import Shard
from alr_cli.errors import UsageError

FILES = "Files"

Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...", help="Pictures, folders of pictures, or - for stdin.", show_default=False
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
    crop: Annotated[
        values.Crop | None,
        typer.Option(
            "--crop",
            metavar="X,Y,W,H",
            parser=values.parse_crop,
            rich_help_panel=FILES,
            help="Restore and write only this part, W x H pixels from column X and row Y of the picture as "
            "it is seen: a look at what the whole will be like.",
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
