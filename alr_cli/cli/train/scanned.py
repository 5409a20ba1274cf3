"""What the trainings for tomography share: slices of one size, and weights without a fit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from alr_cli.cli.options.training_data import DataOptions
from alr_cli.cli.report.records import Report
from alr_cli.cli.train.inputs import TrainingData
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.cli.train.session import Session
from alr_cli.core.training.likelihood import at_size
from alr_cli.core.training.validation import Validation
from alr_cli.errors import InputError
from alr_cli.files.folders import PictureFolder, load_folder
from alr_cli.files.weights import save_weights

SIDE = 128
LEVELS = 0.05, 0.25  # default range of noise levels per pixel: line integrals of low and of high noise
FEWEST = 2


@dataclass(frozen=True)
class Squares:
    """The pictures of a folder, reduced to one size.

    Attributes:
        folder: The pictures as they were read.
        pixels: (n, C, N, N) on [0,1].
    """

    folder: PictureFolder
    pixels: Tensor

    def used(self, levels: tuple[float, float], count: int = 4) -> TrainingData:
        """The folder as a training describes it, with some of the pictures for validation."""
        shown = [np.asarray(picture.permute(1, 2, 0)) for picture in self.pixels]
        side = self.pixels.shape[-1]
        validation = Validation.from_pictures(shown, count=count, side=side, per_picture=1)
        return TrainingData(self.folder, None, levels, validation)


def read_squares(
    folder: str, data: DataOptions, channels: int, side: int, report: Report, fewest: int = FEWEST
) -> Squares:
    """Read a folder; larger pictures are reduced by averaging blocks. Files that are left out are reported
    as warnings. Raises InputError."""
    exclude = () if folder == data.val_dir else data.exclude or ()
    found = load_folder(Path(folder), channels, side, exclude, data.black_and_white)
    for sentence in found.skipped:
        report.warn(f"left out: {sentence}")
    if len(found) < fewest:
        raise InputError(f"{folder} has only one usable picture: give at least {fewest}")
    pixels = np.stack([at_size(picture, side) for picture in found.pictures])
    return Squares(found, torch.from_numpy(pixels.astype(np.float32) / 255))


class ScannedSession(Session):
    """A training session for tomography. The validation crops of the other recipes are for denoising, so
    that nothing is validated, and lambda is known and not fitted."""

    def validate(self, bar: TrainingBar) -> None:
        pass

    def _finish(self, output: Path) -> None:
        """Write the weights in half precision."""
        prior, curve = self.trainer.trained(), self.trainer.curve
        metadata = {
            **self.description,
            "sigma_range": list(self.pictures.levels),
            "lam": [] if curve is None else [list(point) for point in curve.points],
        }
        prior.network.half()
        digest = save_weights(output, prior, metadata)
        self.report.event({"event": "done", "output": str(output), "sha256": digest})
        self.report.say(f"wrote {output}: use it with alr reconstruct -w {output}")
