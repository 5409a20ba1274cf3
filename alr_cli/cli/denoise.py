"""`alr denoise`: A is the identity."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from alr_cli.cli.options import (
    ComputeOptions,
    FileOptions,
    Inputs,
    ModelOptions,
    ReportOptions,
    Sigma,
    expand_options,
)
from alr_cli.cli.task import Prepared
from alr_cli.cli.viewer import Viewer, ViewerOptions

if TYPE_CHECKING:
    from alr_cli.cli.sources import Source
    from alr_cli.core.restore import Restoration, Restorer, Step
    from alr_cli.files.pictures import Picture


@dataclass(frozen=True)
class Denoise:
    """y = x + noise."""

    name: str = "denoise"
    allow_nan: bool = False

    def prepare(self, picture: "Picture", source: "Source") -> Prepared:
        return Prepared(picture)

    def restore(
        self, restorer: "Restorer", prepared: Prepared, sigma: float, callback: "Callable[[Step], None]"
    ) -> "Restoration":
        return restorer.denoise(prepared.picture.pixels, sigma, callback)


@expand_options
def denoise(
    ctx: typer.Context,
    inputs: Inputs,
    *,
    sigma: Sigma = None,
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
      alr denoise noisy.png -o clean.png --plot energy.png --heatmap scores.png

    Solves, for the observed picture y,

      x = argmin  mean((x - y)^2) + lambda(sigma) R(x)

    where R is the mean of a learned critic over all 15 x 15 patches of x;
    lambda(sigma) was fitted for the weights and --strength multiplies it.
    """
    from alr_cli.cli.restoring import restore_all

    restore_all(Denoise(), inputs, sigma, ctx.obj, files, model, compute, reports, viewer=Viewer(viewer))
