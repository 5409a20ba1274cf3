"""Turn inputs into (input, output) jobs. Name collisions and existing outputs are refused before any work is
done."""

import os
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from alr_cli.cli.options.files import FileOptions
from alr_cli.cli.ranks import Rank
from alr_cli.cli.restore.contents import kind_of
from alr_cli.cli.restore.sources import Source, find_sources
from alr_cli.cli.streams import Streams
from alr_cli.errors import AlrError, InputError, OutputError, UsageError
from alr_cli.files.sniff import HEAD, Format, format_of_name, sniff

SUFFIXES: dict[Format, str] = {
    "png": ".png",
    "jpeg": ".jpg",
    "tiff": ".tif",
    "webp": ".webp",
    "bmp": ".bmp",
    "pnm": ".pnm",
}


@dataclass(frozen=True)
class Job:
    """One picture to restore.

    Attributes:
        source: Where it is read.
        target: Where it is written; None is stdout.
        format: The format of the output; None follows the picture that is read.
        skip: Whether its output exists and is to be kept.
        problem: Why it cannot be restored, if that is already known.
    """

    source: Source
    target: Path | None
    format: Format | None
    skip: bool = False
    problem: AlrError | None = None

    @property
    def output(self) -> str:
        return "-" if self.target is None else str(self.target)

    @property
    def done(self) -> bool:
        """Whether the output exists now and is a regular file."""
        return self.target is not None and kind_of(self.target) == "file"


class Skip(Exception):
    """The output of a job exists and is to be kept.

    Attributes:
        meanwhile: The output appeared after the batch began, so another process works on the same pictures.
    """

    def __init__(self, meanwhile: bool = False) -> None:
        super().__init__()
        self.meanwhile = meanwhile


