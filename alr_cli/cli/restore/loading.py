"""One picture before its restoration: read, checked against task, output and reference, its noise known."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.cli.options.files import FileOptions
from alr_cli.cli.options.noise import NoiseChoice
from alr_cli.cli.restore import destination
from alr_cli.cli.restore.batch import Job, Skip
from alr_cli.cli.restore.crop import check, cropped, part_of_result
from alr_cli.cli.restore.noise import noise_of, of_rounding
from alr_cli.cli.restore.sources import Source, partner
from alr_cli.cli.restore.task import Prepared, Task, size
from alr_cli.cli.streams import Streams
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.files.pictures import Picture
    from alr_cli.files.ranges import Choice


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
    """Reads the pictures of a batch. sigma: None estimates it for each.  noise: which kind to expect."""

    task: Task
    sigma: float | None
    files: FileOptions
    streams: Streams
    noise: NoiseChoice

    def load(self, job: Job, picture: "Picture | None" = None) -> Loaded:
        """Everything that can be done and refused without a critic. Raises AlrError, or Skip.

        picture: of the job, where it was read already.
        """
        self.check_still_to_do(job)
        if job.problem is not None:
            raise job.problem
        from alr_cli.core.gray import without_copies  # imports NumPy, which a missing file does not need

        prepared = self.task.prepare(picture or self._read(job.source), job.source)
        from alr_cli.core.gray import without_copies  # which needs NumPy: not for a file that is not there

        losses = destination.check(prepared.result, job, self.files, self.streams)
        reference = self._reference(job.source, prepared.result)
        seen = without_copies(prepared.picture.pixels)
        coded = prepared.coefficients
        if coded is None:
            noise = noise_of(
                self.noise, self.sigma, seen, prepared.unknown, prepared.picture.range or "usual"
            )
        else:
            noise = of_rounding(coded)
        if noise.sigma is None:
            raise UsageError(
                f"the noise of {job.source} cannot be estimated from so few pixels: give --sigma"
            )
        notes = (*prepared.picture.notes, *losses, *prepared.notes)
        if (crop := self.files.crop) is not None:
            if coded is not None:
                raise UsageError(f"--jpeg looks at all of {job.source}: leave --crop out")
            check(crop, prepared.picture, job.source)
            reference = None if reference is None else part_of_result(reference, prepared, crop)
            prepared = cropped(prepared, crop)
        if prepared.hidden is not None:
            share = f"{prepared.hidden.mean():.1%}".replace("%", " %")
            notes += (f"{share} of the pixels are transparent: their colours are left as they are",)
        if self.sigma is None and noise.note is not None:
            notes += (noise.note,)
        prepared = replace(prepared, noise=noise.model)
        doubts = () if noise.doubt is None else (noise.doubt,)
        return Loaded(
            *(job, prepared, noise.sigma, noise.estimate, reference),
            *(notes, (*prepared.warnings, *doubts)),
        )

    def check_still_to_do(self, job: Job) -> None:
        """Raises Skip where the output exists by now and is to be left."""
        if job.skip:
            raise Skip
        if self.files.skip_existing and job.done:
            raise Skip(meanwhile=True)

    def _read(self, source: Source) -> "Picture":
        from alr_cli.files.pictures import decode, read_picture

        limit, page, allow_nan = self.files.max_pixels, self.files.page, self.task.allow_nan
        range = self.files.numbers
        if source.path is None:
            data = self.streams.read_stdin()
            return decode(data, "stdin", max_pixels=limit, page=page, allow_nan=allow_nan, range=range)
        return read_picture(source.path, max_pixels=limit, page=page, allow_nan=allow_nan, range=range)

    def _reference(self, source: Source, picture: "Picture") -> "NDArray[np.float32] | None":
        from alr_cli.files.orientation import hint
        from alr_cli.files.pictures import read_picture

        if self.files.reference is None:
            return None
        path = partner(Path(self.files.reference), source, "--reference")
        range: Choice = picture.range or "usual"
        reference = read_picture(path, max_pixels=self.files.max_pixels, range=range)
        if reference.shape != picture.shape:
            raise UsageError(
                f"--reference {path} is {size(reference)} and {source} is {size(picture)}{hint(picture)}: "
                "give the true picture, of the same size and channels"
            )
        return reference.pixels
