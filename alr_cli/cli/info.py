"""`alr info`: describe a picture, a stack, a weights file or the installation, on stdout."""

import math
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from alr_cli.cli.doctor import installation
from alr_cli.cli.options.common import Debug, Json, ReportOptions
from alr_cli.cli.options.values import Range, parse_range, whole
from alr_cli.cli.report.records import Report, json_line, printable
from alr_cli.cli.report.viewer import check_plot
from alr_cli.cli.streams import Streams
from alr_cli.errors import PartialFailure, UsageError

if TYPE_CHECKING:
    from alr_cli.core.noise.model import NoiseModel
    from alr_cli.files.pictures import Picture
    from alr_cli.files.ranges import Choice
    from alr_cli.files.stack import Stack

Facts = dict[str, Any]

MODEL = "model"  # read by --noise FILE; hundreds of numbers, which are only for programs


def info(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE|WEIGHTS...]",
            help="Pictures, - for stdin, weights files or names of shipped weights. Without any, the"
            " installation is described.",
            show_default=False,
        ),
    ] = None,
    *,
    page: Annotated[
        int | None,
        typer.Option(
            "--page",
            metavar="N",
            parser=whole("--page", least=1),
            help="Which picture of a file with several pictures, counted from 1.",
        ),
    ] = None,
    range: Annotated[
        Range | None,
        typer.Option(
            "--range",
            metavar="LO:HI",
            parser=parse_range,
            help="The numbers of the file that mean black and white. Noise levels are relative to their "
            "difference. By default they are found from the file's tags or its numbers.",
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE.png",
            help="Plot the noise of one picture against brightness, and its correlation (needs matplotlib).",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the plot if it exists.")] = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Describe a picture, a weights file, or the installation.

    Examples:

      alr info photo.jpg --plot noise.png
      alr info color-paper
      alr info frames/*.png --json | jq .sigma_estimated
      alr info

    The last one lists versions, device, processor, folders and weights. Please
    include its output in a bug report.
    """
    streams: Streams = ctx.obj
    if not names:
        if plot is not None:
            raise UsageError(f"--plot {plot} draws the noise of a picture: name a picture")
        facts = installation()
        text = json_line(facts) if json else _table(facts)
        streams.write_stdout(f"{text}\n".encode())
        return
    drawing = _Drawing(plot)
    drawing.check(names, overwrite)
    report = Report(streams, ReportOptions(debug=debug))
    failed = 0
    for name in names:
        try:
            facts = _facts(name, streams, page, drawing, "found" if range is None else range.pair)
        except Exception as error:  # one bad file does not stop the others
            if len(names) == 1:
                raise
            report.fail(name, error)
            failed += 1
            continue
        text = json_line(facts) if json else _shown(name, facts)
        streams.write_stdout(f"{text}\n".encode())
    if drawing.write():
        report.say(f"{plot} written")
    if failed:
        raise PartialFailure(f"{failed} of {len(names)} files failed: see above")


class _Drawing:
    """The plot that --plot asks for."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._data: bytes | None = None

    def check(self, names: list[str], overwrite: bool) -> None:
        """Refuse what cannot be drawn before any work. Raises UsageError or OutputError."""
        if self._path is not None:
            if len(names) != 1:
                raise UsageError(f"--plot shows one picture and there are {len(names)}: name one")
            check_plot("--plot", self._path, overwrite)

    def show(self, model: "NoiseModel | None", name: str) -> None:
        """Draw the noise. Raises UsageError if there is nothing to draw."""
        if self._path is None:
            return
        if model is None:
            raise UsageError(f"the noise of {name} cannot be drawn: it is too small, or not a picture")
        from alr_cli.bench.figures.noise import draw

        self._data = draw(model)

    def write(self) -> bool:
        """Write the plot, and return whether there was one. Raises OutputError."""
        if self._path is None or self._data is None:
            return False
        from alr_cli.files.atomic import write_atomic

        write_atomic(Path(self._path), self._data)
        return True


def _facts(name: str, streams: Streams, page: int | None, drawing: _Drawing, range: "Choice") -> Facts:
    from alr_cli.files.pictures import decode, read_picture
    from alr_cli.files.stack import opened_stack
    from alr_cli.files.weights import SUFFIX, check_name, shipped_names

    if page is None and name != "-":
        with opened_stack(Path(name)) as stack:
            if stack is not None:
                stack = stack.in_range(range)
                noise = _noise(stack.head())
                drawing.show(noise, name)
                return stack_facts(name, stack, noise)
    if name == "-":
        picture = decode(streams.read_stdin(), "stdin", page=page, allow_nan=True, range=range)
    elif PurePath(name).suffix == SUFFIX or (name in shipped_names() and not Path(name).exists()):
        drawing.show(None, name)
        return weights_facts(name)
    else:
        check_name(name)
        picture = read_picture(name, page=page, allow_nan=True, range=range)
    noise = _noise(picture)
    drawing.show(noise, name)
    return picture_facts(name, picture, noise)


def _noise(picture: "Picture") -> "NoiseModel | None":
    from alr_cli.cli.restore.masks import from_nan
    from alr_cli.core.noise.finding import Kind, noise_of_kind

    found = noise_of_kind(Kind.CORRELATED, picture.pixels, from_nan(picture))
    return found.model if found.kind is Kind.CORRELATED else None


def picture_facts(name: str, picture: "Picture", noise: "NoiseModel | None") -> Facts:
    """What is known of a decoded picture. Its noise is described both as white noise and as a model of camera
    noise."""
    import numpy as np

    from alr_cli.cli.restore.masks import from_nan
    from alr_cli.cli.restore.noise import sentence
    from alr_cli.core.noise.finding import find_noise
    from alr_cli.core.noise.white import estimate_sigma
    from alr_cli.files.exif import ORIENTATION as TAG
    from alr_cli.files.exif import read_block
    from alr_cli.files.weights import load_level_finder

    missing = from_nan(picture)
    block = read_block(picture.exif) if picture.exif else None
    orientation = block[1][TAG].numbers(block[0]) if block and TAG in block[1] else ()
    sigma = estimate_sigma(np.where(missing[..., None], 0, picture.pixels), missing)
    return {
        "file": name,
        "kind": "picture",
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
        "channels": picture.channels,
        "depth": picture.depth,
        "range": list(picture.range) if picture.range else None,
        "alpha": picture.alpha is not None,
        "profile": _profile(picture.icc) if picture.icc else None,
        "orientation": int(orientation[0]) if orientation else None,
        "dpi": list(picture.dpi) if picture.dpi else None,
        "sigma_estimated": sigma if math.isfinite(sigma) else None,
        "noise_found": sentence(find_noise(picture.pixels, missing, load_level_finder())),
        "noise": None if noise is None else _noise_facts(noise),
        "notes": list(picture.notes),
    }


def stack_facts(name: str, stack: "Stack", noise: "NoiseModel | None") -> Facts:
    """What the directories of a stack say, and what is known of its first plane."""
    facts = picture_facts(name, stack.head(), noise)
    axes = {axis: length for axis, length in zip(stack.axes, stack.lengths, strict=True) if axis != "I"}
    about = {"dialect": stack.dialect, "planes": len(stack), "axes": axes or None}
    return facts | {
        "kind": "stack",
        **about,
        "notes": [*facts["notes"], "the noise is that of the first plane"],
    }


def _noise_facts(noise: "NoiseModel") -> Facts:
    return {
        "sigma": noise.nominal,
        "neighbours_correlate_by": noise.neighbours,
        "brightness": [round(float(each), 4) for each in noise.brightness],
        "sigma_by_channel_and_brightness": noise.as_dict()["sigma"],
        MODEL: noise.as_dict(),
    }


def weights_facts(name: str) -> Facts:
    """What the header of a weights file says."""
    from alr_cli.files.weights import locate, read_metadata

    metadata = read_metadata(name)
    return {"file": str(locate(name)), "kind": "weights", **metadata}


def _profile(icc: bytes) -> str:
    import io

    from PIL import ImageCms

    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except (ImageCms.PyCMSError, OSError):
        return f"{len(icc)} bytes"


def _shown(name: str, facts: Facts) -> str:
    """The facts as text for people. Of weights and noise it contains only the most important numbers."""
    if facts["kind"] == "weights":
        from alr_cli.cli.report.weights_summary import summary

        return "\n".join(map(printable, summary(name, Path(facts["file"]), facts).splitlines()))
    noise = facts["noise"]
    if noise is not None:
        levels = [level for channel in noise["sigma_by_channel_and_brightness"] for level in channel]
        words = (
            f"sigma {noise['sigma']:.4g}, {min(levels):.3g} to {max(levels):.3g} by brightness and channel"
        )
        facts = facts | {"noise": f"{words}; neighbours correlate by {noise['neighbours_correlate_by']:.2f}"}
    return _table(facts)


def _table(facts: Facts) -> str:
    """One line for each fact; nested facts are indented."""
    lines = []
    for key, value in facts.items():
        if isinstance(value, dict):
            lines.append(f"{key}:")
            lines += [f"  {inner}: {_said(item)}" for inner, item in value.items() if inner != MODEL]
        else:
            lines.append(f"{key}: {_said(value)}")
    return "\n".join(lines)


def _said(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return (
            ", ".join(f"({_said(each)})" if isinstance(each, list) else _said(each) for each in value)
            or "none"
        )
    return printable(str(value))
