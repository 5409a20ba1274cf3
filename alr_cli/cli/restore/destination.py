"""Choose the format and depth of a restored picture, and write it."""

from typing import TYPE_CHECKING

from alr_cli.cli.options.files import FileOptions
from alr_cli.cli.restore.batch import Job, Skip
from alr_cli.cli.streams import Streams
from alr_cli.errors import OutputError

if TYPE_CHECKING:
    from alr_cli.files.pictures import Depth, Format, Picture

DEPTHS: dict[str, "Depth"] = {"8": "uint8", "16": "uint16", "float": "float32"}


def output_form(
    picture: "Picture", job: Job, options: FileOptions, streams: Streams
) -> tuple["Format", "Depth"]:
    """The format and depth to write.

    They are those that were asked for, or else those of the input. The default into a pipe, where another
    program may continue the computation, is 16-bit PNG, or TIFF for floating-point pictures.
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

    format, depth = output_form(picture, job, options, streams)
    return check_encodable(
        picture, format, depth=depth, strip=options.strip, drop_alpha=options.drop_alpha, name=_name(job)
    )


def write(picture: "Picture", job: Job, options: FileOptions, streams: Streams) -> "Depth":
    """Encode a picture, write it in one step, and return its depth.

    Raises:
        OutputError: It cannot be written.
        Skip: The output has appeared meanwhile and is to be kept.
    """
    from alr_cli.files.atomic import OutputExists
    from alr_cli.files.pictures import encode, write_atomic

    format, depth = output_form(picture, job, options, streams)
    data = encode(
        picture, format, depth=depth, strip=options.strip, drop_alpha=options.drop_alpha, name=_name(job)
    )
    if job.target is None:
        streams.write_stdout(data)
        return depth
    try:
        job.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"folder {job.target.parent} cannot be created ({error.strerror})") from error
    try:
        write_atomic(job.target, data, replace=options.overwrite)
    except OutputExists as error:
        raise (Skip(meanwhile=True) if options.skip_existing else error) from error
    return depth


def _name(job: Job) -> str:
    return "stdout" if job.target is None else job.output
