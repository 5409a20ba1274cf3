"""Which sinograms `alr reconstruct` reads, and where it writes their slices."""

import os
from pathlib import Path

from alr_cli.cli.options.common import ReportOptions
from alr_cli.cli.options.files import FileOptions
from alr_cli.cli.reconstruct.options import (
    MeasurementOptions,
    MethodOptions,
    ScanOptions,
    SliceFileOptions,
)
from alr_cli.cli.restore.batch import Job, plan
from alr_cli.cli.restore.contents import kind_of
from alr_cli.cli.streams import Streams
from alr_cli.errors import InputError, OutputError, UsageError

SLICE = ".slice.tif"  # ending of the name of a slice without -o


def planned(
    inputs: list[str],
    streams: Streams,
    scan: ScanOptions,
    measurement: MeasurementOptions,
    method: MethodOptions,
    files: SliceFileOptions,
    reports: ReportOptions,
) -> list[Job]:
    """One job for each slice. Raises InputError, OutputError or UsageError."""
    named = files.output is not None and files.output != "-" and not files.output.endswith("/")
    options = FileOptions(
        output=files.output,
        format=None if named and kind_of(Path(files.output or "")) != "folder" else "tiff",
        overwrite=files.overwrite,
        skip_existing=files.skip_existing,
    )
    reads = (
        files.reference,
        measurement.flat,
        measurement.dark,
        method.weights,
        scan.angles if scan.angles and kind_of(Path(scan.angles)) == "file" else None,
    )
    jobs = plan(
        _expanded(inputs, files),
        options,
        command="slice",
        streams=streams,
        json_on_stdout=reports.json,
        reads=reads,
        report=reports.report,
    ).jobs
    for job in jobs:
        if job.format not in (None, "tiff"):
            raise OutputError(
                f"{job.output}: slices are written as TIFF of 32-bit floats; end the name with .tif"
            )
    return jobs


def _expanded(inputs: list[str], files: SliceFileOptions) -> list[str]:
    """The sinogram files that the inputs refer to; folders are sorted. Raises UsageError for several without
    an output folder."""
    from alr_cli.files.scans import EXTENSIONS

    found: list[str] = []
    for text in inputs:
        folder = Path(text)
        if text == "-" or kind_of(folder) != "folder":
            found.append(text)
            continue
        if files.output is None or files.output == "-":
            raise UsageError("a folder of sinograms needs a folder for its slices: give -o FOLDER/")
        paths = folder.rglob("*") if files.recursive else folder.glob("*")
        inside = sorted(path for path in paths if path.suffix.lower() in EXTENSIONS and path.is_file())
        avoided = os.path.realpath(files.output)
        inside = [path for path in inside if not os.path.realpath(path).startswith(avoided + os.sep)]
        found += [str(path) for path in inside if not path.name.endswith(SLICE)]
    if not found:
        raise InputError(
            f"there are no sinograms in {inputs[0]}: their names must end in {', '.join(EXTENSIONS)}"
        )
    if len(found) > 1 and files.output is not None and files.output != "-":
        place = Path(files.output)
        if not files.output.endswith("/") and kind_of(place) != "folder":
            raise UsageError(f"several sinograms need a folder: end it with a slash, -o {files.output}/")
    return found
