"""The options for reading and writing files."""

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


Overwrite = Annotated[
    bool, typer.Option("--overwrite", rich_help_panel=FILES, help="Replace existing outputs.")
]
SkipExisting = Annotated[
    bool,
    typer.Option(
        "--skip-existing",
        rich_help_panel=FILES,
        help="Skip inputs whose output exists, so that an interrupted batch can be continued.",
    ),
]
FailFast = Annotated[
    bool, typer.Option("--fail-fast", rich_help_panel=FILES, help="Stop a batch at the first failure.")
]


def check_existing(overwrite: bool, skip_existing: bool) -> None:
    """Raises UsageError if existing outputs are to be both replaced and skipped."""
    if overwrite and skip_existing:
        raise UsageError("--overwrite and --skip-existing contradict each other: give one of them")


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
            help="A file, - for stdout, or a folder (existing, or ending in /). By default a single "
            "picture goes to stdout if that is a pipe or a file, and otherwise to "
            "<stem>.<command>.<ext> beside its input.",
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
            help="png, jpeg, tiff, webp, bmp or pnm. By default the format follows the name of the "
            "output, or else the input. Into a pipe the default is 16-bit PNG, or TIFF for "
            "floating-point pictures, so that the next command loses nothing.",
        ),
    ] = None
    depth: Annotated[
        Literal["8", "16", "float"] | None,
        typer.Option(
            "--depth",
            rich_help_panel=FILES,
            help="Bits per value of the output. By default those of the input (into a pipe at least 16).",
        ),
    ] = None
    suffix: Annotated[
        str | None,
        typer.Option(
            "--suffix",
            metavar="TEXT",
            rich_help_panel=FILES,
            help="Append TEXT to the stem of each output name: --suffix _clean writes a_clean.png. "
            "Without -o the file is written beside its input.",
        ),
    ] = None
    recursive: Annotated[
        bool,
        typer.Option(
            "-r",
            "--recursive",
            rich_help_panel=FILES,
            help="Process folders inside folders, too. The output has the same tree.",
        ),
    ] = False
    overwrite: Overwrite = False
    skip_existing: SkipExisting = False
    shard: Annotated[
        Shard | None,
        typer.Option(
            "--shard",
            metavar="K/N",
            parser=values.parse_shard,
            rich_help_panel=FILES,
            help="Process part K of N of a batch. N processes, on any machines, then restore each "
            "picture exactly once. The name of a picture alone decides to which part it "
            "belongs.",
        ),
    ] = None
    fail_fast: FailFast = False
    strip: Annotated[
        bool,
        typer.Option(
            "--strip", rich_help_panel=FILES, help="Do not write EXIF data. The colour profile is kept."
        ),
    ] = False
    drop_alpha: Annotated[
        bool,
        typer.Option(
            "--drop-alpha",
            rich_help_panel=FILES,
            help="Do not write transparency. Needed for formats that cannot store it.",
        ),
    ] = False
    page: Annotated[
        int | None,
        typer.Option(
            "--page",
            metavar="N",
            parser=values.whole("--page", least=1),
            rich_help_panel=FILES,
            help="Which picture of a file with several pictures to restore, counted from 1.",
        ),
    ] = None
    pages: Annotated[
        values.Pages | None,
        typer.Option(
            "--pages",
            metavar="A-B",
            parser=values.parse_pages,
            rich_help_panel=FILES,
            help="Which pages of a stack to restore, counted from 1, such as 3-7. By default a TIFF "
            "with several pages of the same kind (plain, ImageJ or OME) is restored completely,"
            " plane by plane.",
        ),
    ] = None
    per_plane: Annotated[
        bool,
        typer.Option(
            "--per-plane",
            rich_help_panel=FILES,
            help="Estimate the noise of each plane of a stack separately. By default each channel "
            "has one noise level.",
        ),
    ] = False
    range: Annotated[
        values.Range | None,
        typer.Option(
            "--range",
            metavar="LO:HI",
            parser=values.parse_range,
            rich_help_panel=FILES,
            help="The numbers of the file that mean black and white, such as 0:1023 for 10 bits in 16, or "
            "0:4000 for floats. sigma is relative to their difference. By default they are found from the "
            "file's tags or its numbers.",
        ),
    ] = None
    crop: Annotated[
        values.Crop | None,
        typer.Option(
            "--crop",
            metavar="X,Y,W,H",
            parser=values.parse_crop,
            rich_help_panel=FILES,
            help="Restore and write only this part, as a preview: W x H pixels from column X and row Y of "
            "the picture as it is displayed.",
        ),
    ] = None
    max_pixels: Annotated[
        int,
        typer.Option(
            "--max-pixels",
            metavar="N",
            parser=values.whole("--max-pixels", least=1),
            rich_help_panel=FILES,
            help="Refuse pictures with more pixels (width x height, read from the header).",
        ),
    ] = 100_000_000
    compare: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="FILE.png|.html",
            rich_help_panel=FILES,
            help="Show a single picture before and after. FILE.png shows crops at the most "
            "informative places, restored with 0.5, 0.7, 1 and 1.4 times the strength. "
            "FILE.html is a page with a slider over the whole picture.",
        ),
    ] = None
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="CLEAN",
            rich_help_panel=FILES,
            help="The true picture, or a folder of true pictures with the same names. PSNR and SSIM "
            "are then reported.",
        ),
    ] = None

    @property
    def numbers(self) -> Literal["found"] | tuple[float, float]:
        """Which numbers of the files mean black and white, see files/ranges.py."""
        return "found" if self.range is None else self.range.pair

    def __post_init__(self) -> None:
        check_existing(self.overwrite, self.skip_existing)
        if self.page is not None and self.pages is not None:
            raise UsageError("--page selects one picture and --pages a part of a stack: give one of them")
        if self.suffix is not None and (not self.suffix or "/" in self.suffix or "\0" in self.suffix):
            raise UsageError(
                "--suffix is part of a file name and cannot contain a slash: write for instance "
                "--suffix _clean"
            )
