"""What the trainings for tomography share: slices of one size, and weights without a fit."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from alr_cli.cli.options.training_data import DataOptions
from alr_cli.cli.report.records import Report
from alr_cli.cli.train.inputs import TrainingData
from alr_cli.cli.train.prior_session import PriorSession
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.core.training.likelihood import at_size
from alr_cli.core.training.reconstructions import measured_slice
from alr_cli.core.training.validation import Validation
from alr_cli.errors import InputError
from alr_cli.files.folders import PictureFolder, load_folder
from alr_cli.files.scans import EXTENSIONS, read_scan
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


@dataclass(frozen=True)
class Measured:
    """The sinograms of a folder.

    Attributes:
        slices: (m, 1, N, N), their filtered backprojections.
        levels: The lowest and the highest noise level per pixel.
        digest: SHA-256 over names and numbers.
    """

    slices: Tensor
    levels: tuple[float, float]
    digest: str


def read_sinograms(folder: Path, angles: int, side: int) -> Measured:
    """Read all sinograms of a folder. Raises InputError for one that has another number of angles."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder: give a folder of sinograms")
    slices, levels, digest = list[Tensor](), list[float](), hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in EXTENSIONS:
            continue
        for sinogram in read_scan(path).sinograms:
            if len(sinogram) != angles:
                raise InputError(
                    f"{path} has {len(sinogram)} rows, but --geometry says {angles} angles: a row is an angle"
                )
            found, level = measured_slice(sinogram, side)
            if not math.isfinite(level) or not bool(torch.isfinite(found).all()):
                raise InputError(f"{path} has numbers that are not finite: leave it out")
            slices.append(found)
            levels.append(level)
        digest.update(path.name.encode() + path.read_bytes())
    if len(slices) < FEWEST:
        raise InputError(f"{folder} has {len(slices)} sinograms: give at least {FEWEST}")
    return Measured(torch.stack(slices)[:, None], (min(levels), max(levels)), digest.hexdigest())


class ScannedSession(PriorSession):
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
