"""BM3D for correlated noise, given the spectrum that `alr denoise` finds, beside `alr denoise`

    python -m alr_cli.bench.studies.coloured_block_matching PAIRS [--side SIDE]

PAIRS holds pictures *_real.png and *_mean.png of the same scenes. The noise is found in each whole noisy
picture, and the central SIDE x SIDE (112) pixels are restored by both methods. The estimated level is used as
it is, and multiplied by the factor that is best for each picture, which needs the truth.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from alr_cli.bench.bundled import middle
from alr_cli.bench.methods.coloured_block_matching import coloured_bm3d
from alr_cli.bench.studies.lines import say
from alr_cli.core.coloured_noise import level_of
from alr_cli.core.metrics import infinite_psnr
from alr_cli.core.noise.finding import find_noise
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.tasks import Denoising
from alr_cli.files.pictures import read_picture
from alr_cli.files.weights import load_level_finder, load_weights

SIDE = 112
FACTORS = (1.0, 1.4, 2.0)  # of the level; the first is the estimate itself
HEADER = "picture                noisy   BM3D   best at   ours   best at"

Pixels = NDArray[np.float32]


def study(pairs: list[tuple[Path, Path]], side: int, restorer: Restorer) -> list[list[float]]:
    """Print a line for each pair (noisy, clean), and return its PSNR: noisy, BM3D, best BM3D, ours, best."""
    rows = []
    say(HEADER)
    for noisy, clean in pairs:
        whole = read_picture(noisy).pixels
        y, x = middle(whole, side), middle(read_picture(clean).pixels, side)
        model = find_noise(whole, finder=load_level_finder()).model
        before = infinite_psnr(x, y)
        theirs = [
            before if model is None else infinite_psnr(x, coloured_bm3d(y, model.scaled(f))) for f in FACTORS
        ]
        ours = [
            before if model is None else infinite_psnr(x, _ours(restorer, y, model.scaled(f)))
            for f in FACTORS
        ]
        rows.append([before, theirs[0], max(theirs), ours[0], max(ours)])
        say(_line(noisy.stem, before, theirs, ours))
    say("mean: " + ", ".join(f"{mean:.2f}" for mean in np.mean(rows, axis=0)))
    return rows


def _ours(restorer: Restorer, y: Pixels, model: NoiseModel) -> Pixels:
    return restorer.restore(y, Denoising(model), level_of(y, model)).pixels


def _line(name: str, before: float, theirs: list[float], ours: list[float]) -> str:
    cells = [
        f"{each[0]:6.2f} {max(each):6.2f} {FACTORS[int(np.argmax(each))]:3.1f}" for each in (theirs, ours)
    ]
    return f"{name:<22} {before:5.2f} {cells[0]} {cells[1]}"


def main(folder: Path, side: int = SIDE) -> None:
    found = sorted(folder.glob("*_real.png"))
    pairs = [(path, path.with_name(path.name.replace("_real", "_mean"))) for path in found]
    study(pairs, side, Restorer(load_weights("color-wide"), Settings()))


if __name__ == "__main__":
    typer.run(main)
