"""Run a restoring command on a batch: plan, load, restore, write, report."""

import hashlib
import pickle
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.cli.exits import explain
from alr_cli.cli.options.common import ComputeOptions, ModelOptions, ReportOptions
from alr_cli.cli.options.files import FileOptions
from alr_cli.cli.options.noise import WHITE, NoiseChoice
from alr_cli.cli.ranks import this_rank
from alr_cli.cli.report.compare import Comparison
from alr_cli.cli.report.progress import Progress, Silent
from alr_cli.cli.report.records import Record, Report, printable
from alr_cli.cli.report.viewer import Viewer, ViewerOptions
from alr_cli.cli.restore import destination
from alr_cli.cli.restore.batch import Job, Remaining, Skip, plan
from alr_cli.cli.restore.doubts import misfit, outside
from alr_cli.cli.restore.loading import Loaded, Loader
from alr_cli.cli.restore.models import ModelFailure, Models
from alr_cli.cli.restore.outcomes import Outcome, details, not_done, of_stack, scores
from alr_cli.cli.restore.patience import LARGE, Patience
from alr_cli.cli.restore.pipeline import overlap
from alr_cli.cli.restore.stacks import LoadedStack, RestoredStack, find_stack, restore_stack
from alr_cli.cli.restore.task import Prepared, Task, what_happened
from alr_cli.cli.streams import StdoutClosed, Streams
from alr_cli.errors import PartialFailure
from alr_cli.files.atomic import write_atomic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.core.restoration import Restoration
    from alr_cli.core.restore import Restorer
    from alr_cli.files.pictures import Picture


@dataclass(frozen=True)
class Restored:
    """A restored picture that is not yet written.

    Attributes:
        loaded: The input.
        picture: The result.
        restoration: How it was computed.
        seconds: Time of the restoration alone.
        weights: Name of the weights.
        sha256: Their hash.
        chosen: Whether the strength was chosen for this picture.
        doubts: Sentences on what may be wrong with the result.
    """

    loaded: Loaded
    picture: "Picture"
    restoration: "Restoration"
    seconds: float
    weights: str
    sha256: str
    chosen: bool
    doubts: tuple[str, ...]


def restore_all(
    task: Task,
    inputs: list[str],
    sigma: float | None,
    streams: Streams,
    files: FileOptions,
    model: ModelOptions,
    compute: ComputeOptions,
    reports: ReportOptions,
    *,
    reads: tuple[str | None, ...] = (),
    viewer: Viewer | None = None,
    noise: NoiseChoice = WHITE,
) -> None:
    """Restore `inputs` and report on each.

    Args:
        task: The command's part.
        inputs: What was typed.
        sigma: Noise level on [0,1]; None estimates it for each picture.
        streams: The standard streams.
        files, model, compute, reports: The option groups.
        reads: Files that the task reads, which no output may replace.
        viewer: Observes the restoration of a single picture.
        noise: The kind of noise to expect.

    Raises:
        AlrError: The error of a single input, or PartialFailure for several.
    """
    viewer = viewer or Viewer(ViewerOptions())
    comparison = Comparison(files.compare)
    models = Models(model, compute)
    models.check()
    planned = plan(
        inputs,
        files,
        command=task.name,
        streams=streams,
        json_on_stdout=reports.json,
        reads=(files.reference, model.weights, *reads),
        report=reports.report,
        rank=this_rank(),
    )
    jobs = planned.jobs
    taken = [name for job in jobs for name in (str(job.source), job.output)]
    others = (*taken, files.reference, model.weights, reports.report)
    viewer.check(len(jobs), (*others, files.compare), files.overwrite)
    comparison.check(len(jobs), (*others, *reads), files.overwrite, model.lam)
    loader = Loader(task, sigma, files, streams, noise)
    with Report(streams, reports) as report, report.progress(len(jobs)) as progress:
        for note in planned.notes:
            report.say(note)
        _Batch(jobs, Remaining(jobs), loader, models, report, progress, viewer, comparison, reads).run()


