"""Load one picture for its restoration: read it, check it, and determine its noise."""

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
    """A picture that is ready to be restored.

    Attributes:
        job: Where it comes from and where it goes.
        prepared: The picture and what the task found out about it.
        sigma: The noise level on [0,1].
        estimate: The estimated noise level, or None if it cannot be estimated.
        reference: The true picture (H, W, C), or None.
        notes: What to tell the user.
        warnings: What to warn the user of.
    """

    job: Job
    prepared: Prepared
    sigma: float
    estimate: float | None
    reference: "NDArray[np.float32] | None"
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Loader:
    """Reads the pictures of a batch.

    Attributes:
        task: The command's part.
        sigma: The noise level on [0,1]; None estimates it for each picture.
        files: Options for reading and writing.
        streams: The standard streams.
        noise: The kind of noise to expect.
    """

    task: Task
    sigma: float | None
    files: FileOptions
    streams: Streams
    noise: NoiseChoice

    def load(self, job: Job, picture: "Picture | None" = None) -> Loaded:
        """Do everything that can be done, and refuse everything that can be refused, without a prior.

        Args:
            job: The job.
            picture: Its picture, if that was read already.

        Raises:
            AlrError: The picture cannot be restored.
            Skip: Its output exists and is to be kept.
        """
        self.check_still_to_do(job)
        if job.problem is not None:
            raise job.problem
        from alr_cli.core.gray import without_copies  # imports NumPy, which a missing file does not need

        prepared = self.task.prepare(picture or self._read(job.source), job.source)
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
                raise UsageError(f"--jpeg needs the whole of {job.source}: omit --crop")
            check(crop, prepared.picture, job.source)
            reference = None if reference is None else part_of_result(reference, prepared, crop)
            prepared = cropped(prepared, crop)
        if prepared.hidden is not None:
            share = f"{prepared.hidden.mean():.1%}".replace("%", " %")
            notes += (f"{share} of the pixels are transparent: their colours stay unchanged",)
        if self.sigma is None and noise.note is not None:
            notes += (noise.note,)
        prepared = replace(prepared, noise=noise.model)
        doubts = () if noise.doubt is None else (noise.doubt,)
        return Loaded(
            job=job,
            prepared=prepared,
            sigma=noise.sigma,
            estimate=noise.estimate,
            reference=reference,
            notes=notes,
            warnings=(*prepared.warnings, *doubts),
        )

    def check_still_to_do(self, job: Job) -> None:
        """Raise Skip if the output exists by now and is to be kept."""
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
