"""`alr denoise`: A is the identity."""

from dataclasses import dataclass
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
from alr_cli.cli.options.noise import Noise, NoiseChoice
from alr_cli.cli.report.viewer import Viewer, ViewerOptions
from alr_cli.cli.restore.task import Prepared
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    from alr_cli.cli.restore.sources import Source
    from alr_cli.core.restore import Restorer
    from alr_cli.core.tasks import Task as Degradation
    from alr_cli.files.pictures import Picture


@dataclass(frozen=True)
class Denoise:
    """y = x + noise.

    Attributes:
        auto_strength: Whether the strength is chosen for each picture.
        jpeg: Whether the noise is that of JPEG, whose coefficients are read from the file.
    """

    name: str = "denoise"
    allow_nan: bool = False
    auto_strength: bool = False
    jpeg: bool = False

    def prepare(self, picture: "Picture", source: "Source") -> Prepared:
        if not self.jpeg:
            return Prepared(picture)
        from alr_cli.files.jpeg_coefficients import read_coefficients

        return Prepared(picture, coefficients=read_coefficients(picture.coded, str(source)))

    def degradation(self, prepared: Prepared) -> "Degradation":
        from alr_cli.core.tasks import Denoising
        from alr_cli.files.jpeg_coefficients import decoding

        if prepared.coefficients is not None:
            return decoding(prepared.coefficients, prepared.picture.exif)
        return Denoising(noise=prepared.noise)

    def strength(self, restorer: "Restorer", prepared: Prepared, sigma: float) -> float | None:
        if not self.auto_strength or sigma == 0:
            return None
        from alr_cli.core.strength import choose_strength

        return choose_strength(restorer, prepared.picture.pixels, sigma, prepared.noise)


@expand_options
def denoise(
    ctx: typer.Context,
    inputs: Inputs,
    *,
    sigma: Sigma = None,
    noise: Noise = None,
    auto_strength: Annotated[
        bool,
        typer.Option(
            "--auto-strength",
            rich_help_panel=RESTORATION,
            help="Choose the strength for each picture from the picture alone: the one with the "
            "smallest expected error (Stein's estimate) on the central 160 x 160 pixels. This takes as "
            "much additional time as a picture of 400 x 400 pixels, or of 500 x 500 if the best strength "
            "is far from 1.",
        ),
    ] = False,
    jpeg: Annotated[
        bool,
        typer.Option(
            "--jpeg",
            rich_help_panel=RESTORATION,
            help="Remove only the artefacts of JPEG compression (blocks, ringing, coarse colours). The file "
            "states the interval of each of its coefficients, so no quality has to be given. Only for "
            "original JPEG files. Needs jpeglib.",
        ),
    ] = False,
    files: FileOptions,
    model: ModelOptions,
    compute: ComputeOptions,
    reports: ReportOptions,
    viewer: ViewerOptions,
) -> None:
    """Remove noise from pictures.

    Examples:

      alr denoise noisy.png -o clean.png
      alr denoise frames/ -o clean/ --sigma 25/255 --skip-existing
      cat noisy.png | alr denoise - --sigma 0.1 > clean.png
      alr denoise scan.tif -o clean.tif --noise like:blank.tif
      alr denoise noisy.png -o clean.png --plot energy.png --heatmap scores.png

    Solves, for the observed picture y,

      x = argmin  sigma^2/N (x - y)' S^-1 (x - y) + lambda(sigma) R(x)

    where S is the covariance of the noise, sigma^2 for white noise, and R is a
    learned regularizer, which scores all small patches of x. lambda(sigma) was
    fitted for the weights; --strength multiplies it.

    Without -w, pictures with noise of at least 0.01 get the weights
    color-wide or gray-wide, whose energy has a wide field of view and denoises
    in one gradient step; the result is the mean over four orientations. For weaker
    noise color-tuned and gray-tuned are used. They are also used with an option that
    describes the descent (--solver, --max-iter, --tol, --lam) or observes it (--trace,
    --plot, --heatmap).
    """
    from alr_cli.cli.restore.run import restore_all

    if auto_strength and not (model.strength is None and model.lam is None):
        raise UsageError("--auto-strength chooses the value that --strength and --lam set: give one of them")
    if jpeg and files.range is not None:
        raise UsageError("--jpeg determines the range from the file: omit --range")
    if jpeg and (sigma is not None or noise is not None or auto_strength):
        raise UsageError(
            "--jpeg determines the noise from the file: omit --sigma, --noise and --auto-strength"
        )
    task = Denoise(auto_strength=auto_strength, jpeg=jpeg)
    restore_all(
        task,
        inputs,
        sigma,
        ctx.obj,
        files,
        model,
        compute,
        reports,
        viewer=Viewer(viewer),
        noise=noise or NoiseChoice(),
    )
