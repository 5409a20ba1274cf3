"""One picture before its restoration: read, checked against task, output and reference, its noise known."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.cli.options.common import FileOptions
from alr_cli.cli.restore import destination
from alr_cli.cli.restore.batch import Job, Skip
from alr_cli.cli.restore.sources import Source, partner
from alr_cli.cli.restore.task import Prepared, Task, size
from alr_cli.cli.streams import Streams
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.core.noise.model import NoiseModel
    from alr_cli.files.pictures import Picture

NOISE_FLOOR = 1 / 255  # below one level of 8 bits, a factor between two sigmas means nothing


@dataclass(frozen=True)
class Loaded:
    """A picture ready to be restored. estimate: its sigma as estimated, None where that is impossible."""

    job: Job
    prepared: Prepared
    sigma: float
    estimate: float | None
    reference: "NDArray[np.float32] | None"
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Loader:
    """Reads the pictures of a batch. sigma: None estimates it for each.  kind: expect noise of this kind,
    whose neighbours are correlated, as a camera's are."""

    task: Task
    sigma: float | None
    files: FileOptions
    streams: Streams
    kind: "NoiseModel | None" = None

    def load(self, job: Job, picture: "Picture | None" = None) -> Loaded:
        """Everything that can be done and refused without a critic. Raises AlrError, or Skip.

        picture: of the job, where it was read already.
        """
        self.check_still_to_do(job)
        if job.problem is not None:
            raise job.problem
        prepared = self.task.prepare(picture or self._read(job.source), job.source)
        losses = destination.check(prepared.result, job, self.files, self.streams)
        reference = self._reference(job.source, prepared.result)
        if self.kind is not None:
            prepared = replace(prepared, noise=_noise(prepared, self.kind))
        estimate = _estimate(prepared)
        sigma = estimate if self.sigma is None else self.sigma
        if sigma is None:
            raise UsageError(
                f"the noise of {job.source} cannot be estimated from so few pixels: give --sigma"
            )
        notes = (*prepared.picture.notes, *losses, *prepared.notes)
        if self.sigma is None:
            little = ": there is little noise" if sigma < NOISE_FLOOR else ""
            notes += (f"sigma {sigma:.3g} (estimated){little}",)
        doubts = _doubts(self.sigma, estimate)
        return Loaded(job, prepared, sigma, estimate, reference, notes, (*prepared.warnings, *doubts))

    def check_still_to_do(self, job: Job) -> None:
        """Raises Skip where the output exists by now and is to be left."""
        if job.skip:
            raise Skip
        if self.files.skip_existing and job.done:
            raise Skip(meanwhile=True)

    def _read(self, source: Source) -> "Picture":
        from alr_cli.files.pictures import decode, read_picture

        limit, page, allow_nan = self.files.max_pixels, self.files.page, self.task.allow_nan
        if source.path is None:
            data = self.streams.read_stdin()
            return decode(data, "stdin", max_pixels=limit, page=page, allow_nan=allow_nan)
        return read_picture(source.path, max_pixels=limit, page=page, allow_nan=allow_nan)

    def _reference(self, source: Source, picture: "Picture") -> "NDArray[np.float32] | None":
        from alr_cli.files.orientation import hint
        from alr_cli.files.pictures import read_picture

        if self.files.reference is None:
            return None
        path = partner(Path(self.files.reference), source, "--reference")
        reference = read_picture(path, max_pixels=self.files.max_pixels)
        if reference.shape != picture.shape:
            raise UsageError(
                f"--reference {path} is {size(reference)} and {source} is {size(picture)}{hint(picture)}: "
                "give the true picture, of the same size and channels"
            )
        return reference.pixels


def _noise(prepared: Prepared, kind: "NoiseModel") -> "NoiseModel | None":
    """What is noise of this kind in a picture, and not its texture."""
    from alr_cli.core.noise.estimation import estimate_noise
    from alr_cli.core.noise.kind import sigma_of_kind

    found = estimate_noise(prepared.picture.pixels, prepared.missing)
    if found is None or found.nominal == 0:
        return found
    return found.scaled(sigma_of_kind(found, kind) / found.nominal)


def _estimate(prepared: Prepared) -> float | None:
    from alr_cli.core.noise.white import estimate_sigma

    if prepared.noise is not None:
        return prepared.noise.nominal
    sigma = estimate_sigma(prepared.picture.pixels, prepared.missing)
    return sigma if math.isfinite(sigma) else None


def _doubts(given: float | None, estimate: float | None) -> tuple[str, ...]:
    if not given or estimate is None:  # sigma 0 is a decision, not a guess
        return ()
    ratio = max(given, NOISE_FLOOR) / max(estimate, NOISE_FLOOR)
    if 0.5 <= ratio <= 2:
        return ()
    return (f"sigma {given:.3g} was given and the picture looks like {estimate:.3g}: try --sigma auto",)
