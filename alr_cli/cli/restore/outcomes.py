"""What there is to say of one input that was restored or was not: records for programs, lines for people"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alr_cli.cli.report.records import Record, Status
from alr_cli.cli.restore.batch import Job
from alr_cli.cli.restore.loading import Loaded
from alr_cli.cli.restore.stacks import RestoredStack
from alr_cli.cli.restore.task import size

if TYPE_CHECKING:
    from alr_cli.core.restoration import Restoration
    from alr_cli.files.pictures import Picture


@dataclass(frozen=True)
class Outcome:
    """The result for one input: a record for programs, a line and details for people."""

    record: Record
    line: str
    details: str


def of_stack(stack: RestoredStack) -> Outcome:
    """The outcome of a stack, which was written already."""
    job, last = stack.job, stack.last
    record = Record(
        input=str(job.source),
        output=job.output,
        status="ok",
        seconds=stack.seconds,
        iterations=stack.iterations,
        stop=last.stop,
        sigma=stack.levels[0],
        sigma_estimated=stack.levels[0] if stack.estimated else None,
        strength=last.strength,
        device=last.device,
        precision=last.precision,
        tile=last.tile,
        planes=stack.planes,
        shape=stack.shape,
        depth=stack.depth,
        weights=stack.weights,
        weights_sha256=stack.sha256,
    )
    place = "stdout" if job.target is None else job.output
    levels = ", ".join(f"{level:.3g}" for level in stack.levels)
    line = (
        f"{job.source} -> {place}: {stack.planes} planes, {stack.weights}, sigma {levels}, "
        f"{stack.iterations} iterations, {stack.seconds:.1f} s"
    )
    height, width, _ = stack.shape
    return Outcome(record, line, f"  {width} x {height}, {stack.depth}, on {last.device} in {last.precision}")


def not_done(job: Job, status: Status, reason: str) -> Record:
    """The record of an input that was skipped or failed."""
    return Record(input=str(job.source), output=job.output, status=status, reason=reason)


def details(restoration: "Restoration", picture: "Picture", depth: str) -> str:
    """The details of a restoration for --verbose."""
    energy, regularizer = (
        "unknown" if value is None else f"{value:.6g}"
        for value in (restoration.energy, restoration.regularizer)
    )
    return (
        f"  {size(picture)}, {depth}; energy {energy} = data term {restoration.data_term:.6g} + "
        f"lambda {restoration.lam:.4g} x regularizer {regularizer}; {restoration.stop} "
        f"on {restoration.device} in {restoration.precision}, tile {restoration.tile or 'off'}"
    )


def scores(loaded: Loaded, restored: "Picture") -> tuple[float | None, float | None, str]:
    """PSNR and SSIM of the result if there is a reference, and the words for them."""
    if loaded.reference is None:
        return None, None, ""
    from alr_cli.core.metrics import psnr, ssim

    before = psnr(loaded.reference, loaded.prepared.result.pixels)
    after, similarity = psnr(loaded.reference, restored.pixels), ssim(loaded.reference, restored.pixels)
    said = [f"PSNR {_shown(before, '.2f')} -> {_shown(after, '.2f')} dB", f"SSIM {_shown(similarity, '.3f')}"]
    return after, similarity, ", " + ", ".join(said)


def _shown(score: float | None, form: str) -> str:
    return "n/a" if score is None else format(score, form)
