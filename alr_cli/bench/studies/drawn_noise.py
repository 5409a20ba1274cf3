"""PSNR with the noise that is found, beside that with the true model and with white noise of the same level

    python -m alr_cli.bench.studies.drawn_noise PICTURE... [--only KIND] [--side SIDE] [--restored SIDE]

Seven kinds of noise are drawn on the central 256 x 256 pixels of each picture, clipped and rounded to 8 bits,
and found there. The central 112 x 112 pixels are restored by `color-wide` with three models: white noise of
the true level, the true model, and the found one. There is a line for each kind: the mean PSNR, the loss of
the found model against the true one for each picture, and the found level relative to the true one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import typer
from numpy.typing import NDArray

from alr_cli.bench.bundled import middle
from alr_cli.bench.studies.lines import say
from alr_cli.core.coloured_noise import level_of
from alr_cli.core.metrics import infinite_psnr
from alr_cli.core.noise.field import NoiseField
from alr_cli.core.noise.finding import find_noise
from alr_cli.core.noise.model import KNOTS, LAGS, NoiseModel
from alr_cli.core.noise.white import seed_for
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.tasks import Denoising
from alr_cli.files.pictures import read_picture
from alr_cli.files.weights import load_level_finder, load_weights

SIDE, RESTORED = 256, 112
HEADER = "noise      noisy  white   true  found  loss: mean, of each picture; found / true level"

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Drawn:
    """A kind of noise.

    Attributes:
        model: Its levels and correlation.
        rows: The share of the variance that is equal along each row, in addition to the model.
    """

    model: NoiseModel
    rows: float = 0.0

    @property
    def whole(self) -> NoiseModel:
        """The model with what rows share."""
        correlation = (1 - self.rows) * self.model.correlation
        correlation[..., 0, :] += self.rows * np.eye(self.model.channels)[..., None]
        return NoiseModel(self.model.sigma, correlation)

    def add(self, clean: Pixels, seed: int) -> Pixels:
        """The picture with noise, clipped and rounded to 8 bits."""
        generator = torch.Generator().manual_seed(seed)
        field = NoiseField([self.model]).unit((1, 3, *clean.shape[:2]), generator)[0]
        if self.rows:
            shared = torch.randn(3, clean.shape[0], 1, generator=generator)
            field = (1 - self.rows) ** 0.5 * field + self.rows**0.5 * shared
        noisy = clean + self.model.sigma_at(clean) * field.permute(1, 2, 0).numpy()
        return np.asarray(np.rint(255 * noisy.clip(0, 1)) / 255, np.float32)


def gaussian(sigma: float, blur: float, shared: float, light: float = 0.0) -> NoiseModel:
    """White noise blurred by a Gaussian.

    Args:
        sigma: Its level at a brightness of 1/2.
        blur: The standard deviation of the Gaussian in pixels.
        shared: The correlation of two channels.
        light: Between 0, for one level at all brightnesses, and 1, for a variance in proportion to it.
    """
    lags = np.arange(LAGS)
    space = np.exp(-np.add.outer(lags**2, lags**2) / (4 * max(blur, 0.01) ** 2))
    channels = shared + (1 - shared) * np.eye(3)
    levels = sigma * np.sqrt(1 - light + 2 * light * np.linspace(0, 1, KNOTS))
    return NoiseModel(np.tile(levels, (3, 1)), channels[..., None, None] * space)


KINDS = {
    "camera A": Drawn(gaussian(0.02, 0.7, 0.45, 0.7)),
    "camera B": Drawn(gaussian(0.025, 1.2, 0.65)),
    "camera C": Drawn(gaussian(0.03, 0.9, 0.18)),
    "camera D": Drawn(gaussian(0.015, 1.0, 0.35, 0.5)),
    "banding": Drawn(gaussian(0.04, 0.0, 0.0), rows=0.5),
    "grain": Drawn(gaussian(0.05, 1.0, 1.0)),
    "Poisson": Drawn(NoiseModel.poisson(1 / 30, 0.0, 0.0, 3)),
}


@dataclass(frozen=True)
class Result:
    """PSNR of one picture in dB, and the found level relative to the true one."""

    noisy: float
    white: float
    true: float
    found: float
    level: float


def measure(clean: Pixels, drawn: Drawn, seed: int, restored: int, restorer: Restorer) -> Result:
    """The result of one picture (H, W, 3) with one kind of noise."""
    noisy, true = drawn.add(clean, seed), drawn.whole
    x, y = middle(clean, restored), middle(noisy, restored)
    found = find_noise(noisy, finder=load_level_finder())

    def of(model: NoiseModel | None) -> float:
        if model is None:
            return infinite_psnr(x, y)
        return infinite_psnr(x, restorer.restore(y, Denoising(model), level_of(y, model)).pixels)

    white = NoiseModel.white(level_of(y, true), 3)
    level = found.sigma if found.model is not None else 0.0
    level /= level_of(noisy, true)
    return Result(of(None), of(white), of(true), of(found.model), level)


def study(paths: Sequence[Path], kinds: Sequence[str], side: int, restored: int, restorer: Restorer) -> None:
    """Print a line for each kind of noise."""
    say(HEADER)
    for kind in kinds:
        results = [
            measure(
                middle(read_picture(path).pixels, side),
                KINDS[kind],
                seed_for(0, f"{path.stem} {kind}"),
                restored,
                restorer,
            )
            for path in paths
        ]
        say(_line(kind, results))


def _line(kind: str, results: Sequence[Result]) -> str:
    means = np.mean([(each.noisy, each.white, each.true, each.found) for each in results], axis=0)
    losses = " ".join(f"{each.true - each.found:5.2f}" for each in results)
    levels = " ".join(f"{each.level:4.2f}" for each in results)
    values = " ".join(f"{mean:6.2f}" for mean in means)
    return f"{kind:<9} {values} {means[2] - means[3]:5.2f}: {losses}; {levels}"


def main(
    pictures: list[Path], only: list[str] | None = None, side: int = SIDE, restored: int = RESTORED
) -> None:
    if unknown := sorted({*(only or ())} - {*KINDS}):
        raise typer.BadParameter(f"unknown kind {unknown[0]}: choose among {', '.join(KINDS)}")
    restorer = Restorer(load_weights("color-wide"), Settings())
    study(pictures, only or list(KINDS), side, restored, restorer)


if __name__ == "__main__":
    typer.run(main)
