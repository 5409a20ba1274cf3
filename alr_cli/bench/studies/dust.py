"""Recall, precision and PSNR of finding dust, hairs and scratches without infrared

    python -m alr_cli.bench.studies.dust PICTURES [--detector FILE] [--every N] [--offset K] [--mask-only]

Every third picture of the folder, but at most ten, receives 200 defects (the law `MEASURED` of
core/defects/drawing.py, with the number of the picture as seed), and is rounded to 8 bits. A pixel counts as
defective if a defect changes one of its channels by more than 6 of 255 levels. The mask that `alr inpaint
--mask auto` finds is compared with these pixels. It is repaired by `color-wide` with what the detector sees
below half-transparent defects. The true mask is filled by `color-wide` from its surroundings. The PSNR is
that of the whole picture. The last column is the share of pixels that are marked in the picture without
defects.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from alr_cli.bench.studies.lines import say
from alr_cli.core.defects.drawing import MEASURED, VISIBLE, damaged
from alr_cli.core.defects.finding import Finder
from alr_cli.core.defects.scores import Scores
from alr_cli.core.metrics import infinite_psnr
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.tasks import Inpainting
from alr_cli.files.pictures import read_picture
from alr_cli.files.weights import load_detector, load_weights

DEFECTS = 200
MOST = 10  # pictures
HEADER = "picture       recall  precision  PSNR damaged  found  true mask  marked of clean"

Pixels = NDArray[np.float32]


def study(paths: list[Path], finder: Finder, restorer: Restorer | None) -> Scores:
    """Print a line for each picture, and the means. Without a restorer no PSNR is measured."""
    total, gains = Scores(), list[tuple[float, float, float]]()
    say(HEADER)
    for number, path in enumerate(paths):
        clean = read_picture(path).pixels
        made = damaged(clean, DEFECTS, MEASURED, np.random.default_rng(number))
        pixels = np.asarray(np.rint(255 * made.pixels) / 255, np.float32)
        found = finder.find(pixels)
        scores = Scores.of(made.defective, found.mask, finder.mask(clean))
        total += scores
        psnrs = [math.nan] * 3
        if restorer is not None:
            tasks = Inpainting(found.mask, found.below), Inpainting(made.defective)
            repaired = [_filled(restorer, pixels, task) for task in tasks]
            psnrs = [infinite_psnr(clean, each) for each in (pixels, *repaired)]
        gains.append((psnrs[0], psnrs[1], psnrs[2]))
        say(_line(path.name, scores, gains[-1]))
    before, found, best = np.mean(gains, axis=0)
    say(_line("all", total, (before, found, best)))
    say(
        f"mean gain {found - before:.2f} dB, behind the true mask by {best - found:.2f} dB; "
        f"visible: more than {255 * VISIBLE:.0f} of 255 levels"
    )
    return total


def _filled(restorer: Restorer, pixels: Pixels, task: Inpainting) -> Pixels:
    return restorer.restore(pixels, task, 0.0).pixels if task.missing.any() else pixels


def _line(name: str, scores: Scores, psnrs: tuple[float, float, float]) -> str:
    numbers = f"{scores.recall:>8.3f} {scores.precision:>9.3f}"
    values = f"{psnrs[0]:>13.2f} {psnrs[1]:>7.2f} {psnrs[2]:>9.2f}"
    return f"{name:<12} {numbers} {values} {100 * scores.false_share:>14.4f} %"


def main(
    folder: Path, detector: str = "defects", every: int = 3, offset: int = 0, mask_only: bool = False
) -> None:
    paths = sorted(folder.glob("*.png"))[offset::every][:MOST]
    restorer = None if mask_only else Restorer(load_weights("color-wide"), Settings())
    study(paths, Finder(load_detector(detector)), restorer)


if __name__ == "__main__":
    typer.run(main)
