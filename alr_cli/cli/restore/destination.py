"""In which format and depth a restored picture leaves, and the writing of it."""

from typing import TYPE_CHECKING

from alr_cli.cli.options.files import FileOptions
from alr_cli.cli.restore.batch import Job, Skip
from alr_cli.cli.streams import Streams
from alr_cli.errors import OutputError

if TYPE_CHECKING:
    from alr_cli.files.pictures import Depth, Format, Picture

DEPTHS: dict[str, "Depth"] = {"8": "uint8", "16": "uint16", "float": "float32"}


def form(picture: "Picture", job: Job, options: FileOptions, streams: Streams) -> tuple["Format", "Depth"]:
    """The format and depth to write.

    Those asked for, else those of the input; into a pipe, where another program may go on computing,
    PNG of 16 bits, or TIFF for float pictures.
    """
    depth = DEPTHS[options.depth] if options.depth is not None else picture.depth
    if job.format is not None:
        return job.format, depth
    if job.target is not None or streams.stdout_kind != "pipe":
        return picture.format, depth
    if depth == "float32":
        return "tiff", depth
    return "png", depth if options.depth is not None else "uint16"


def check(picture: "Picture", job: Job, options: FileOptions, streams: Streams) -> tuple[str, ...]:
    """Sentences on what `write` will leave out. Raises OutputError for what it would refuse."""
    from alr_cli.files.pictures import check_encodable

    format, depth = form(picture, job, options, streams)
    return check_encodable(
        picture, format, depth=depth, strip=options.strip, drop_alpha=options.drop_alpha, name=_name(job)
    )


def write(picture: "Picture", job: Job, options: FileOptions, streams: Streams) -> "Depth":
    """Encode the picture in memory and write it whole; returns its depth. Raises OutputError, and Skip where
    the output has appeared meanwhile and is to be left."""
    from alr_cli.files.atomic import OutputExists
    from alr_cli.files.pictures import encode, write_atomic

    format, depth = form(picture, job, options, streams)
    data = encode(
        picture, format, depth=depth, strip=options.strip, drop_alpha=options.drop_alpha, name=_name(job)
    )
    if job.target is None:
        streams.write_stdout(data)
        return depth
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"folder {job.target.parent} cannot be made ({error.strerror})") from error
    try:
        write_atomic(job.target, data, replace=options.overwrite)
    except OutputExists as error:
        raise (Skip(meanwhile=True) if options.skip_existing else error) from error
    return depth


def _name(job: Job) -> str:
    return "stdout" if job.target is None else job.output
