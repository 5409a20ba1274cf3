"""What two folders reveal of noise and content before a training: estimates, sentences and refusals."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from alr_cli.core.noise.blocking import VISIBLE, blockiness, shrunk
from alr_cli.core.noise.estimation import estimate_noise
from alr_cli.core.noise.model import EVEN, NoiseModel, pooled
from alr_cli.core.noise.white import estimate_sigma
from alr_cli.core.training.patches import as_float
from alr_cli.errors import InputError

if TYPE_CHECKING:
    from alr_cli.cli.report.records import Report

LEAST_NOISE = 0.8 / 255.0  # a "noisy" folder with less noise is probably a mistake
MOST_ESTIMATES = 24  # pictures of a folder that are examined; each takes half a second
LEAST_SIDE = 128  # of a clean picture after averaging


def noise_of(pictures: Sequence[np.ndarray], folder: str, report: Report) -> list[NoiseModel]:
    """The noise of each picture (H, W, C).

    Only a sample of a large folder is examined; the other pictures get the common noise of the sample.

    Raises:
        InputError: The folder has hardly any noise, or it cannot be estimated.
    """
    chosen = {(index * len(pictures)) // MOST_ESTIMATES for index in range(MOST_ESTIMATES)}
    known = {index: model for index in sorted(chosen) if (model := _noise(pictures[index])) is not None}
    if not known:
        raise InputError(f"the noise of {folder} cannot be estimated: the pictures are too small or clipped")
    common = pooled(list(known.values()))
    neighbours = common.correlation[0, 0, 0, 1]
    if not common.correlated:
        # For white noise of one level its own estimator is more accurate: it takes less texture for noise.
        white = {index: _white(pictures[index]) if common.spread < EVEN else None for index in known}
        known = {index: white[index] or model.uncorrelated() for index, model in known.items()}
        common = pooled(list(known.values()))
    levels = sorted(model.nominal for model in known.values())
    if median(levels) < LEAST_NOISE:
        raise InputError(f"{folder} has hardly any noise: are the two folders swapped?")
    report.say(
        f"noise of {folder}: {levels[0] * 255:.3g} to {levels[-1] * 255:.3g} levels of 255; "
        f"neighbours correlate by {neighbours:.2f}"
    )
    return [known.get(index, common) for index in range(len(pictures))]


def check_sides(
    noisy: Sequence[NoiseModel], clean: Sequence[np.ndarray], folder: str, report: Report
) -> None:
    """Warn if the "clean" pictures look as noisy as the noisy ones."""
    sample = [_noise(clean[(index * len(clean)) // 5]) for index in range(5)]
    levels = [model.nominal for model in sample if model is not None]
    if levels and median(levels) > median(model.nominal for model in noisy):
        report.warn(
            f"{folder} looks as noisy as the noisy folder: are the two folders swapped? "
            "(Fine texture looks like noise, too. If the pictures show fine texture, ignore this.)"
        )


def shrink_factor(pictures: Sequence[np.ndarray], folder: str, report: Report) -> int:
    """2 if clean pictures show JPEG blocks and are large enough, else 1."""
    sample = [pictures[(index * len(pictures)) // 9] for index in range(min(9, len(pictures)))]
    visible = median(blockiness(picture) for picture in sample)
    if visible < VISIBLE:
        return 1
    if min(min(picture.shape[:2]) for picture in pictures) < 2 * LEAST_SIDE:
        report.warn(f"{folder}: blocks of strong JPEG compression are visible and will be learned as clean")
        return 1
    report.say(f"{folder}: blocks of strong JPEG compression are visible, so 2 x 2 pixels are averaged")
    return 2


def same_depth(
    clean: list[np.ndarray], noisy: list[np.ndarray], report: Report
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Both folders in 8 bits if any picture has 8 bits, so that the critic cannot learn the bit depth."""
    depths = {picture.dtype == np.uint8 for picture in (*clean, *noisy)}
    if len(depths) == 1:
        return clean, noisy
    report.say("some pictures have 8 bits and others more: all are rounded to 8")
    return [_rounded(picture) for picture in clean], [_rounded(picture) for picture in noisy]


def shrink(pictures: Sequence[np.ndarray], factor: int) -> list[np.ndarray]:
    return [shrunk(picture, factor) for picture in pictures]


def _rounded(picture: np.ndarray) -> np.ndarray:
    if picture.dtype == np.uint8:
        return picture
    return np.asarray(np.rint(picture.clip(0, 1) * 255), np.uint8)


def _noise(picture: np.ndarray) -> NoiseModel | None:
    """The noise of a picture. It is modelled as white if the picture is too small for more."""
    return estimate_noise(as_float(picture)) or _white(picture)


def _white(picture: np.ndarray) -> NoiseModel | None:
    """White noise of one level; None if it cannot be estimated from the picture (H, W, C)."""
    sigma = estimate_sigma(as_float(picture))
    return NoiseModel.white(sigma, picture.shape[2]) if sigma == sigma else None
