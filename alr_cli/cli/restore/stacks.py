"""Restore a stack: it is read, restored and written plane by plane."""

import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, BinaryIO

from alr_cli import __version__
from alr_cli.cli.options.values import Pages
from alr_cli.cli.restore.batch import Job
from alr_cli.cli.restore.destination import DEPTHS
from alr_cli.cli.restore.loading import Loaded, Loader
from alr_cli.cli.streams import Streams
from alr_cli.errors import InputError, OutputError, UsageError

if TYPE_CHECKING:
    from alr_cli.core.restoration import Restoration
    from alr_cli.core.restore import Restorer
    from alr_cli.files.kept_planes import KeptPlanes
    from alr_cli.files.pictures import Picture
    from alr_cli.files.stack import Stack

Solve = Callable[[Loaded], "tuple[Restorer, Restoration]"]


@dataclass(frozen=True)
class LoadedStack:
    """A stack whose pages were checked. No pixels have been read yet."""

    job: Job
    path: Path
    planes: int


@dataclass(frozen=True)
class RestoredStack:
    """A stack that was restored and written.

    Attributes:
        job: Where it came from and where it went.
        planes: Number of planes.
        shape: Their shape (H, W, C).
        depth: Depth of the output.
        last: The restoration of the last plane.
        weights: Name of the weights.
        sha256: Their hash.
        iterations: Sum over all planes.
        seconds: Time for all planes.
        levels: Noise levels on [0,1], one for each channel.
        estimated: Whether the levels were estimated.
    """

    job: Job
    planes: int
    shape: tuple[int, int, int]
    depth: str
    last: "Restoration"
    weights: str
    sha256: str
    iterations: int
    seconds: float
    levels: tuple[float, ...]
    estimated: bool


def find_stack(job: Job, loader: Loader) -> LoadedStack | None:
    """The stack of a job, or None for a single picture. Raises AlrError or Skip."""
    files, path = loader.files, job.source.path
    if path is None or job.problem is not None or files.page is not None or not path.exists():
        return None
    loader.check_still_to_do(job)
    from alr_cli.files.stack import opened_stack  # imports NumPy, which is not needed for a missing file

    with opened_stack(path, files.max_pixels) as stack:
        if stack is None and files.pages is not None:
            first, last = files.pages.first, files.pages.last
            raise InputError(
                f"{path} is not a stack, but --pages asks for pages {first} to {last}: leave --pages out"
            )
        if stack is None:
            return None
        part = _part(stack, files.pages)
    if job.format not in (None, "tiff"):
        raise OutputError(
            f"{job.output} can hold one picture and {path} has {len(part)}: write a TIFF with -o or "
            "-f tiff, or select one picture with --page"
        )
    if files.crop is not None:
        raise UsageError(f"--crop is for single pictures and {path} is a stack: select one with --page")
    if files.reference is not None:
        raise UsageError(
            f"--reference is for single pictures and {path} is a stack: select one picture with --page"
        )
    return LoadedStack(job, path, len(part))


def _part(stack: "Stack", pages: Pages | None) -> "Stack":
    try:
        return stack if pages is None else stack.only(pages.first, pages.last)
    except InputError as error:
        raise InputError(f"{stack.path}: {error}") from error


def restore_stack(
    found: LoadedStack,
    loader: Loader,
    solve: Solve,
    say: Callable[[str], None],
    begin_plane: Callable[[str], None],
    work: dict[str, object],
) -> RestoredStack:
    """Restore a stack plane by plane. The output appears when it is complete.

    Args:
        found: The stack.
        loader: Reads and checks planes.
        solve: Restores one plane.
        say: Receives notes for the user.
        begin_plane: Receives the name of each plane that is begun.
        work: What the result depends on besides the stack, for continuing an interrupted run.

    Raises:
        AlrError: The stack cannot be restored.
    """
    from alr_cli.files.stack import opened_stack
    from alr_cli.files.stack_tags import losses
    from alr_cli.files.stack_writer import write_stack

    job, files = found.job, loader.files
    started = time.perf_counter()
    with opened_stack(found.path, files.max_pixels) as whole:
        if whole is None:
            raise InputError(f"{found.path} changed while it was read: try again")
        stack = _part(whole, files.pages).in_range(files.numbers)
        head = stack.head()
        depth = head.depth if files.depth is None else DEPTHS[files.depth]
        levels = _levels(stack, job, loader)
        planes = _Planes(stack, job, loader, solve, begin_plane, levels)
        for note in (*planes.notes(), *losses(stack, head, depth, strip=files.strip)):
            say(f"{job.source}: {note}")
        status = found.path.stat()
        identity = {"input": str(found.path), "bytes": status.st_size, "changed": status.st_mtime_ns}
        if files.range is None and isinstance(stack.numbers, tuple):
            low, high = stack.numbers
            say(f"{job.source}: black and white of its planes are {low:.6g}:{high:.6g} (see --range)")
        of_planes = {"version": __version__, "pages": str(stack.chosen), "levels": sorted(levels.items())}
        of_planes["range"] = str(stack.numbers)
        with _kept(job, loader, identity | of_planes | work, head.shape, say) as kept:
            with _output(job, loader.streams) as file:
                write_stack(file, stack, planes.restored(kept), depth, strip=files.strip)
            if kept is not None:
                kept.close(done=True)
    restorer, last = planes.last
    return RestoredStack(
        job=job,
        planes=len(stack),
        shape=head.shape,
        depth=depth,
        last=last,
        weights=restorer.weights.name,
        sha256=restorer.weights.sha256,
        iterations=planes.iterations,
        seconds=time.perf_counter() - started,
        levels=tuple(levels.values()) or (last.sigma,),
        estimated=loader.sigma is None,
    )


