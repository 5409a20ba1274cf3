"""The gain of `alr denoise --jpeg` over the decoded file

    python -m alr_cli.bench.studies.jpeg PICTURES [--side SIDE] [--count COUNT]

The pictures are the central SIDE x SIDE (160) pixels in colour of COUNT (all) pictures spread over the
folder, coded by Pillow at quality 10, 20 and 40 with chroma subsampling (4:2:0). PSNR over all three channels
is compared for the decoded file, `alr denoise` without options, total variation in place of our R with the
best weight for these pictures and this quality, and `alr denoise --jpeg`.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import torch
import typer
from PIL import Image

import alr_cli.api as alr
from alr_cli.bench.studies.tuning import crops
from alr_cli.core.data_terms import RoundedOff
from alr_cli.core.defaults import descend
from alr_cli.core.jpeg import HALF_STEP, Coefficients
from alr_cli.core.metrics import infinite_psnr
from alr_cli.core.priors.total_variation import TotalVariation
from alr_cli.core.problems import coded
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.solvers.line_search import Nmapg
from alr_cli.core.tasks import Decoding, from_batch
from alr_cli.files.jpeg_coefficients import read_coefficients
from alr_cli.files.pictures import decode
from alr_cli.files.weights import load_weights

QUALITIES = (10, 20, 40)
SIDE = 160
TV_WEIGHTS = (0.0005, 0.001, 0.002, 0.004)  # values of lambda; the best one is used


def compare(folder: Path, side: int, count: int | None) -> None:
    """Print a line for each quality."""
    restorer = Restorer(load_weights("color-wide"), Settings())
    paths = sorted(folder.glob("*.png"))
    pictures = crops(paths, count or len(paths), side)
    for quality in QUALITIES:
        decoded, plain, ours, tv = [], [], [], []
        for name, clean in pictures:
            file = _coded(clean, quality)
            seen, coefficients = decode(file).pixels, read_coefficients(file, name)
            decoded.append(infinite_psnr(clean, seen))
            plain.append(infinite_psnr(clean, alr.denoise(seen).pixels))
            restored = restorer.restore(seen, Decoding(coefficients), coefficients.level()).pixels
            ours.append(infinite_psnr(clean, restored))
            tv.append([infinite_psnr(clean, _by_variation(coefficients, lam)) for lam in TV_WEIGHTS])
        best = np.mean(tv, axis=0)
        gains = np.array(ours) - np.array(decoded)
        sys.stdout.write(
            f"quality {quality}, {len(ours)} pictures: decoded {np.mean(decoded):.2f} dB, plain "
            f"{np.mean(plain):.2f}, TV {best.max():.2f} (lambda {TV_WEIGHTS[int(best.argmax())]:g}), --jpeg "
            f"{np.mean(ours):.2f}; gain {gains.mean():.2f}, the least {gains.min():.2f}\n"
        )
        sys.stdout.flush()


def _by_variation(coefficients: Coefficients, lam: float) -> np.ndarray:
    problem = coded(coefficients, 1, coefficients.level())
    data = RoundedOff(problem.y, HALF_STEP * coefficients.level())
    x = descend(problem, data, TotalVariation(problem.y.shape[1]), lam, Nmapg(150, 1e-4)).x
    return from_batch(problem.crop(x)).clip(0, 1)


def _coded(clean: np.ndarray, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.round(255 * clean).astype(np.uint8)).save(
        buffer, "JPEG", quality=quality, subsampling=2
    )
    return buffer.getvalue()


def main(folder: Path, side: int = SIDE, count: int | None = None) -> None:
    torch.set_num_threads(1)
    compare(folder, side, count)


if __name__ == "__main__":
    typer.run(main)
