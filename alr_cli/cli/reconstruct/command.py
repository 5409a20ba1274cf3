"""`alr reconstruct`: A is the ray transform."""

from typing import Annotated

import typer

from alr_cli.cli.options.common import ComputeOptions, ReportOptions, expand_options
from alr_cli.cli.reconstruct.options import (
    MeasurementOptions,
    MethodOptions,
    ScanOptions,
    SliceFileOptions,
)
from alr_cli.cli.report.viewer import Viewer, ViewerOptions

Sinograms = Annotated[
    list[str],
    typer.Argument(
        metavar="SINOGRAM...",
        help="Sinograms (one row for each angle): TIFF, PNG, .npy or HDF5 files, folders of them, or"
        " - for stdin.",
        show_default=False,
    ),
]


@expand_options
def reconstruct(
    ctx: typer.Context,
    sinograms: Sinograms,
    *,
    scan: ScanOptions,
    measurement: MeasurementOptions,
    method: MethodOptions,
    files: SliceFileOptions,
    compute: ComputeOptions,
    reports: ReportOptions,
    viewer: ViewerOptions,
) -> None:
    """Reconstruct slices from sinograms (computed tomography).

    Examples:

      alr reconstruct sinogram.tif -o slice.tif --angles 0:180:30
      alr reconstruct counts.h5 -o slices/ --counts --center auto --slice 120
      alr reconstruct fan.npy -o slice.tif --angles 0:360:180 --geometry fan:500:300 --pitch 0.8
      alr reconstruct scans/ -o slices/ --angles angles.txt --unit rad --method tv --skip-existing

    Solves, for the sinogram y and the lengths A of the rays in the pixels,

      x = argmin over x >= 0 of  mean((A x - y)^2) + lambda(sigma) R(x)

    where R is a learned prior for CT slices. The slice is in units of the
    sinogram per --pitch. With the wrong sense of rotation (--clockwise) it is
    mirrored.
    """
    from alr_cli.cli.reconstruct.run import reconstruct_all

    reconstruct_all(
        sinograms,
        streams=ctx.obj,
        scan=scan,
        measurement=measurement,
        method=method,
        files=files,
        compute=compute,
        reports=reports,
        viewer=Viewer(viewer),
    )
