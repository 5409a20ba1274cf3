"""`alr upscale`: A makes pictures smaller, with a known kernel and by a whole factor."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

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
from alr_cli.cli.restore.task import Prepared
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.cli.restore.sources import Source
    from alr_cli.core.operators.downsample import Smaller
    from alr_cli.core.operators.protocol import Shape
    from alr_cli.core.restore import Restorer
    from alr_cli.core.tasks import Task as Degradation
    from alr_cli.files.pictures import Picture

SCALES = (2, 3, 4)
NAMED = ("bicubic", "box")


@dataclass(frozen=True)
class Upscale:
    """y = a reduced x + noise.

    Attributes:
        scale: The factor.
        spec: The kernel as typed.
        max_pixels: Largest result.
        kernel: The blur (h, w) before pixels are dropped; None if `spec` is one of NAMED.
        note: What to tell the user about the kernel.
    """

    scale: int
    spec: str
    max_pixels: int
    kernel: "NDArray[np.float64] | None" = None
    note: str | None = None
    name: str = "upscale"
    allow_nan: bool = False

    def prepare(self, picture: "Picture", source: "Source") -> Prepared:
        width, height = self.scale * picture.width, self.scale * picture.height
        if width * height > self.max_pixels:
            raise UsageError(
                f"{source} would become {width} x {height} pixels, more than the limit of "
                f"{self.max_pixels / 1e6:g} million: choose a smaller --scale or raise --max-pixels"
            )
        if self.kernel is not None and (self.kernel.shape[0] > height or self.kernel.shape[1] > width):
            raise UsageError(
                f"kernel {self.spec} is larger than {source} will be ({width} x {height} pixels): "
                "choose a smaller one"
            )
        notes = () if self.note is None else (self.note,)
        return Prepared(picture, notes=notes, enlarged=enlarged(picture, width, height))

    def degradation(self, prepared: Prepared) -> "Degradation":
        from alr_cli.core.tasks import Upscaling

        return Upscaling(self.scale, self._smaller())

    def _smaller(self) -> "Callable[[Shape, int], Smaller]":
        from alr_cli.core.operators import downsample
        from alr_cli.core.operators.convolution import Downsample

        kernel = self.kernel
        if kernel is None:
            return {"bicubic": downsample.bicubic, "box": downsample.box}[self.spec]
        return lambda shape, scale: Downsample(scale, kernel, shape, "reflect")

    def strength(self, restorer: "Restorer", prepared: Prepared, sigma: float) -> float | None:
        return None


def enlarged(picture: "Picture", width: int, height: int) -> "Picture":
    """The picture and its alpha channel, enlarged by bicubic interpolation."""
    import numpy as np

    from alr_cli.files.interpolation import bicubic

    pixels = bicubic(picture.pixels, width, height)
    alpha = picture.alpha
    if alpha is not None:
        alpha = np.clip(bicubic(alpha[..., None], width, height)[..., 0], 0.0, 1.0)
    return replace(picture, pixels=pixels, alpha=alpha)


def parse_scale(value: object) -> int:
    """Parse a scale: one of SCALES. Raises UsageError."""
    if str(value) not in [str(scale) for scale in SCALES]:
        raise UsageError(f"--scale {value} is not possible: write 2, 3 or 4")
    return int(str(value))


@expand_options
def upscale(
    ctx: typer.Context,
    inputs: Inputs,
    *,
    scale: Annotated[
        int,
        typer.Option(
            "-x",
            "--scale",
            metavar="2|3|4",
            parser=parse_scale,
            rich_help_panel=RESTORATION,
            help="Factor by which width and height grow.",
        ),
    ],
    kernel: Annotated[
        str,
        typer.Option(
            "-k",
            "--kernel",
            metavar="SPEC",
            rich_help_panel=RESTORATION,
            help="How the picture was made smaller: bicubic (as most programs do), box (averages, as"
            " sensors and binning do), or a blur (gaussian:SIZE:SIGMA or file:PATH) followed by"
            " dropping pixels.",
        ),
    ] = "bicubic",
    sigma: Sigma = None,
    files: FileOptions,
    model: ModelOptions,
    compute: ComputeOptions,
    reports: ReportOptions,
) -> None:
    """Enlarge pictures to two, three or four times their width and height.

    Examples:

      alr upscale small.png -o large.png --scale 2
      alr upscale small.jpg -o large.png --scale 3 --sigma 3/255
      alr upscale frames/ -o large/ --scale 2 --kernel gaussian:7:1.6

    Solves, for the observed picture y and the operator A that makes pictures
    smaller,

      x = argmin  mean((A x - y)^2) + lambda(sigma) R(x)

    where R is a learned regularizer, which scores all small patches of x.

    Photographs from the internet were often compressed after they were made
    smaller. Compression is noise, too. The default, --sigma auto, sees some of
    it. If blocks and ringing are enlarged with the picture, a larger sigma,
    such as 3/255 to 8/255, removes them.
    """
    from alr_cli.cli.restore.run import restore_all
    from alr_cli.files.kernel_files import read_kernel

    array, note = (None, None) if kernel in NAMED else read_kernel(kernel)
    if array is not None and min(array.shape) < scale:
        raise UsageError(
            f"kernel {kernel} is {array.shape[1]} x {array.shape[0]} pixels, less than the scale of {scale}, "
            "so that some pixels would not be observed at all: choose a larger kernel, bicubic or box"
        )
    reads = (kernel.removeprefix("file:") if kernel.startswith("file:") else None,)
    task = Upscale(scale, kernel, files.max_pixels, array, note)
    restore_all(task, inputs, sigma, ctx.obj, files, model, compute, reports, reads=reads)
