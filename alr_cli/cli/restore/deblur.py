"""`alr deblur`: A is the convolution with a kernel."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from alr_cli.cli.options.common import (
    RESTORATION,
    ComputeOptions,
    ModelOptions,
    ReportOptions,
    Sigma,
    expand_options,
)
from alr_cli.cli.options.files import FileOptions, Inputs
from alr_cli.cli.options.values import complete_kernel, whole
from alr_cli.cli.report.viewer import Viewer, ViewerOptions
from alr_cli.cli.restore.task import Prepared
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.cli.restore.sources import Source
    from alr_cli.core.blind.estimate import KernelEstimate
    from alr_cli.core.restore import Restorer
    from alr_cli.core.tasks import Task as Degradation
    from alr_cli.files.pictures import Picture

Boundary = Literal["valid", "replicate", "reflect", "circular"]

AUTO = "auto"
FAMILIES = ("gaussian", "disk", "motion", "free")
UNSURE = 0.5  # agreement of two halves of a picture below which a free kernel is doubtful
WIDE = 1.6  # largest / smallest size that explain a picture, above which the size is doubtful


@dataclass(frozen=True)
class Deblur:
    """y = k * x + noise, with a known kernel k."""

    spec: str
    kernel: "NDArray[np.float64]"
    boundary: Boundary
    note: str | None = None
    name: str = "deblur"
    allow_nan: bool = False

    def prepare(self, picture: "Picture", source: "Source") -> Prepared:
        from alr_cli.core.operators.kernels import GRAMMAR

        height, width = self.kernel.shape
        if height > picture.height or width > picture.width:
            raise UsageError(
                f"kernel {self.spec} is {width} x {height} pixels, larger than {source} with "
                f"{picture.width} x {picture.height}: choose a smaller one, {GRAMMAR}"
            )
        return Prepared(picture, notes=() if self.note is None else (self.note,))

    def degradation(self, prepared: Prepared) -> "Degradation":
        from alr_cli.core.tasks import Deblurring

        return Deblurring(self.kernel, self.boundary)

    def strength(self, restorer: "Restorer", prepared: Prepared, sigma: float) -> float | None:
        return None


@dataclass(frozen=True)
class BlindDeblur:
    """y = k * x + noise, with a kernel k that is estimated.

    Attributes:
        family: The kind of kernel, or None for any kind.
        size: Largest side of the kernel, or None for the default.
        sigma: Standard deviation of the noise on [0,1]; None estimates it.
        boundary: What lies beyond the frame.
        save: Where the kernel is written, or None.
    """

    family: str | None
    size: int | None
    sigma: float | None
    boundary: Boundary
    save: str | None
    name: str = "deblur"
    allow_nan: bool = False

    def prepare(self, picture: "Picture", source: "Source") -> Prepared:
        from alr_cli.core.blind.estimate import estimate_kernel
        from alr_cli.core.gray import white_level
        from alr_cli.files.kernel_files import encode_kernel

        sigma = white_level(picture.pixels) if self.sigma is None else self.sigma
        if not math.isfinite(sigma):
            raise UsageError(f"the noise of {source} cannot be estimated from so few pixels: give --sigma")
        try:
            found = estimate_kernel(picture.pixels, sigma, self.family, self.size)
        except UsageError as error:
            raise UsageError(f"--kernel auto, {source}: {error}") from error
        beside = () if self.save is None else ((self.save, encode_kernel(found.kernel, self.save)),)
        notes, warnings = _told(found)
        return Prepared(picture, notes=notes, warnings=warnings, kernel=found.kernel, beside=beside)

    def degradation(self, prepared: Prepared) -> "Degradation":
        from alr_cli.core.tasks import Deblurring, Untouched

        assert prepared.kernel is not None
        if prepared.kernel.size == 1:
            return Untouched()
        return Deblurring(prepared.kernel, self.boundary)

    def strength(self, restorer: "Restorer", prepared: Prepared, sigma: float) -> float | None:
        return None


def _told(found: "KernelEstimate") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Notes and warnings about a kernel that was found."""
    if found.sharp:
        return (), ("no blur was found: the picture is sharp and stays as it is",)
    height, width = found.kernel.shape
    if found.between is not None:
        low, high = found.between
        doubts = (
            "the picture hardly determines the size of its blur: check whether another kernel looks better",
        )
        note = (
            f"kernel {found.spec} was found; sizes from {low:.3g} to {high:.3g} explain the picture as well"
        )
        return (note,), doubts if high > WIDE * low else ()
    assert found.agreement is not None
    alike = f"two halves of the picture agree on it to {found.agreement:.0%}".replace("%", " %")
    doubts = (
        "the kernel is doubtful: look at it with --save-kernel, and pass a better one with --kernel file:",
    )
    note = f"a kernel of {width} x {height} pixels was found, {alike}"
    return (note,), doubts if found.agreement < UNSURE else ()


