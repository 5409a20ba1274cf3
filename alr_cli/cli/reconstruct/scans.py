"""Prepare a sinogram file: line integrals, geometry in pixels, and warnings. torch is not loaded yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.cli.reconstruct import checks
from alr_cli.cli.reconstruct.angles import angles_of
from alr_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from alr_cli.cli.reconstruct.options import MeasurementOptions, ScanOptions
    from alr_cli.cli.restore.sources import Source
    from alr_cli.cli.streams import Streams
    from alr_cli.core.operators.geometry import Geometry

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A sinogram file that is ready to be reconstructed.

    Attributes:
        sinograms: Line integrals (slices, angles, detectors) in the unit of the file.
        geometry: In pixels of the slice.
        unit: Side of a pixel, in the unit of --pitch.
        notes: What to tell the user.
        warnings: What to warn the user of.
    """

    sinograms: Floats
    geometry: Geometry
    unit: float
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def prepare(
    source: Source, scan: ScanOptions, measurement: MeasurementOptions, streams: Streams, max_values: int
) -> Prepared:
    """Read and check one file. Raises AlrError."""
    from alr_cli.files.scans import read_scan

    data = streams.read_stdin() if source.path is None else None
    found = read_scan(source.path or "-", measurement.slice, max_values=max_values, data=data)
    try:
        sinograms, notes = checks.line_integrals(found, measurement)
        angles, warnings = angles_of(scan, found.angles, (sinograms.shape[1], sinograms.shape[2]))
        centre, said = _centre(scan, sinograms, angles)
        counts = measurement.counts or found.flat is not None
        warnings += checks.suspicions(
            sinograms[len(sinograms) // 2], angles, centre, parallel=scan.fan is None, counts=counts
        )
    except (InputError, UsageError) as error:
        raise type(error)(f"{source}: {error}") from error
    geometry, unit = _geometry(scan, sinograms.shape[2], angles, centre)
    return Prepared(sinograms, geometry, unit, (*notes, *said), tuple(warnings))


def views(prepared: Prepared) -> Iterator[Floats]:
    """The sinograms one by one, in pixels of the slice."""
    for sinogram in prepared.sinograms:
        yield sinogram / np.float32(prepared.unit)


def _centre(
    scan: ScanOptions, sinograms: Floats, angles: NDArray[np.float64]
) -> tuple[float | None, list[str]]:
    if scan.center != "auto":
        return scan.centre, []
    if scan.fan is not None:
        raise UsageError("--center auto is for parallel rays: give the number of the detector")
    from alr_cli.core.noise.sinogram import estimate_centre

    found = estimate_centre(sinograms.mean(0), angles)
    if found is None:
        raise InputError(
            "the rotation axis cannot be found: the whole object must be in view from at least 8 angles; "
            "give --center C"
        )
    return found[0], [f"the rotation axis projects to detector {found[0]:.2f} (+- {found[1]:.2f})"]


def _geometry(
    scan: ScanOptions, detectors: int, angles: NDArray[Any], centre: float | None
) -> tuple[Geometry, float]:
    """The geometry in pixels, and the side of a pixel in the unit of --pitch."""
    from alr_cli.core.operators.geometry import Fan, Geometry

    side = scan.size or detectors
    unit = scan.pitch * scan.pixel
    fan = None
    if scan.fan is not None:
        source, detector = scan.fan
        unit *= source / (source + detector)  # a detector as it is seen at the rotation axis
        fan = Fan(source / unit, detector / unit)
        if fan.source <= side * 2**0.5 / 2:
            raise UsageError(
                f"the source, {source:g} from the rotation axis, lies within the slice of "
                f"{side * unit:g}: check that --geometry and --pitch have the same unit, or give a smaller "
                "--size"
            )
    geometry = Geometry((side, side), tuple(angles.tolist()), detectors, scan.pitch / unit, centre, fan)
    return geometry, unit