class Remaining:
    """The jobs that are still to do, in order. After `scatter` they come in random order."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = list(jobs)
        self._scattered = False

    def __iter__(self) -> Iterator[Job]:
        while self._jobs:
            yield self._jobs.pop(random.randrange(len(self._jobs)) if self._scattered else 0)

    def scatter(self) -> None:
        """Continue in random order. Two processes that work on the same pictures in step would do each one
        twice."""
        self._scattered = True


@dataclass(frozen=True)
class Plan:
    """The jobs of a batch in order, and sentences about what was left out."""

    jobs: list[Job]
    notes: tuple[str, ...]


def plan(
    inputs: list[str],
    options: FileOptions,
    *,
    command: str,
    streams: Streams,
    json_on_stdout: bool = False,
    reads: Iterable[str | None] = (),
    report: str | None = None,
    rank: Rank = Rank(),  # noqa: B008 - immutable
) -> Plan:
    """The jobs that the command line describes.

    Args:
        inputs: What was typed: pictures, folders, or `-`.
        options: How outputs are named and written.
        command: Name of the command, for default output names.
        streams: The standard streams.
        json_on_stdout: Whether stdout is used for JSON lines.
        reads: Other files that the command reads. No output may replace them.
        report: A file that the command appends to. It must not be one of the files that are read.
        rank: This process among several that share the jobs; only its own jobs are returned.

    Raises:
        UsageError, InputError, OutputError: The jobs cannot be done as described.
    """
    folder = _output_folder(options.output)
    found = find_sources(inputs, recursive=options.recursive, suffix=options.suffix, output=folder)
    sources = found.sources
    folders = any(text != "-" and kind_of(Path(text)) == "folder" for text in inputs)
    several = len(inputs) > 1 or folders
    if several and options.output is not None and folder is None:
        raise UsageError(f"several inputs need a folder: end it with a slash, -o {options.output}/")
    if options.output is None and options.suffix is None and folders:
        raise UsageError(
            "a folder of pictures needs a place for its outputs: give -o FOLDER/ or --suffix _clean"
        )
    if _goes_to_stdout(inputs[0], several, options, streams, json_on_stdout):
        _check_stdout(sources[0], streams, json_on_stdout)
        jobs = [Job(sources[0], None, options.format, problem=sources[0].problem)]
    else:
        jobs = [_job(source, folder, options, command) for source in sources]
    sacred = _read_files(sources, reads)
    if report is not None and _identity(Path(report)) in sacred:
        raise OutputError(f"the report {report} is also read by this command: choose another name")
    if report is not None:
        sacred[_identity(Path(report))] = report
    _check_targets(jobs, options, sacred)
    if options.shard is not None:
        jobs = [job for job in jobs if options.shard.has(job.source.relative)]
    jobs = rank.share(jobs)  # outputs that other processes have written meanwhile do not matter
    _check_existing(jobs, options)
    return Plan([_skip_existing(job, options) for job in jobs], found.notes)


def _output_folder(output: str | None) -> Path | None:
    if output is None or output == "-" or not (output.endswith("/") or kind_of(Path(output)) == "folder"):
        return None
    return Path(output)


def _goes_to_stdout(
    first: str, several: bool, options: FileOptions, streams: Streams, json_on_stdout: bool
) -> bool:
    if options.output == "-":
        if several:
            raise UsageError("-o - writes one picture to stdout: several inputs need a folder, -o FOLDER/")
        return True
    if options.output is not None or several:
        return False
    beside = options.suffix is not None or json_on_stdout or streams.stdout_kind == "terminal"
    return first == "-" or not beside


def _check_stdout(source: Source, streams: Streams, json_on_stdout: bool) -> None:
    if json_on_stdout:
        raise UsageError(
            "--json and the picture cannot both go to stdout: name a file with -o, or use --report"
        )
    if streams.stdout_kind == "terminal":
        raise UsageError(
            "a picture is not written to a terminal: name the output with -o, or redirect stdout"
        )
    if streams.stdout_kind == "closed":
        raise OutputError("stdout is closed: name the output with -o FILE")
    if source.path is not None and _identity(source.path) == streams.stdout_file:
        raise OutputError(f"stdout is {source} itself, the input: choose another name")


def _job(source: Source, folder: Path | None, options: FileOptions, command: str) -> Job:
    if options.output is not None and folder is None:
        target = Path(options.output)
        return Job(source, target, _format_of_file(target, options.format), problem=source.problem)
    problem = source.problem
    format = options.format or format_of_name(source.relative) or "png"
    if options.format is None and format_of_name(source.relative) is None and problem is None:
        try:
            format = _sniffed(source)
        except InputError as error:
            problem = error
    if folder is not None:
        return Job(
            source, folder / _renamed(source.relative, format, options.suffix or ""), format, problem=problem
        )
    place = source.path.parent if source.path is not None else Path()
    name = _renamed(source.relative, format, options.suffix or f".{command}").name
    return Job(source, place / name, format, problem=problem)


def _format_of_file(target: Path, wanted: Format | None) -> Format | None:
    by_name = format_of_name(target)
    if wanted is not None and by_name is not None and wanted != by_name:
        raise UsageError(f"-f {wanted} and the name {target} contradict each other: give one of them")
    if wanted is None and by_name is None and kind_of(target) != "special":
        known = ", ".join(SUFFIXES.values())
        raise OutputError(f"{target} does not name a format: end it with {known}, or give -f")
    return wanted or by_name


def _sniffed(source: Source) -> Format:
    if source.path is None or kind_of(source.path) == "special":
        return "png"
    try:
        with source.path.open("rb") as file:
            return sniff(file.read(HEAD))
    except OSError as error:
        raise InputError(f"{source} cannot be read ({error.strerror})") from error
    except InputError as error:
        raise InputError(f"{source} cannot be read: {error}") from error


def _renamed(relative: PurePath, format: Format, added: str) -> PurePath:
    """`a.png` with `added` appended to its stem, and the suffix of `format`."""
    known = format_of_name(relative)
    ending = relative.suffix if known == format else SUFFIXES[format]
    stem = relative.stem if known is not None else relative.name
    return relative.with_name(f"{stem}{added}{ending}")


def _read_files(sources: list[Source], reads: Iterable[str | None]) -> dict[object, str]:
    """Every file that is read, by identity: inputs, other files, and the partners of inputs in other
    folders."""
    paths = [source.path for source in sources if source.path is not None]
    for other in (Path(path) for path in reads if path is not None):
        in_folder = kind_of(other) == "folder"
        paths += [other / source.relative for source in sources] if in_folder else [other]
    return {_identity(path): str(path) for path in paths}


def _check_targets(jobs: list[Job], options: FileOptions, sacred: dict[object, str]) -> None:
    """Refuse two inputs with one output, an output that is also read, and a place that cannot be written."""
    taken: dict[object, Job] = {}
    for job in jobs:
        target = job.target
        into_folder = _output_folder(options.output) is not None
        if target is None or (kind_of(target) == "special" and not into_folder):
            continue
        if kind_of(target) == "special":
            raise OutputError(f"{target} is a pipe or a device and may never end: choose another folder")
        identity = _identity(target)
        if identity in sacred:
            raise OutputError(
                f"the output {target} is also read by this command ({sacred[identity]}): "
                "choose another name, another folder or --suffix"
            )
        if identity in taken:
            raise OutputError(
                f"{taken[identity].source} and {job.source} would both be written to {target}: "
                "restore them into different folders"
            )
        taken[identity] = job
        _check_place(target, into_folder=into_folder)


def _check_existing(jobs: list[Job], options: FileOptions) -> None:
    existing = [job for job in jobs if job.done]
    if existing and not (options.overwrite or options.skip_existing):
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise OutputError(
            f"{existing[0].target}{more} exists already: give --overwrite to replace it, "
            "or --skip-existing to leave it"
        )


def _check_place(target: Path, *, into_folder: bool) -> None:
    """Refuse a place that cannot be written. The folder of `-o FOLDER/` is created later; other folders must
    exist."""
    if kind_of(target) == "folder":
        raise OutputError(f"{target} is a folder: end it with a slash, or name a file in it")
    place = target.resolve().parent
    while into_folder and kind_of(place) == "missing":
        place = place.parent
    if kind_of(place) != "folder":
        raise OutputError(f"{target} cannot be written: {place} is not an existing folder; make it first")
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"{target} cannot be written: no permission in the folder {place}")


def _skip_existing(job: Job, options: FileOptions) -> Job:
    return replace(job, skip=options.skip_existing and job.done)


def _identity(path: Path) -> object:
    """A value that is equal for two names of the same file, despite links and letter case."""
    try:
        status = path.stat()
    except OSError:
        return os.path.realpath(path)
    return (status.st_dev, status.st_ino)
