"""lam(sigma) = arg max_lam PSNR(x*(lam), x) on validation pictures, for baselines as for the critic

    python -m alr_cli.bench.studies.tuning FOLDER [--only METHOD]

prints the curves of methods/tuned.py and the PSNR of each point.

The pictures are the central 160 x 160 pixels of four pictures spread over the folder, in colour and as luma.
Noise is not clipped and has seed 0. Deblurring is tuned on gaussian:7:3. Circular blurs are tuned on a box, a
Gaussian and a motion like those of the published protocol, together, on two pictures of 96 x 96 pixels.
Inpainting is tuned with half of the pixels missing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import typer

from alr_cli.bench.blurs import GS_PNP_SIGMAS
from alr_cli.bench.bundled import middle
from alr_cli.bench.degradations import Observation, Pixels, observe
from alr_cli.bench.methods import classical, deconvolution, total_variation
from alr_cli.bench.methods.tuned import kind
from alr_cli.bench.protocol import Setting
from alr_cli.core.metrics import psnr
from alr_cli.core.training.calibration import maximise_in_log
from alr_cli.files.pictures import read_picture

COUNT, SIDE = 4, 160
FEW = (2, 96)  # number and side of the crops for the three circular blurs

Restore = Callable[[Observation, float], Pixels]
Group = tuple[Setting, ...]  # settings of one noise level, which are tuned together


@dataclass(frozen=True)
class Tuned:
    """A method with a parameter to tune.

    Attributes:
        method: Its name.
        restore: (observation, parameter) -> picture.
        groups: The settings of each point of its curve.
        start: An initial guess for the first point.
        count: Number of crops.
        side: Side of the crops in pixels.
    """

    method: str
    restore: Restore
    groups: tuple[Group, ...]
    start: float
    count: int = COUNT
    side: int = SIDE


DENOISE = tuple((Setting("denoise", sigma),) for sigma in (0.05, 0.1, 0.2, 0.4))
DEBLUR = tuple((Setting("deblur", s, kernel="gaussian:7:3", boundary="valid"),) for s in (0.01, 0.03, 0.1))
CIRCULAR = tuple(
    tuple(
        Setting("deblur", sigma, kernel=kernel, boundary="circular")
        for kernel in ("box:9", "gaussian:25:1.6", "motion:17:30")
    )
    for sigma in GS_PNP_SIGMAS
)
INPAINT = tuple((Setting("inpaint", sigma, missing=0.5),) for sigma in (0.01, 0.05, 0.2))

TUNED: tuple[Tuned, ...] = (
    Tuned("tv", total_variation.restore, DENOISE, 0.04),
    Tuned("tv", total_variation.restore, DEBLUR, 0.001),
    Tuned("tv", total_variation.restore, CIRCULAR, 0.0005, *FEW),
    Tuned("tv", total_variation.restore, INPAINT, 0.004),
    Tuned("chambolle", classical.chambolle_with, DENOISE, 0.05),
    Tuned("nlm", classical.nlm_with, DENOISE, 0.03),
    Tuned("wavelets", classical.wavelets_with, DENOISE, 0.05),
    Tuned("wiener", deconvolution.wiener_with, DEBLUR, 0.01),
    Tuned("wiener", deconvolution.wiener_with, CIRCULAR, 0.01, *FEW),
    Tuned("richardson-lucy", deconvolution.richardson_lucy_with, DEBLUR, 20),
    Tuned("richardson-lucy", deconvolution.richardson_lucy_with, CIRCULAR, 20, *FEW),
)


def crops(paths: list[Path], count: int = COUNT, side: int = SIDE) -> list[tuple[str, Pixels]]:
    """Names and central pixels of `count` of the pictures, evenly spread over the list."""
    chosen = [paths[index * len(paths) // count] for index in range(count)]
    return [(path.name, middle(read_picture(path).pixels, side)) for path in chosen]


def gray(pixels: Pixels) -> Pixels:
    """Luma of a colour picture (ITU-R BT.601), (H, W, 1)."""
    return np.asarray(pixels @ np.array([[0.299], [0.587], [0.114]], np.float32))


def tune(
    restore: Restore, settings: Group, pictures: list[tuple[str, Pixels]], start: float
) -> tuple[float, float]:
    """The parameter with the highest mean PSNR over settings and pictures, and that PSNR.

    `start` is an initial guess.
    """
    observations = [observe(clean, name, setting) for setting in settings for name, clean in pictures]

    tried: dict[float, float] = {}

    def quality(value: float) -> float:
        scores = [psnr(observation.clean, restore(observation, value)) for observation in observations]
        tried[value] = float(np.mean([score for score in scores if score is not None]))
        return tried[value]

    quality(maximise_in_log(quality, start, refinements=2))
    # Solvers that stop early make the curve rough, so the fitted parabola can miss its maximum. The best
    # value that was tried is taken.
    best = max(tried, key=lambda value: tried[value])
    return best, tried[best]


def main(folder: Path, only: str | None = None) -> None:
    """Print the body of tuned.CURVES, or the curves of one method."""
    paths = sorted(folder.glob("*.png"))
    for in_colour in (True, False):
        for each in TUNED:
            if only not in (None, each.method):
                continue
            pictures = crops(paths, each.count, each.side)
            if not in_colour:
                pictures = [(name, gray(pixels)) for name, pixels in pictures]
            points, reached, start = [], [], each.start
            for settings in each.groups:
                start, score = tune(each.restore, settings, pictures, start)
                points.append(f"({settings[0].sigma:.4g}, {start:.3g})")
                reached.append(f"{score:.2f}")
            name = kind(each.method, each.groups[0][0], pictures[0][1].shape[2])
            curve = f"LambdaCurve(({', '.join(points)}))"
            sys.stdout.write(f'    "{name}": {curve},  # {", ".join(reached)} dB\n')
            sys.stdout.flush()


if __name__ == "__main__":
    typer.run(main)
