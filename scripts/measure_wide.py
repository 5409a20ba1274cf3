"""Compare a wide prior with fields of experts for each task, on crops of validation pictures.

    python scripts/measure_wide.py bsds32 urban10 --kernels kernels.npz --strengths 0.7,1,1.4

Each folder provides crops, spread evenly over its pictures and over each picture. Every task uses the same
crops, with its own noise. They are restored by `-w` with each strength, and by the experts that were the
default before. Pictures are in gray if `-w` is for gray ones. Each line has a task and a folder, the PSNR in
dB of the experts, the PSNR of `-w` for each strength, and the smallest gain over the experts on a crop. After
a training this shows whether the parameters in core/priors/potential.py and core/tasks.py are still right:
the best strength should be 1, and every crop should gain.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alr_cli.core.metrics import psnr
from alr_cli.core.noise.white import add_gaussian_noise, random_mask
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.tasks import Deblurring, Denoising, Inpainting, Task, Upscaling, in_frame, observed
from alr_cli.files.weights import default_name, load_weights

BORDER = 4  # width in pixels of the border of enlarged pictures that is left out, as in published tables


def crops(folder: Path, count: int, side: int, channels: int) -> Iterator[np.ndarray]:
    """(side, side, C) float32 on [0,1]: Weyl sequences of two irrationals cover a picture evenly."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
    for index in range(count):
        picture = Image.open(paths[index * len(paths) // count]).convert("RGB")
        pixels = np.atleast_3d(np.asarray(picture.convert("L") if channels == 1 else picture))
        top = int((index * 0.7548776662 + 0.5) % 1 * (pixels.shape[0] - side + 1))
        left = int((index * 0.5698402910 + 0.5) % 1 * (pixels.shape[1] - side + 1))
        yield pixels[top : top + side, left : left + side].astype(np.float32) / 255


def tasks(side: int, kernels: str | None, only: str) -> Iterator[tuple[str, Task, float, bool]]:
    """Name, task, sigma, and whether the noise is cut off at 0 and 1."""
    for sigma in (0.01, 0.02, 0.04, 0.1, 0.3):
        yield f"denoise {sigma}", Denoising(), sigma, False
    for sigma in (0.1, 0.2, 0.4):
        yield f"denoise clipped {sigma}", Denoising(), sigma, True
    named = {"gaussian:7:3": parse_kernel("gaussian:7:3")}
    if kernels is not None:
        with np.load(kernels) as found:
            named |= {name: found[name] for name in sorted(found) if name.startswith("Levin")}
    for name, kernel in named.items():
        for level in (7.65,) if name == "gaussian:7:3" else (2.55, 7.65):
            yield f"deblur {name} {level}/255", Deblurring(kernel), level / 255, False
    for share in (0.5, 0.8, 0.9):
        missing = random_mask((side, side), share, seed=0)
        yield f"inpaint {share}", Inpainting(missing), 0.0, False
        yield f"inpaint {share} with noise 0.1", Inpainting(missing), 0.1, False
    for scale in (2, 3, 4):
        yield f"upscale {scale}", Upscaling(scale), 0.0, False
        yield f"upscale {scale} with noise 0.03", Upscaling(scale), 0.03, False


def quality(
    restorer: Restorer, y: np.ndarray, task: Task, sigma: float, strength: float, truth: np.ndarray
) -> float:
    """PSNR [dB] of what is restored of y (H', W', C)."""
    restored = restorer.restore(y, task, sigma, strength=strength).pixels
    cut = BORDER if isinstance(task, Upscaling) else 0
    inside = np.s_[cut : len(truth) - cut, cut : truth.shape[1] - cut]
    return psnr(truth[inside], restored[inside]) or np.inf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("-w", "--weights", default="color-wide")
    parser.add_argument("--kernels")
    parser.add_argument("--only", default="", help="tasks whose name has this in it")
    parser.add_argument("--count", type=int, default=3, help="crops of each folder")
    parser.add_argument("--side", type=int, default=96)
    parser.add_argument("--strengths", default="1")
    options = parser.parse_args()
    strengths = [float(text) for text in options.strengths.split(",")]
    weights = load_weights(options.weights)
    channels = weights.channels
    wide = Restorer(weights, Settings())
    experts = {
        held: Restorer(load_weights(default_name(channels, held)), Settings()) for held in (False, True)
    }
    pictures = {
        folder: list(crops(folder, options.count, options.side, channels)) for folder in options.folders
    }
    for name, task, sigma, clipped in tasks(options.side, options.kernels, options.only):
        if options.only not in name:
            continue
        for folder, clean in pictures.items():
            found = []
            for seed, picture in enumerate(clean):
                y = add_gaussian_noise(observed(task, picture), sigma, seed, clipped)
                truth = in_frame(task, picture)
                before = experts[task.held(sigma)]
                found.append(
                    [
                        quality(before, y, task, sigma, 1.0, truth),
                        *(quality(wide, y, task, sigma, strength, truth) for strength in strengths),
                    ]
                )
            table = np.array(found)
            worst = (table[:, 1:] - table[:, :1]).min(axis=0)
            means = " ".join(f"{value:6.2f}" for value in table.mean(axis=0))
            ahead = " ".join(f"{value:+.2f}" for value in worst)
            sys.stdout.write(f"{name:<30} {folder.name:<8} {means}   {ahead}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
