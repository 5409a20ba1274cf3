"""The options of `alr inpaint --mask auto`, and how it is run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from alr_cli.cli.options.common import RESTORATION, ComputeOptions, ModelOptions, ReportOptions
from alr_cli.cli.options.files import FileOptions
from alr_cli.cli.options.values import number
from alr_cli.cli.report.viewer import Viewer, ViewerOptions
from alr_cli.cli.restore.dust import FindsDust, InpaintDust
from alr_cli.cli.streams import Streams
from alr_cli.errors import InputError, UsageError


@dataclass(frozen=True, kw_only=True)
class DustOptions:
    """How dust is found."""

    infrared: Annotated[
        str | None,
        typer.Option(
            "--infrared",
            metavar="FILE",
            rich_help_panel=RESTORATION,
            help="With --mask auto: the infrared channel of a film scan, which shows the dust. In a "
            "folder the file of the same name is used. alpha: the fourth channel of the picture"
            " itself.",
        ),
    ] = None
    sensitivity: Annotated[
        float | None,
        typer.Option(
            "--sensitivity",
            metavar="X",
            parser=number("--sensitivity", above=0),
            rich_help_panel=RESTORATION,
            show_default="1",
            help="With --mask auto and no --infrared: factor of the odds that a pixel is dust. 10 marks "
            "more, 0.1 marks less.",
        ),
    ] = None
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            metavar="FILE",
            rich_help_panel=RESTORATION,
            show_default="defects",
            help="With --mask auto and no --infrared: weights of alr train --recipe defects.",
        ),
    ] = None
    save_mask: Annotated[
        str | None,
        typer.Option(
            "--save-mask",
            metavar="FILE.png",
            rich_help_panel=RESTORATION,
            help="With --mask auto: write the mask that was found. It can be edited and passed back "
            "with --mask.",
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.infrared is not None and (self.sensitivity is not None or self.detector is not None):
            raise UsageError("--infrared needs no --sensitivity and no --detector: leave them out")

    def refuse(self) -> None:
        """Raise UsageError if one of these options was given."""
        given = {
            "--infrared": self.infrared,
            "--sensitivity": self.sensitivity,
            "--detector": self.detector,
            "--save-mask": self.save_mask,
        }
        wrong = [name for name, value in given.items() if value is not None]
        if wrong:
            raise UsageError(f"{wrong[0]} belongs to --mask auto: leave it out")


def inpaint_dust(
    dust: DustOptions,
    grow: int,
    inputs: list[str],
    sigma: float | None,
    streams: Streams,
    files: FileOptions,
    model: ModelOptions,
    compute: ComputeOptions,
    reports: ReportOptions,
) -> None:
    """Find and fill dust. Without a sigma the pixels that are not marked stay as they are."""
    from alr_cli.cli.restore.infrared import ALPHA, ByInfrared

    file = dust.infrared if dust.infrared != ALPHA else None
    if file is not None and not Path(file).exists():
        raise InputError(f"--infrared {file} does not exist: check the path")
    finder: FindsDust
    if dust.infrared is not None:
        finder = ByInfrared(dust.infrared, files.max_pixels)
    else:
        from alr_cli.cli.restore.detected import SHIPPED, ByDetector
        from alr_cli.files.weights import check_detector

        check_detector(dust.detector or SHIPPED)
        sensitivity = 1.0 if dust.sensitivity is None else dust.sensitivity
        finder = ByDetector(dust.detector or SHIPPED, sensitivity, model.fast, compute)
    from alr_cli.cli.restore.run import restore_all

    task = InpaintDust(finder, dust.save_mask, grow)
    viewer = Viewer(ViewerOptions(), {} if task.save is None else {"--save-mask": task.save})
    kept = 0.0 if sigma is None else sigma
    reads = (file, dust.detector)
    restore_all(task, inputs, kept, streams, files, model, compute, reports, reads=reads, viewer=viewer)
