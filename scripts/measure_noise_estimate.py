"""bias and RMS of (sigma_estimated - sigma) / sigma over a folder of clean pictures, as a Markdown table.

    python scripts/measure_noise_estimate.py --data DIR

Compares `estimate_sigma` with the median absolute deviation of the finest diagonal wavelet coefficients
(Donoho and Johnstone 1994; db2, as in skimage.restoration.estimate_sigma, mean over the channels).
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d
from scipy.special import ndtri

from alr_cli.core.noise.white import add_gaussian_noise, estimate_sigma, seed_for
from alr_cli.files.pictures import format_of_name, read_picture

Pixels = NDArray[np.floating[Any]]
Estimator = Callable[[Pixels], float]

SIGMAS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
DB2 = np.array([1 - 3**0.5, -3 + 3**0.5, 3 + 3**0.5, -1 - 3**0.5]) / (4 * 2**0.5)  # high-pass


def mad(pixels: Pixels) -> float:
    """Median |d| / 0.6745 of the non-zero diagonal coefficients d, mean over the channels."""
    diagonal = convolve1d(convolve1d(pixels.astype(np.float64), DB2, axis=0), DB2, axis=1)[::2, ::2]
    channels = [np.abs(d[d != 0]) for d in np.moveaxis(diagonal, 2, 0)]
    return float(np.mean([np.median(d) if d.size else 0.0 for d in channels]) / ndtri(0.75))


ESTIMATORS: dict[str, Estimator] = {"alr": estimate_sigma, "MAD": mad}
PROTOCOLS = ("unclipped", "clipped", "8 bits")


def degraded(clean: Pixels, sigma: float, seed: int, protocol: str) -> Pixels:
    noisy = add_gaussian_noise(clean, sigma, seed, clip=protocol != "unclipped")
    return np.round(noisy * 255) / np.float32(255) if protocol == "8 bits" else noisy


def row(pictures: dict[str, Pixels], estimator: Estimator, protocol: str) -> tuple[list[str], float]:
    """One cell for each sigma, and the seconds for one estimate."""
    cells, seconds = [], 0.0
    for sigma in SIGMAS:
        estimates = []
        for name, clean in pictures.items():
            noisy = degraded(clean, sigma, seed_for(0, name), protocol)
            start = time.process_time()
            estimates.append(estimator(noisy))
            seconds += time.process_time() - start
        if sigma == 0:
            cells.append(f"{np.mean(estimates):.4f} (max {np.max(estimates):.4f})")
        else:
            error = 100 * (np.array(estimates) / sigma - 1)
            cells.append(f"{error.mean():+.1f} / {np.sqrt((error**2).mean()):.1f}")
    return cells, seconds / len(SIGMAS) / len(pictures)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of clean colour pictures")
    folder = parser.parse_args().data
    files = sorted(path for path in folder.iterdir() if format_of_name(path))
    colour = {path.name: read_picture(path).pixels for path in files}
    gray = {name: (pixels @ LUMINANCE)[..., None] for name, pixels in colour.items()}
    heads = ["pictures", "noise", "method", "0: estimate", *(f"{sigma:g}" for sigma in SIGMAS[1:]), "ms"]
    sys.stdout.write(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n")
    for kind, pictures in {"colour": colour, "gray": gray}.items():
        for protocol in PROTOCOLS:
            for method, estimator in ESTIMATORS.items():
                cells, seconds = row(pictures, estimator, protocol)
                sys.stdout.write(
                    f"| {' | '.join([kind, protocol, method, *cells, f'{1000 * seconds:.0f}'])} |\n"
                )
                sys.stdout.flush()


if __name__ == "__main__":
    main()