class _Planes:
    """The planes of a stack, restored one by one on demand.

    `levels` maps channels to noise levels. It is empty if each plane has its own level.
    """

    def __init__(
        self,
        stack: "Stack",
        job: Job,
        loader: Loader,
        solve: Solve,
        begin: Callable[[str], None],
        levels: dict[int, float],
    ) -> None:
        self._stack, self._job, self._loader = stack, job, loader
        self._solve, self._begin, self._levels = solve, begin, levels
        self._done: tuple[Restorer, Restoration] | None = None
        self.iterations = 0

    @property
    def last(self) -> "tuple[Restorer, Restoration]":
        assert self._done is not None
        return self._done

    def notes(self) -> list[str]:
        """Notes that hold for all planes, from the first one."""
        loaded = self._load(0)[1]
        prepared = loaded.prepared
        if prepared.result.shape != prepared.picture.shape:
            raise UsageError(
                f"planes of a stack keep their size, and {self._job.source} is a stack: "
                "select one with --page"
            )
        if prepared.enlarged is not None:
            raise UsageError(
                f"{self._job.source} has {len(self._stack)} planes, and a stack keeps its size: "
                "select one of them with --page"
            )
        told = [*prepared.picture.notes, *prepared.notes]
        told += [f"warning: {text}" for text in loaded.warnings]
        axes = f" ({self._stack.described})" if self._stack.axes != "I" else ""
        said = [f"{len(self._stack)} planes{axes}", *told]
        if self._loader.sigma is None and self._levels:
            known = ", ".join(f"{level:.3g}" for level in self._levels.values())
            said.append(
                f"sigma {known} (estimated, of {'each channel' if len(self._levels) > 1 else 'all planes'})"
            )
        return said

    def restored(self, kept: "KeptPlanes | None") -> Iterator["Picture"]:
        for index in range(len(self._stack)):
            if kept is not None and index < kept.count and index + 1 < len(self._stack):
                yield self._stack.plane(index, allow_nan=True).with_pixels(kept.read(index))
                continue
            self._begin(f"{self._job.source.relative.name} {index + 1}/{len(self._stack)}")
            plane, loaded = self._load(index)
            self._done = self._solve(loaded)
            self.iterations += self._done[1].iterations
            pixels = self._done[1].pixels
            if kept is not None and index >= kept.count:
                kept.add(pixels)
            yield plane.with_pixels(pixels)

    def _load(self, index: int) -> "tuple[Picture, Loaded]":
        """The plane as stored, and the plane as it is restored. Descriptions belong to the stack and not to
        the plane."""
        plane = self._stack.plane(index, allow_nan=self._loader.task.allow_nan)
        level = self._levels.get(self._stack.channel(index), self._loader.sigma)
        return plane, replace(self._loader, sigma=level).load(self._job, replace(plane, exif=None))


def _levels(stack: "Stack", job: Job, loader: Loader) -> dict[int, float]:
    """One noise level for each channel, the median over some of its planes. Empty if the level is given, or
    if each plane has its own."""
    if loader.sigma is not None or loader.files.per_plane:
        return {}
    from alr_cli.files.stack import SAMPLED

    channels: dict[int, list[int]] = defaultdict(list)
    for index in range(len(stack)):
        channels[stack.channel(index)].append(index)
    levels = {}
    for channel, indices in channels.items():
        chosen = indices[:: max(len(indices) // SAMPLED, 1)][:SAMPLED]
        planes = (stack.plane(index, allow_nan=loader.task.allow_nan) for index in chosen)
        levels[channel] = median(loader.load(job, replace(plane, exif=None)).sigma for plane in planes)
    return levels


@contextmanager
def _output(job: Job, streams: Streams) -> Iterator[BinaryIO]:
    """A file to write into, which becomes the output of the job when it is complete."""
    from alr_cli.files.atomic import atomic_file

    if job.target is not None:
        try:
            job.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"folder {job.target.parent} cannot be made ({error.strerror})") from error
        with atomic_file(job.target) as file:
            yield file
        return
    with tempfile.TemporaryFile() as file:
        yield file
        file.seek(0)
        # missing in the type stubs
        while piece := file.read(shutil.COPY_BUFSIZE):  # type: ignore[attr-defined]
            streams.write_stdout(piece)


@contextmanager
def _kept(
    job: Job, loader: Loader, work: dict[str, object], shape: tuple[int, ...], say: Callable[[str], None]
) -> Iterator["KeptPlanes | None"]:
    """The planes kept for continuing an interrupted run, if --skip-existing asks for it and it is possible;
    else None."""
    from alr_cli.files.kept_planes import KeptPlanes

    if job.target is None or not loader.files.skip_existing:
        yield None
        return
    job.target.parent.mkdir(parents=True, exist_ok=True)
    kept = KeptPlanes(job.target, work, shape)
    if kept.count:
        say(f"{job.source}: continues after {kept.count} planes that are kept in {kept.path}")
    try:
        yield kept
    except BaseException:
        kept.close(done=False)
        if kept.count:
            remain = f"{kept.count} planes are kept in {kept.path}"
            say(f"{job.source}: {remain}; the same command continues from there")
        raise
