"""lam(sigma) = arg max_lam PSNR(x*(lam), x) on validation pictures, for the baselines as for the critic

    python -m alr_cli.bench.tuning FOLDER      prints the curves of tuned.py and the PSNR each point reached

The middles, 160 x 160, of four pictures spread over the folder, in colour and as luma; noise unclipped,
seed 0; deblurring with gaussian:7:3, inpainting with half of the pixels missing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from alr_cli.bench import baselines, total_variation
from alr_cli.bench.bundled import middle
from alr_cli.bench.degradations import Observation, Pixels, observe
from alr_cli.bench.metrics import psnr
from alr_cli.bench.settings import Setting
from alr_cli.bench.tuned import kind
from alr_cli.core.calibration import maximise_in_log
from alr_cli.files.pictures import read_picture

COUNT, SIDE = 4, 160
DENOISE = tuple(Setting("denoise", sigma) for sigma in (0.05, 0.1, 0.2, 0.4))
DEBLUR = tuple(Setting("deblur", s, kernel="gaussian:7:3", boundary="valid") for s in (0.01, 0.03, 0.1))
INPAINT = tuple(Setting("inpaint", sigma, missing=0.5) for sigma in (0.01, 0.05, 0.2))

Restore = Callable[[Observation, float], Pixels]
TUNED: tuple[tuple[str, Restore, tuple[Setting, ...], float], ...] = (
    ("tv", total_variation.restore, DENOISE, 0.04),
    ("tv", total_variation.restore, DEBLUR, 0.001),
    ("tv", total_variation.restore, INPAINT, 0.004),
    ("chambolle", baselines.chambolle_with, DENOISE, 0.05),
    ("wiener", baselines.wiener_with, DEBLUR, 0.01),
)


def crops(paths: list[Path], count: int = COUNT, side: int = SIDE) -> list[tuple[str, Pixels]]:
    """(name, pixels): the middles of `count` of the pictures, evenly spread over the list."""
    chosen = [paths[index * len(paths) // count] for index in range(count)]
    return [(path.name, middle(read_picture(path).pixels, side)) for path in chosen]


def gray(pixels: Pixels) -> Pixels:
    """Luma of a colour picture (ITU-R BT.601), (H, W, 1)."""
    return np.asarray(pixels @ np.array([[0.299], [0.587], [0.114]], np.float32))


def tune(
    restore: Restore, setting: Setting, pictures: list[tuple[str, Pixels]], start: float
) -> tuple[float, float]:
    """The parameter of the highest mean PSNR over the pictures, and that PSNR; start: a guess."""
    observations = [observe(clean, name, setting) for name, clean in pictures]

    tried: dict[float, float] = {}

    def quality(value: float) -> float:
        scores = [psnr(observation.clean, restore(observation, value)) for observation in observations]
        tried[value] = float(np.mean([score for score in scores if score is not None]))
        return tried[value]

    quality(maximise_in_log(quality, start, refinements=2))
    # A descent that ends early makes the curve rough, and the parabola can miss: take the best that was seen.
    best = max(tried, key=lambda value: tried[value])
    return best, tried[best]


def main(folder: str) -> None:
    """Print the body of tuned.CURVES."""
    colour = crops(sorted(Path(folder).glob("*.png")))
    for pictures in (colour, [(name, gray(pixels)) for name, pixels in colour]):
        for method, restore, settings, start in TUNED:
            points, reached = [], []
            for setting in settings:
                start, score = tune(restore, setting, pictures, start)
                points.append(f"({setting.sigma:g}, {start:.3g})")
                reached.append(f"{score:.2f}")
            name = kind(method, settings[0].task, pictures[0][1].shape[2])
            sys.stdout.write(
                f'    "{name}": LambdaCurve(({", ".join(points)})),  # {", ".join(reached)} dB\n'
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
