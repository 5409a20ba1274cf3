"""What the trainings on crops of clean pictures share: their folders, refusals, and pace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.cli.options.training import RunOptions
from alr_cli.cli.options.training_data import DataOptions
from alr_cli.cli.ranks import this_rank
from alr_cli.cli.report.records import Report
from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.prior_session import PriorSession
from alr_cli.core.numerics import devices
from alr_cli.core.priors.unet import UNetArchitecture
from alr_cli.core.training.patches import as_float
from alr_cli.core.training.validation import Validation
from alr_cli.errors import UsageError
from alr_cli.files.folders import PictureFolder, load_folder

if TYPE_CHECKING:
    import torch

SIDE = 64  # of the crops in pixels
ENDS = 0.05  # step size of the first and the last layer, relative to that of the others


class CroppedSession(PriorSession):
    """A training session that also reports pixels per second."""

    pixels: int  # of the crops of one step

    def pace(self, steps_per_second: float) -> dict[str, float]:
        return {**super().pace(steps_per_second), "pixels_per_second": steps_per_second * self.pixels}


def check(data: DataOptions, recipe: str) -> None:
    """Raise UsageError for what no training on clean crops can use."""
    if data.noisy_dir is not None:
        raise UsageError(
            f"--noisy-dir belongs to --recipe adversarial: {recipe} learns from clean pictures only"
        )
    if this_rank().size > 1:
        raise UsageError(f"{recipe} is trained in one process: start it without torchrun")


def check_channels(name: str, channels: int, wanted: int) -> None:
    """Raise UsageError if the prior that --init names is for other pictures."""
    if channels != wanted:
        kind = "a gray" if channels == 1 else "a colour"
        raise UsageError(f"--init {name} is {kind} prior, which --gray decides: give another")


def architecture_of(asked: Asked, width: int) -> UNetArchitecture:
    """A U-Net of the width that was asked for, or of the usual one. Raises UsageError."""
    try:
        return UNetArchitecture.of_width(asked.channels, asked.critic.width or width)
    except ValueError as error:
        raise UsageError(str(error)) from error


def check_side(side: int, stride: int) -> None:
    """Raise UsageError if a U-Net cannot see crops of this side."""
    if side % stride:
        raise UsageError(f"--size {side} is not a multiple of {stride}: choose a size that is")


def load_folders(
    data: DataOptions, channels: int, side: int, report: Report
) -> tuple[PictureFolder, PictureFolder | None]:
    """The clean pictures, and those of --val-dir. Files that are left out are reported as warnings. Raises
    InputError."""
    range = data.black_and_white
    clean = load_folder(Path(data.clean_dir), channels, side, data.exclude or (), range)
    val = None if data.val_dir is None else load_folder(Path(data.val_dir), channels, side, range=range)
    for sentence in (*clean.skipped, *(val.skipped if val is not None else ())):
        report.warn(f"left out: {sentence}")
    return clean, val


def read_folders(
    data: DataOptions, channels: int, side: int, report: Report
) -> tuple[PictureFolder, Validation]:
    """The clean pictures, and the validation crops of --val-dir or of these. Raises InputError."""
    clean, val = load_folders(data, channels, side, report)
    return clean, Validation.from_pictures([as_float(picture) for picture in (val or clean).pictures])


def prepare_device(run: RunOptions) -> tuple[torch.device, bool]:
    """The device of the options, and whether layers run in bfloat16. Sets the number of threads."""
    device = devices.choose(run.device)
    devices.set_threads(run.threads)
    precision = devices.choose_precision(run.precision, device)
    return device, devices.precision_name(precision) == "bfloat16"