def _family(kernel: str) -> str | None:
    """The kind of kernel in `auto` or `auto:FAMILY`; None for any. Raises UsageError."""
    _, colon, family = kernel.partition(":")
    if colon and family not in FAMILIES:
        raise UsageError(
            f"--kernel {kernel} is not a kind of kernel: write auto, or auto: followed by one of "
            f"{', '.join(FAMILIES)}"
        )
    return family or None


@expand_options
def deblur(
    ctx: typer.Context,
    inputs: Inputs,
    *,
    kernel: Annotated[
        str,
        typer.Option(
            "-k",
            "--kernel",
            metavar="SPEC",
            autocompletion=complete_kernel,
            rich_help_panel=RESTORATION,
            help="gaussian:SIZE:SIGMA, motion:LENGTH:ANGLE, disk:RADIUS, box:SIZE or file:PATH (png "
            "or npy). Sizes are odd numbers of pixels; angles are in degrees counter-clockwise."
            " auto estimates the kernel from the picture; auto:gaussian, auto:disk, auto:motion"
            " and auto:free restrict it to one kind.",
        ),
    ],
    kernel_size: Annotated[
        int | None,
        typer.Option(
            "--kernel-size",
            metavar="N",
            parser=whole("--kernel-size", least=3),
            rich_help_panel=RESTORATION,
            help="With --kernel auto: the largest side of the kernel in pixels, an odd number. The "
            "default is 31 for a free kernel and 61 for other kinds.",
        ),
    ] = None,
    save_kernel: Annotated[
        str | None,
        typer.Option(
            "--save-kernel",
            metavar="FILE",
            rich_help_panel=RESTORATION,
            help="With --kernel auto: also write the kernel, as a gray picture or .npy file. It can "
            "be edited and passed back with --kernel file:FILE.",
        ),
    ] = None,
    sigma: Sigma = None,
    boundary: Annotated[
        Boundary,
        typer.Option(
            "--boundary",
            metavar="NAME",
            rich_help_panel=RESTORATION,
            help="What lies beyond the frame. valid: unknown pixels, which are restored as well. "
            "replicate, reflect, circular: an assumption about them.",
        ),
    ] = "valid",
    files: FileOptions,
    model: ModelOptions,
    compute: ComputeOptions,
    reports: ReportOptions,
) -> None:
    """Sharpen blurred pictures, by a known or an estimated kernel.

    Examples:

      alr deblur blurred.png -o sharp.png --kernel gaussian:7:3
      alr deblur shaken.jpg -o sharp.png --kernel file:trace.png --sigma 5/255
      alr deblur shaken.jpg -o sharp.png --kernel auto --save-kernel trace.png
      alr denoise in.png | alr deblur - --kernel disk:2.5 -o out.tif

    Solves, for the observed picture y and the kernel k,

      x = argmin  mean((k * x - y)^2) + lambda(sigma) R(x)

    where * is the convolution (with the kernel flipped) and R is a learned
    regularizer, which scores all small patches of x. lambda(sigma) was fitted
    for the weights; --strength multiplies it.
    """
    from alr_cli.cli.restore.run import restore_all

    if kernel.partition(":")[0] == AUTO:
        if kernel_size is not None and kernel_size % 2 == 0:
            raise UsageError(
                f"--kernel-size {kernel_size} is even: a kernel has a central pixel, write an odd number"
            )
        blind = BlindDeblur(_family(kernel), kernel_size, sigma, boundary, save_kernel)
        viewer = Viewer(ViewerOptions(), {} if save_kernel is None else {"--save-kernel": save_kernel})
        restore_all(blind, inputs, sigma, ctx.obj, files, model, compute, reports, viewer=viewer)
        return
    if kernel_size is not None or save_kernel is not None:
        raise UsageError("--kernel-size and --save-kernel belong to --kernel auto: leave them out")
    from alr_cli.files.kernel_files import read_kernel

    array, note = read_kernel(kernel)
    reads = (kernel.removeprefix("file:") if kernel.startswith("file:") else None,)
    task = Deblur(kernel, array, boundary, note)
    restore_all(task, inputs, sigma, ctx.obj, files, model, compute, reports, reads=reads)
