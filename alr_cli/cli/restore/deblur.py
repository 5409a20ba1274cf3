"""`alr deblur`: A is the convolution with a known kernel."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from alr_cli.cli.options.common import (
    RESTORATION,
    ComputeOptions,
    FileOptions,
    Inputs,
    ModelOptions,
    ReportOptions,
    Sigma,
    expand_options,
)
from alr_cli.cli.options.values import complete_kernel
from alr_cli.cli.restore.task import Prepared
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.cli.restore.sources import Source
    from alr_cli.core.restore import Restorer
    from alr_cli.core.tasks import Task as Degradation
    from alr_cli.files.pictures import Picture

Boundary = Literal["valid", "replicate", "reflect", "circular"]


@dataclass(frozen=True)
class Deblur:
    """y = k * x + noise."""

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
                f"kernel {self.spec} is {width} x {height} pixels, larger than {source}, which is "
                f"{picture.width} x {picture.height}: {GRAMMAR}"
            )
        return Prepared(picture, notes=() if self.note is None else (self.note,))

    def degradation(self, prepared: Prepared) -> "Degradation":
        from alr_cli.core.tasks import Deblurring

        return Deblurring(self.kernel, self.boundary)

    def strength(self, restorer: "Restorer", prepared: Prepared, sigma: float) -> float | None:
        return None


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
            help="gaussian:SIZE:SIGMA, motion:LENGTH:ANGLE, disk:RADIUS, box:SIZE or file:PATH (png or npy); "
            "sizes are odd, in pixels, angles in degrees counter-clockwise.",
        ),
    ],
    sigma: Sigma = None,
    boundary: Annotated[
        Boundary,
        typer.Option(
            "--boundary",
            metavar="NAME",
            rich_help_panel=RESTORATION,
            help="What lies beyond the frame: valid restores it too, as nobody saw it; replicate, reflect and"
            " circular assume it.",
        ),
    ] = "valid",
    files: FileOptions,
    model: ModelOptions,
    compute: ComputeOptions,
    reports: ReportOptions,
) -> None:
    """Sharpen pictures that were blurred by a known kernel.

    Examples:

      alr deblur blurred.png -o sharp.png --kernel gaussian:7:3
      alr deblur shaken.jpg -o sharp.png --kernel file:trace.png --sigma 5/255
      alr denoise in.png | alr deblur - --kernel disk:2.5 -o out.tif

    Solves, for the observed picture y and the kernel k,

      x = argmin  mean((k * x - y)^2) + lambda(sigma) R(x)

    where * is the convolution (the kernel flipped) and R is the mean of a
    learned critic over all small patches of x; lambda(sigma) was fitted for
    the weights and --strength multiplies it.
    """
    from alr_cli.cli.restore.run import restore_all
    from alr_cli.files.kernel_files import read_kernel

    array, note = read_kernel(kernel)
    reads = (kernel.removeprefix("file:") if kernel.startswith("file:") else None,)
    task = Deblur(kernel, array, boundary, note)
    restore_all(task, inputs, sigma, ctx.obj, files, model, compute, reports, reads=reads)
