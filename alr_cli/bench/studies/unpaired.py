"""Make two unpaired folders from one of clean pictures: every second picture stays clean, the others get
noise

    python -m alr_cli.bench.studies.unpaired CLEAN OUTPUT [NAME...] [--seed SEED]

The noise is white, Gaussian and not clipped. Its level is constant within a picture and log-uniform over
pictures, drawn from (seed, name). The pictures NAME are left out. Critics that are trained without pairs use
such folders, see their cards.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from alr_cli.core.noise.white import add_gaussian_noise, seed_for
from alr_cli.core.training.patches import as_float
from alr_cli.errors import OutputError
from alr_cli.files.atomic import write_atomic
from alr_cli.files.folders import load_folder
from alr_cli.files.pictures import Picture, encode

SIGMAS = 0.04, 0.25


def split(clean: Path, output: Path, exclude: tuple[str, ...] = (), seed: int = 0) -> None:
    """Write output/clean and output/noisy as 32-bit TIFFs.

    Raises:
        InputError: The folder cannot be read.
        OutputError: `output` exists, or cannot be written.
    """
    folder = load_folder(clean, 3, 1, exclude)
    if output.exists():
        raise OutputError(f"{output} exists: name a new folder")
    for name in ("clean", "noisy"):
        (output / name).mkdir(parents=True)
    for index, (name, pixels) in enumerate(zip(folder.names, folder.pictures, strict=True)):
        picture, side = as_float(pixels), "clean" if index % 2 == 0 else "noisy"
        if side == "noisy":
            picture = noisy(picture, seed_for(seed, name))
        data = encode(Picture(np.ascontiguousarray(picture), "float32", "tiff"), "tiff")
        write_atomic((output / side / name).with_suffix(".tif"), data)


def noisy(picture: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """The picture with noise. (H, W, C) on [0,1]."""
    low, high = SIGMAS
    sigma = low * (high / low) ** np.random.default_rng(seed).uniform()
    return add_gaussian_noise(picture, float(sigma), seed + 1)


def main(
    clean: Path, output: Path, exclude: Annotated[list[str] | None, typer.Argument()] = None, seed: int = 0
) -> None:
    split(clean, output, tuple(exclude or ()), seed)


if __name__ == "__main__":
    typer.run(main)
