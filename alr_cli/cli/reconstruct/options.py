"""The options of `alr reconstruct`: how the slice was scanned, and what the numbers mean."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options import values
from alr_cli.cli.options.files import FILES, FailFast, Overwrite, SkipExisting, check_existing
from alr_cli.errors import UsageError

SCAN, MEASUREMENT, METHOD = "Scan", "Measurement", "Method"
Unit = Literal["deg", "rad"]


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """The geometry of the rays."""

    angles: Annotated[
        str | None,
        typer.Option(
            "--angles",
            metavar="START:STOP:COUNT|FILE",
            rich_help_panel=SCAN,
            help="COUNT angles in even steps from START, without STOP itself: 0:180:30 is 0, 6, ...,"
            " 174. Or a file with one angle for each row (text or .npy). Needed unless the file"
            " of the sinogram contains the angles.",
        ),
    ] = None
    unit: Annotated[
        Unit, typer.Option("--unit", rich_help_panel=SCAN, help="Unit of --angles: degrees or radians.")
    ] = "deg"
    clockwise: Annotated[
        bool,
        typer.Option(
            "--clockwise",
            rich_help_panel=SCAN,
            help="The source moves clockwise around the slice. The wrong sense gives a mirrored slice.",
        ),
    ] = False
    geometry: Annotated[
        str,
        typer.Option(
            "--geometry",
            metavar="parallel|fan:SOURCE:DETECTOR",
            rich_help_panel=SCAN,
            help="Parallel rays, or a fan with the distances from the rotation axis to the source "
            "and to the flat detector, in the unit of --pitch.",
        ),
    ] = "parallel"
    center: Annotated[
        str | None,
        typer.Option(
            "--center",
            metavar="C|auto",
            show_default="(detectors - 1) / 2",
            rich_help_panel=SCAN,
            help="The detector onto which the rotation axis projects, counted from 0; 91.5 lies "
            "between two detectors. auto finds it from the centre of mass (parallel rays, whole"
            " object in view).",
        ),
    ] = None
    pitch: Annotated[
        float,
        typer.Option(
            "--pitch",
            metavar="MM",
            parser=values.number("--pitch", above=0),
            rich_help_panel=SCAN,
            help="Distance between detectors, for example in mm. The slice is then per mm.",
        ),
    ] = 1.0
    size: Annotated[
        int | None,
        typer.Option(
            "--size",
            metavar="N",
            parser=values.whole("--size", least=1),
            show_default="as many as detectors",
            rich_help_panel=SCAN,
            help="Side of the slice in pixels.",
        ),
    ] = None
    pixel: Annotated[
        float,
        typer.Option(
            "--pixel",
            metavar="X",
            parser=values.number("--pixel", above=0),
            rich_help_panel=SCAN,
            help="Side of a pixel in detectors, as seen at the rotation axis.",
        ),
    ] = 1.0

    def __post_init__(self) -> None:
        self.fan  # noqa: B018 - parsed here, so that a mistake is found before any file is read
        self.centre  # noqa: B018

    @property
    def fan(self) -> tuple[float, float] | None:
        """Distances from the rotation axis to source and detector; None for parallel rays."""
        if self.geometry == "parallel":
            return None
        kind, *distances = self.geometry.split(":")
        if kind == "cone":
            raise UsageError(
                "--geometry cone is not supported: give the sinogram of the central slice as a fan"
            )
        try:
            source, detector = (float(text) for text in distances)
        except ValueError:
            source = detector = math.nan
        if kind != "fan" or not (0 < source < math.inf and 0 <= detector < math.inf):
            raise UsageError(
                f"--geometry {self.geometry} is not known: write parallel, or fan:SOURCE:DETECTOR with the "
                "distances from the rotation axis, for example fan:500:300"
            )
        return source, detector

    @property
    def centre(self) -> float | None:
        """The detector of the axis; None for the middle, and if it has to be found."""
        if self.center is None or self.center == "auto":
            return None
        return values.number("--center", above=-1e9, below=1e9)(self.center)


@dataclass(frozen=True, kw_only=True)
class MeasurementOptions:
    """What the numbers of a sinogram mean."""

    counts: Annotated[
        bool,
        typer.Option(
            "--counts",
            rich_help_panel=MEASUREMENT,
            help="The numbers are counts, and -log(counts / flat) is used. By default they are line "
            "integrals.",
        ),
    ] = False
    flat: Annotated[
        str | None,
        typer.Option(
            "--flat",
            metavar="FILE",
            rich_help_panel=MEASUREMENT,
            help="Counts without the object: one row with a value for each detector, or several "
            "rows, which are averaged.",
        ),
    ] = None
    dark: Annotated[
        str | None,
        typer.Option(
            "--dark",
            metavar="FILE",
            rich_help_panel=MEASUREMENT,
            help="Counts without rays, in the same form.",
        ),
    ] = None
    slice: Annotated[
        int | None,
        typer.Option(
            "--slice",
            metavar="K",
            parser=values.whole("--slice", least=0),
            rich_help_panel=MEASUREMENT,
            help="Which sinogram of a file with several, counted from 0. By default all are "
            "reconstructed into the pages of one TIFF.",
        ),
    ] = None
    sigma: Annotated[
        float | None,
        typer.Option(
            "--sigma",
            metavar="S|auto",
            show_default="auto",
            parser=lambda text: parse_level("--sigma", text),
            rich_help_panel=MEASUREMENT,
            help="Standard deviation of the noise of the line integrals, in their unit. auto estimates it.",
        ),
    ] = None
    range: Annotated[
        float | None,
        typer.Option(
            "--range",
            metavar="X|auto",
            show_default="auto",
            parser=lambda text: parse_level("--range", text),
            rich_help_panel=MEASUREMENT,
            help="The largest value of the slice, which the prior sees as 1. auto takes it from a "
            "smooth filtered backprojection.",
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.flat is None and self.dark is not None:
            raise UsageError("--dark needs --counts and --flat: give all three")
        if self.flat is not None and not self.counts:
            raise UsageError("--flat is for --counts: give both, or neither for line integrals")


@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """How a slice is reconstructed."""

    method: Annotated[
        Literal["ours", "tv", "fbp"],
        typer.Option(
            "--method",
            rich_help_panel=METHOD,
            help="ours: a learned prior. tv: total variation. fbp: filtered backprojection.",
        ),
    ] = "ours"
    weights: Annotated[
        str,
        typer.Option(
            "-w",
            "--weights",
            metavar="NAME|FILE",
            autocompletion=values.complete_weights,
            rich_help_panel=METHOD,
            help="Weights for gray pictures: a shipped name (see alr weights), or a file.",
        ),
    ] = "ct-tuned"
    strength: Annotated[
        float | None,
        typer.Option(
            "--strength",
            metavar="X",
            parser=values.number("--strength", least=0),
            rich_help_panel=METHOD,
            help="Factor by which the usual lambda is multiplied, 1 by default. Larger values smooth more.",
        ),
    ] = None
    lam: Annotated[
        float | None,
        typer.Option(
            "--lam",
            metavar="X",
            parser=values.number("--lam", least=0),
            rich_help_panel=METHOD,
            help="The value of lambda, instead of the usual one.",
        ),
    ] = None
    max_iter: Annotated[
        int | None,
        typer.Option(
            "--max-iter",
            metavar="N",
            parser=values.whole("--max-iter", least=1),
            show_default="that of the solver; tv 200",
            rich_help_panel=METHOD,
            help="Number of iterations.",
        ),
    ] = None
    solver: Annotated[
        Literal["default", "fourier", "adam", "gd", "nmapg", "splitting", "pgd", "pnp-gd"],
        typer.Option(
            "--solver",
            metavar="NAME",
            rich_help_panel=METHOD,
            help="The minimisation algorithm of ours: fourier, adam, gd, nmapg, splitting, pgd or pnp-gd. "
            "default takes the one that suits the weights.",
        ),
    ] = "default"
    discrepancy: Annotated[
        float | None,
        typer.Option(
            "--discrepancy",
            metavar="X",
            parser=values.number("--discrepancy", above=0),
            rich_help_panel=METHOD,
            help="Stop ours once the residual is X times the noise. 1 is the distance of the true slice.",
        ),
    ] = None
    window: Annotated[
        Literal["ram-lak", "hann"],
        typer.Option(
            "--window", rich_help_panel=METHOD, help="Window of the filter for fbp; hann is smoother."
        ),
    ] = "ram-lak"

    def __post_init__(self) -> None:
        if self.lam is not None and self.strength is not None:
            raise UsageError("--lam sets lambda and --strength multiplies the usual one: give one of them")
        if self.method == "fbp" and (self.lam, self.strength, self.max_iter) != (None, None, None):
            raise UsageError(
                "--method fbp has no lambda and no iterations: leave --lam, --strength and --max-iter out"
            )
        if self.method != "ours" and (self.solver != "default" or self.discrepancy is not None):
            raise UsageError(
                f"--solver and --discrepancy are for --method ours, not for {self.method}: leave them out"
            )
        if self.method == "tv" and (self.lam == 0 or self.strength == 0):
            raise UsageError("--method tv needs a lambda above 0: use --method fbp for none")


@dataclass(frozen=True, kw_only=True)
class SliceFileOptions:
    """Where slices are written."""

    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            rich_help_panel=FILES,
            help="A TIFF of 32-bit floats, - for stdout, or a folder (existing, or ending in /). By "
            "default a single slice goes to stdout if that is a pipe or a file, and otherwise "
            "to <stem>.slice.tif beside its sinogram.",
        ),
    ] = None
    recursive: Annotated[
        bool,
        typer.Option("-r", "--recursive", rich_help_panel=FILES, help="Process folders inside folders, too."),
    ] = False
    overwrite: Overwrite = False
    skip_existing: SkipExisting = False
    fail_fast: FailFast = False
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference",
            metavar="SLICE",
            rich_help_panel=FILES,
            help="The true slice. The PSNR is then reported, with the range of the true slice as the peak.",
        ),
    ] = None
    max_pixels: Annotated[
        int,
        typer.Option(
            "--max-pixels",
            metavar="N",
            parser=values.whole("--max-pixels", least=1),
            rich_help_panel=FILES,
            help="Refuse files with more numbers (read from the header).",
        ),
    ] = 100_000_000

    def __post_init__(self) -> None:
        check_existing(self.overwrite, self.skip_existing)


def parse_level(option: str, text: object) -> float | None:
    """Parse a positive number, or auto, which gives None. Raises UsageError."""
    return None if text == "auto" else values.number(option, above=0)(text)
