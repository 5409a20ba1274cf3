"""Run `alr reconstruct`: plan, read, check, reconstruct, write, report."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from alr_cli.cli.exits import explain
from alr_cli.cli.options.common import ComputeOptions, ReportOptions
from alr_cli.cli.reconstruct.angles import check_angles
from alr_cli.cli.reconstruct.checks import unsuited
from alr_cli.cli.reconstruct.options import (
    MeasurementOptions,
    MethodOptions,
    ScanOptions,
    SliceFileOptions,
)
from alr_cli.cli.reconstruct.plan import planned
from alr_cli.cli.reconstruct.scans import Prepared, prepare, views
from alr_cli.cli.report.progress import Progress, Silent
from alr_cli.cli.report.records import Record, Report, printable
from alr_cli.cli.report.viewer import Viewer
from alr_cli.cli.restore.batch import Job
from alr_cli.cli.streams import StdoutClosed, Streams
from alr_cli.errors import InputError, OutputError, PartialFailure, UsageError, WeightsError

if TYPE_CHECKING:
    from alr_cli.core.restoration import Step
    from alr_cli.core.tomography import Reconstructor, Slice

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class SliceRecord(Record):
    """What happened to one sinogram.

    `residual` is the root mean square of A x - y, and `sigma` its expected value, both in the unit of the
    sinogram. For a file with several sinograms they are means.
    """

    method: str | None = None
    slices: int | None = None
    angles: int | None = None
    detectors: int | None = None
    center: float | None = None
    geometry: str | None = None
    pixel: float | None = None
    range: float | None = None
    residual: float | None = None


def reconstruct_all(
    inputs: list[str],
    streams: Streams,
    scan: ScanOptions,
    measurement: MeasurementOptions,
    method: MethodOptions,
    files: SliceFileOptions,
    compute: ComputeOptions,
    reports: ReportOptions,
    viewer: Viewer,
) -> None:
    """Reconstruct `inputs` and report on each. Raises the error of a single input, or PartialFailure for
    several."""
    if scan.angles is not None:
        check_angles(scan.angles)
    if viewer.maps and method.method != "ours":
        raise UsageError(f"--heatmap shows the scores of a prior, and --method {method.method} has none")
    if method.method == "ours":
        from alr_cli.files.weights import read_metadata

        read_metadata(method.weights)
    jobs = planned(inputs, streams, scan, measurement, method, files, reports)
    taken = [name for job in jobs for name in (str(job.source), job.output)]
    viewer.check(len(jobs), (*taken, files.reference, reports.report), files.overwrite)
    with Report(streams, reports) as report, report.progress(len(jobs)) as progress:
        _Batch(jobs, streams, scan, measurement, method, files, compute, report, progress, viewer).run()


@dataclass(frozen=True)
class _Batch:
    jobs: list[Job]
    streams: Streams
    scan: ScanOptions
    measurement: MeasurementOptions
    method: MethodOptions
    files: SliceFileOptions
    compute: ComputeOptions
    report: Report
    progress: Progress | Silent
    viewer: Viewer

    def run(self) -> None:
        started = time.perf_counter()
        reconstructor: Reconstructor | None = None
        try:
            for job in self.jobs:
                if self.files.skip_existing and job.done:
                    self._note(job, "skipped", "the output exists")
                    self.report.say(f"{job.source}: skipped, {job.output} exists")
                    continue
                try:
                    if job.problem is not None:
                        raise job.problem
                    prepared = prepare(
                        job.source, self.scan, self.measurement, self.streams, self.files.max_pixels
                    )
                    if len(prepared.sinograms) > 1:
                        self.viewer.refuse_stack(str(job.source), "--slice")
                    truth = self._truth(prepared)
                    for note in prepared.notes:
                        self.report.say(f"{job.source}: {note}")
                    for warning in (*prepared.warnings, *unsuited(self.method, prepared.geometry)):
                        self.report.warn(f"{job.source}: {warning}")
                except Exception as error:  # noqa: BLE001 - one bad file does not stop a batch
                    self._fail(job, error)
                    continue
                if reconstructor is None:  # a prior that cannot be used ends the batch
                    reconstructor = build_reconstructor(self.method, self.compute)
                try:
                    self._reconstruct(job, prepared, reconstructor, truth)
                except StdoutClosed:
                    raise
                except Exception as error:  # noqa: BLE001 - one bad file does not stop a batch
                    self._fail(job, error)
                self.progress.done()
        finally:
            self.report.summary(len(self.jobs), time.perf_counter() - started)
        failed = self.report.counts["failed"]
        if failed:
            raise PartialFailure(f"{failed} of {len(self.jobs)} sinograms failed: see above")

    def _fail(self, job: Job, error: Exception) -> None:
        self._note(job, "failed", explain(error)[1])
        if len(self.jobs) == 1:
            raise error
        self.report.fail(str(job.source), error)
        if self.files.fail_fast:
            raise PartialFailure(f"stopped at {job.source} because of --fail-fast") from error

    def _note(self, job: Job, status: str, reason: str) -> None:
        record = SliceRecord(input=str(job.source), output=job.output, status=status, reason=reason)  # type: ignore[arg-type]
        self.report.record(record)

    def _reconstruct(
        self, job: Job, prepared: Prepared, reconstructor: Reconstructor, truth: Floats | None
    ) -> None:
        self.progress.picture(printable(job.source.relative.name))
        callback = self.viewer.watch(self.progress.step, None)
        started = time.perf_counter()
        slices = [self._one(reconstructor, prepared, view, callback) for view in views(prepared)]
        seconds = time.perf_counter() - started
        # Line integrals were divided by the side of a pixel, so that the slices are per unit of --pitch.
        pixels = np.stack([each.pixels for each in slices])
        record = self._record(job, prepared, reconstructor, slices, seconds, truth)
        self._draw_scores(prepared, reconstructor, slices[0])
        self._write(job, pixels, record)
        for path in self.viewer.write():
            self.report.say(f"{path} written")
        self.report.record(record)
        place = "stdout" if job.target is None else job.output
        how = record.weights or self.method.method
        quality = "" if record.psnr is None else f", PSNR {record.psnr:.2f} dB"
        self.report.say(
            f"{job.source} -> {place}: {how}, residual {record.residual:.3g} where noise of "
            f"{record.sigma:.3g} is expected, {record.iterations} iterations, {seconds:.1f} s{quality}"
        )
        self.report.detail(
            f"  {pixels.shape[2]} x {pixels.shape[1]}, {len(slices)} slices, {record.angles} angles, "
            f"{record.detectors} detectors, axis at {record.center:g}; lambda {record.lam}; range "
            f"{record.range:.4g}"
        )

    def _draw_scores(self, prepared: Prepared, reconstructor: Reconstructor, found: Slice) -> None:
        """The maps of scores of the slice, and of filtered backprojection as what one would see without the
        prior."""
        if reconstructor.restorer is None or not self.viewer.maps:
            return
        direct = replace(reconstructor, method="fbp")
        before = direct.reconstruct(next(views(prepared)), prepared.geometry, found.sigma)
        scaled = (each.pixels[..., None] / np.float32(found.range) for each in (before, found))
        self.viewer.look(reconstructor.restorer, *scaled)

    def _one(
        self,
        reconstructor: Reconstructor,
        prepared: Prepared,
        view: Floats,
        callback: Callable[[Step], None] | None,
    ) -> Slice:
        given = self.measurement
        return reconstructor.reconstruct(
            view,
            prepared.geometry,
            None if given.sigma is None else given.sigma / prepared.unit,
            given.range,
            callback,
        )

    def _record(
        self,
        job: Job,
        prepared: Prepared,
        reconstructor: Reconstructor,
        slices: list[Slice],
        seconds: float,
        truth: Floats | None,
    ) -> SliceRecord:
        first, geometry = slices[0], prepared.geometry
        restorer = reconstructor.restorer
        center = (geometry.detectors - 1) / 2 if geometry.centre is None else geometry.centre
        sigma = _mean([each.sigma for each in slices]) * prepared.unit
        return SliceRecord(
            input=str(job.source),
            output=job.output,
            status="ok",
            seconds=seconds,
            iterations=first.iterations,
            stop=first.stop,
            energy=first.energy,
            data_term=first.data_term,
            regularizer=first.regularizer,
            lam=first.lam,
            sigma=sigma,
            sigma_estimated=sigma if self.measurement.sigma is None else None,
            strength=self.method.strength,
            device=str(restorer.device) if restorer is not None else self.compute.device,
            shape=(*geometry.size, 1),
            depth="float32",
            psnr=None if truth is None else _psnr(truth, first.pixels),
            weights=None if restorer is None else restorer.weights.name,
            weights_sha256=None if restorer is None else restorer.weights.sha256,
            method=self.method.method,
            slices=len(slices),
            angles=len(geometry.angles),
            detectors=geometry.detectors,
            center=center,
            geometry=self.scan.geometry,
            pixel=prepared.unit,
            range=first.range,
            residual=_mean([each.residual for each in slices]) * prepared.unit,
        )

    def _write(self, job: Job, pixels: Floats, record: SliceRecord) -> None:
        from alr_cli.files.atomic import write_atomic
        from alr_cli.files.slices import encode_slices

        described = {
            "program": "alr reconstruct",
            "method": record.method,
            "weights": record.weights,
            "lambda": record.lam,
            "sigma": record.sigma,
            "residual": record.residual,
            "angles": self.scan.angles or "as stored in the file",
            "unit_of_angles": self.scan.unit,
            "clockwise": self.scan.clockwise,
            "geometry": record.geometry,
            "center": record.center,
            "pixel": record.pixel,
            "unit": "of the sinogram per pitch"
            if self.scan.pitch == 1.0
            else "of the sinogram per unit of --pitch",
        }
        data = encode_slices(pixels, json.dumps(described))
        if job.target is None:
            self.streams.write_stdout(data)
            return
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"folder {job.target.parent} cannot be created ({error.strerror})") from error
        write_atomic(job.target, data)

    def _truth(self, prepared: Prepared) -> Floats | None:
        if self.files.reference is None:
            return None
        from alr_cli.files.scans import read_scan

        truth: Floats = read_scan(self.files.reference).sinograms[0]
        if truth.shape != prepared.geometry.size:
            raise InputError(
                f"--reference {self.files.reference} has {truth.shape[1]} x {truth.shape[0]} pixels and "
                f"the slice {prepared.geometry.size[1]} x {prepared.geometry.size[0]}: they must be equal"
            )
        return truth


def build_reconstructor(method: MethodOptions, compute: ComputeOptions) -> Reconstructor:
    """Load what the method needs. This imports torch."""
    from alr_cli.core.numerics import devices
    from alr_cli.core.restore import Restorer
    from alr_cli.core.settings import Settings
    from alr_cli.core.tomography import Reconstructor
    from alr_cli.files.weights import load_weights

    devices.set_threads(compute.threads)
    restorer = None
    if method.method == "ours":
        weights = load_weights(method.weights)
        if weights.channels != 1:
            raise WeightsError(
                f"{weights.name} is for colour pictures: choose gray weights, such as ct-tuned"
            )
        settings = Settings(
            strength=1.0 if method.strength is None else method.strength,
            lam=method.lam,
            solver=method.solver,
            max_iter=method.max_iter,
            discrepancy=method.discrepancy,
            tile=compute.tile,
            precision=compute.precision,
            device=compute.device,
        )
        restorer = Restorer(weights, settings)
    strength = 1.0 if method.strength is None else method.strength
    return Reconstructor(
        method.method, restorer, strength, method.lam, method.max_iter, method.window, compute.device
    )


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _psnr(truth: Floats, pixels: Floats) -> float:
    """PSNR in dB. The peak is the range of the true slice."""
    error = float(np.mean((pixels.astype(np.float64) - truth) ** 2))
    peak = float(truth.max() - truth.min())
    return math.inf if error == 0 else 10 * math.log10(max(peak, 1e-30) ** 2 / error)
