"""SSD(x*(k*), x) / SSD(x*(k), x): the accuracy of blind kernel estimation

    python -m alr_cli.bench.studies.blind_kernels PICTURES KERNELS.npz [--only free|families|sharp]

All parts use noise of 0.01 that is not clipped and whose level the estimate knows.

free: The central 255 x 255 pixels of four gray pictures spread over the folder, blurred by each motion of
Levin et al. (2009), and observed where the blur is determined. The kernel is estimated with its default size.
Both kernels are undone by `gray-wide` in the same way. A kernel is determined only up to a shift, so two
pictures are compared at the best shift in quarters of a pixel, and without 15 pixels on each side (their
protocol).

families: 40 whole colour pictures, with 13 Gaussians (sigma from 1 to 3), 13 disks (radii from 2 to 5) and 14
motions (5 to 25 pixels at any angle), drawn with seed 0.

sharp: The pictures as they are.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.ndimage import shift

from alr_cli.bench.blurs import gs_pnp
from alr_cli.bench.degradations import Observation, kernel_of, observe
from alr_cli.bench.protocol import Setting
from alr_cli.bench.studies.lines import say
from alr_cli.bench.studies.tuning import crops, gray
from alr_cli.core.blind.estimate import estimate_kernel
from alr_cli.core.blind.families import FAMILIES, fit
from alr_cli.core.blind.free_kernel import agreement
from alr_cli.core.blind.spectrum import spectrum
from alr_cli.core.noise.white import estimate_sigma
from alr_cli.core.operators.kernels import Kernel
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.errors import UsageError
from alr_cli.files.pictures import read_picture
from alr_cli.files.weights import load_weights

SIGMA = 0.01
SIDE = 255
BORDER = 15
FAMILY_PICTURES = 40


def free(folder: Path, kernels: str) -> None:
    """Print a line for each picture and kernel, and a summary."""
    restorer = Restorer(load_weights("gray-wide"), Settings())
    ratios, lost = [], []
    pictures = [(name, gray(pixels)) for name, pixels in crops(sorted(folder.glob("*.png")), 4, SIDE)]
    for spec in [spec for spec in gs_pnp(kernels) if spec.startswith("npz:")]:
        for name, clean in pictures:
            seen = observe(clean, name, Setting("deblur", SIGMA, kernel=spec, boundary="valid"))
            found = estimate_kernel(seen.pixels, SIGMA, "free")
            known = _error(restorer, seen, kernel_of(seen))
            blind = _error(restorer, seen, _moved_onto(found.kernel, kernel_of(seen)))
            ratios.append(blind / known)
            lost.append(10 * math.log10(blind / known))
            alike = "" if found.agreement is None else f", halves agree {found.agreement:.2f}"
            say(
                f"{spec.rpartition(':')[2]} {name}: ratio {ratios[-1]:.2f}, "
                f"PSNR {_psnr(known):.2f} -> {_psnr(blind):.2f} dB, "
                f"correlation {agreement(found.kernel, kernel_of(seen)):.2f}{alike}"
            )
    share = np.mean(np.array(ratios) <= 3)
    say(
        f"ratio at most 3 in {share:.0%} of {len(ratios)}, mean {np.mean(ratios):.2f}, "
        f"median {np.median(ratios):.2f}; PSNR lost, median {np.median(lost):.2f} dB"
    )


def families(folder: Path) -> None:
    """Print a line for each picture, and the share of parameters within 15 %."""
    paths = sorted(folder.glob("*.png"))
    rng = np.random.default_rng(0)
    within, named = [], []
    for index in range(FAMILY_PICTURES):
        path = paths[index % len(paths)]
        name = ("motion", "gaussian", "disk")[index % 3]
        low, high = {"gaussian": (1, 3), "disk": (2, 5), "motion": (5, 25)}[name]
        size, angle = rng.uniform(low, high), rng.uniform(0, 180)
        spec = {
            "gaussian": f"gaussian:{2 * math.ceil(3 * size) + 1}:{size}",
            "disk": f"disk:{size}",
            "motion": f"motion:{size}:{angle}",
        }[name]
        setting = Setting("deblur", SIGMA, kernel=spec, boundary="valid")
        seen = observe(read_picture(path).pixels, path.name, setting)
        y = spectrum(seen.pixels.mean(axis=2), SIGMA / math.sqrt(3))
        fits = {each: fit(family, y, 61) for each, family in FAMILIES.items()}
        best = min(fits, key=lambda each: fits[each].cost)
        found = fits[name]
        within.append(abs(found.parameters[0] / size - 1) <= 0.15)
        named.append(best == name)
        turned = f", angle {angle:.0f} -> {found.parameters[1]:.0f}" if name == "motion" else ""
        say(
            f"{path.name} {name}: {size:.2f} -> {found.parameters[0]:.2f} "
            f"({found.between[0]:.2f} to {found.between[1]:.2f}){turned}; taken for {best}"
        )
    say(f"within 15 %: {np.mean(within):.1%}; the family recognised: {np.mean(named):.1%}")


def sharp(folder: Path) -> None:
    """Print the result for pictures that are not blurred."""
    for path in sorted(folder.glob("*.png")):
        pixels = read_picture(path).pixels
        try:
            found = estimate_kernel(pixels, estimate_sigma(pixels))
        except UsageError as error:
            say(f"{path.name}: {error}")
            continue
        say(f"{path.name}: {found.spec}, gain {found.gain:.4f}")


def _error(restorer: Restorer, seen: Observation, kernel: Kernel) -> float:
    """The mean squared error of a restoration at the best shift."""
    x = restorer.deblur(seen.pixels, kernel, SIGMA, "valid").pixels[..., 0]
    inside = (slice(BORDER, -BORDER),) * 2
    truth = seen.clean[..., 0][inside]
    quarters = np.arange(-4, 5) / 4
    return min(
        float(((shift(x, (dy, dx), order=3, mode="nearest")[inside] - truth) ** 2).mean())
        for dy in quarters
        for dx in quarters
    )


def _moved_onto(kernel: Kernel, other: Kernel) -> Kernel:
    """The kernel, shifted by whole pixels to maximise its correlation with the other."""
    from scipy.signal import fftconvolve

    side = max(*kernel.shape, *other.shape)
    side += (side % 2 == 0) + 6
    framed = [_framed(each, side) for each in (kernel, other)]
    likeness = fftconvolve(framed[1], framed[0][::-1, ::-1])
    offset = np.array(np.unravel_index(int(likeness.argmax()), likeness.shape)) - (side - 1)
    moved: NDArray[np.float64] = shift(framed[0], offset, order=0)
    return np.asarray(moved / moved.sum())


def _framed(kernel: Kernel, side: int) -> Kernel:
    rows, columns = ((side - n) // 2 for n in kernel.shape)
    return np.pad(kernel, ((rows, rows), (columns, columns)))


def _psnr(error: float) -> float:
    return -10 * math.log10(error)


Part = Literal["free", "families", "sharp"]


def main(folder: Path, kernels: str, only: Part | None = None) -> None:
    if only in (None, "families"):
        families(folder)
    if only in (None, "sharp"):
        sharp(folder)
    if only in (None, "free"):
        free(folder, kernels)


if __name__ == "__main__":
    typer.run(main)