@dataclass(frozen=True)
class _Batch:
    jobs: list[Job]
    left: Remaining
    loader: Loader
    models: Models
    report: Report
    progress: Progress | Silent
    viewer: Viewer
    comparison: Comparison
    reads: tuple[str | None, ...] = ()

    def run(self) -> None:
        """Process the jobs, reading and writing in parallel with restoring, and report in order."""
        started = time.perf_counter()
        try:
            overlap(self.left, self.load, self.restore, self.write, self.settle)
        finally:
            self.report.summary(len(self.jobs), time.perf_counter() - started)
        failed = self.report.counts["failed"]
        if failed:
            raise PartialFailure(f"{failed} of {len(self.jobs)} pictures failed: see above")

    def load(self, job: Job) -> Loaded | LoadedStack:
        """Read a picture, or examine the pages of a stack."""
        return find_stack(job, self.loader) or self.loader.load(job)

    def settle(self, job: Job, result: Outcome | Exception) -> None:
        """Report on one job. Raises the exceptions that end the batch."""
        self.progress.done()
        if isinstance(result, Outcome):
            self.report.record(result.record)
            self.report.say(result.line)
            self.report.detail(result.details)
        elif isinstance(result, Skip):
            self.report.record(not_done(job, "skipped", "the output exists"))
            self.report.say(f"{job.source}: skipped, {job.output} exists")
            if result.meanwhile:
                self.left.scatter()
        elif isinstance(result, StdoutClosed):
            raise result
        else:
            self.report.record(not_done(job, "failed", explain(result)[1]))
            self._fail(job, result)

    def _fail(self, job: Job, error: Exception) -> None:
        if len(self.jobs) == 1 or isinstance(error, ModelFailure):
            raise error
        self.report.fail(str(job.source), error)
        if self.loader.files.fail_fast:
            raise PartialFailure(f"stopped at {job.source} because of --fail-fast")

    def restore(self, loaded: Loaded | LoadedStack) -> Restored | RestoredStack:
        """Restore one picture or stack. Only this step needs torch and a prior."""
        if isinstance(loaded, LoadedStack):
            self.viewer.refuse_stack(str(loaded.job.source))
            self.comparison.refuse_stack(str(loaded.job.source))
            return restore_stack(
                loaded, self.loader, self._solve, self.report.say, self.progress.picture, self.work
            )
        self.loader.check_still_to_do(loaded.job)
        picture = loaded.prepared.picture
        if len(self.jobs) == 1:
            self._announce(loaded)
        self.progress.picture(printable(loaded.job.source.relative.name))
        started = time.perf_counter()
        restorer, restoration = self._solve(loaded)
        seconds = time.perf_counter() - started
        self.viewer.look(restorer, picture.pixels, restoration.pixels)
        self._compare(loaded, restorer, restoration)
        restored = loaded.prepared.result.with_pixels(restoration.pixels)
        weights = restorer.weights
        chosen = restoration.strength not in (restorer.settings.strength, 0.0)
        # For other noise the data term has another scale.
        white = loaded.prepared.noise is None and loaded.prepared.coefficients is None
        said = outside(restorer, loaded.sigma), misfit(restoration, restorer) if white else None
        doubts = tuple(doubt for doubt in said if doubt is not None)
        return Restored(loaded, restored, restoration, seconds, weights.name, weights.sha256, chosen, doubts)

    def _solve(self, loaded: Loaded) -> "tuple[Restorer, Restoration]":
        """Minimise the energy of one picture, or of one plane of a stack."""
        from alr_cli.core.gray import without_copies

        task, prepared, sigma = self.loader.task, loaded.prepared, loaded.sigma
        degradation = what_happened(task, prepared)
        pixels = prepared.picture.pixels
        wide = degradation.wide(sigma) and not self.viewer.looks
        channels = without_copies(pixels).shape[2]
        restorer = self.models.restorer(channels, degradation.held(sigma), wide)
        # it was trained on such noise with the data term of white noise
        if restorer.weights.metadata.get("noise"):
            degradation = what_happened(task, replace(prepared, noise=None))
        watcher = self.progress.step
        if watcher is None and pixels.shape[0] * pixels.shape[1] >= LARGE:
            fast = restorer.settings.fast
            watcher = Patience(lambda text: self.report.say(f"{loaded.job.source}: {text}"), fast).step
        callback = self.viewer.watch(watcher, loaded.reference)
        strength = task.strength(restorer, prepared, sigma)
        return restorer, restorer.restore(pixels, degradation, sigma, callback, strength)

    def _compare(self, loaded: Loaded, restorer: "Restorer", restoration: "Restoration") -> None:
        task, strength = self.loader.task, restoration.strength
        title = f"{loaded.job.source}: alr {task.name}, sigma {loaded.sigma:.3g}, strength {strength:.3g}"

        def again(prepared: Prepared, strength: float) -> "NDArray[np.float32]":
            degradation = what_happened(task, prepared)
            return restorer.restore(prepared.picture.pixels, degradation, loaded.sigma, None, strength).pixels

        self.comparison.look(title, loaded.prepared, restoration.pixels, strength, again, loaded.reference)

    @property
    def work(self) -> dict[str, object]:
        """Everything that the pixels of a restored plane depend on, except the plane itself."""
        task = hashlib.sha256(pickle.dumps(self.loader.task)).hexdigest()
        read = [(path, Path(path).stat().st_mtime_ns) for path in self.reads if path and Path(path).exists()]
        return {
            "task": task,
            "read": read,
            "sigma": self.loader.sigma,
            "noise": self.loader.noise,
            **self.models.described(),
        }

    def write(self, restored: Restored | RestoredStack) -> Outcome:
        """Write one picture and compare it with its reference. A stack was written already."""
        if isinstance(restored, RestoredStack):
            return of_stack(restored)
        loaded, restoration, picture = restored.loaded, restored.restoration, restored.picture
        job = loaded.job
        # printed together with its result, because the next picture is being restored already
        if len(self.jobs) > 1:
            self._announce(loaded)
        depth = destination.write(picture, job, self.loader.files, self.loader.streams)
        for name, data in loaded.prepared.beside:
            write_atomic(Path(name), data)
            self.report.say(f"{name} written")
        for path in (*self.viewer.write(), *self.comparison.write()):
            self.report.say(f"{path} written")
        for doubt in restored.doubts:
            self.report.warn(f"{job.source}: {doubt}")
        psnr, ssim, gain = scores(loaded, picture)
        record = Record(
            input=str(job.source),
            output=job.output,
            status="ok",
            seconds=restored.seconds,
            iterations=restoration.iterations,
            stop=restoration.stop,
            energy=restoration.energy,
            data_term=restoration.data_term,
            regularizer=restoration.regularizer,
            lam=restoration.lam,
            sigma=restoration.sigma,
            sigma_estimated=loaded.estimate,
            noise=None if loaded.prepared.noise is None else loaded.prepared.noise.as_dict(),
            strength=restoration.strength,
            device=restoration.device,
            precision=restoration.precision,
            tile=restoration.tile,
            shape=picture.shape,
            black_and_white=picture.range,
            depth=depth,
            psnr=psnr,
            ssim=ssim,
            weights=restored.weights,
            weights_sha256=restored.sha256,
        )
        place = "stdout" if job.target is None else job.output
        effort = f"{restoration.iterations} iterations, {restored.seconds:.1f} s"
        noise = f"sigma {restoration.sigma:.3g}"
        if restored.chosen:
            noise += f", strength {restoration.strength:.2f} (chosen)"
        if restoration.stop == "diverged":
            self.report.warn(
                f"{job.source}: the iteration diverged; the result is the iterate at which it was steadiest"
            )
        line = f"{job.source} -> {place}: {restored.weights}, {noise}, {effort}{gain}"
        return Outcome(record, line, details(restoration, picture, depth))

    def _announce(self, loaded: Loaded) -> None:
        for note in loaded.notes:
            self.report.say(f"{loaded.job.source}: {note}")
        for warning in loaded.warnings:
            self.report.warn(f"{loaded.job.source}: {warning}")
