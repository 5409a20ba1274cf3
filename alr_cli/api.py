"""What a program asks for: the commands as functions of arrays, and the pieces they are made of.

Pixels are real numbers on [0,1], a NumPy array (H, W), (H, W, C) or (B, H, W, C), or a torch tensor (H, W),
(C, H, W) or (B, C, H, W), with one channel or three. What comes back has the kind and shape of what went in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.gray import white_level, without_copies
from alr_cli.core.numerics.arrays import pictures_of
from alr_cli.core.operators.kernels import normalize_kernel
from alr_cli.core.operators.linear import Boundary
from alr_cli.core.restore import Restoration, Restorer, Settings
from alr_cli.core.tasks import Deblurring, Denoising, Inpainting, Task
from alr_cli.core.weights import Weights
from alr_cli.errors import UsageError
from alr_cli.files.kernel_files import read_kernel
from alr_cli.files.weights import default_name, load_weights

if TYPE_CHECKING:
    from alr_cli.core.priors.protocol import StoredPrior
    from alr_cli.files.picture import Picture


@dataclass(frozen=True)
class Restored:
    """A restored picture or batch, and how each picture was reached.

    pixels: like the input, not clamped to [0,1].  details: one for each picture, see
    `core.restore.Restoration`.
    """

    pixels: Any
    details: tuple[Restoration, ...]


def read(path: str | Path, *, range: tuple[float, float] | None = None) -> Picture:
    """A picture from a PNG, JPEG, TIFF, WebP, BMP or PNM file: `pixels` is (H, W, C) float32 on [0,1].

    range: the numbers of the file that become 0 and 1; None takes those of its type, or what its tags or
    numbers tell where they are others, as numbers of 10 bits in 16 or floats up to 4000. `write` goes back.
    Raises InputError for what cannot be read.

        y = alr.read("noisy.png")
    """
    from alr_cli.files.pictures import read_picture

    return read_picture(Path(path), range=range or "found")


def write(path: str | Path, picture: Picture) -> None:
    """Write a picture in the format that the name says, replacing the file in one step.

    Raises OutputError where the format cannot hold the picture, or the file cannot be written.

        alr.write("clean.png", y.with_pixels(x.pixels))
    """
    from alr_cli.errors import OutputError
    from alr_cli.files.atomic import write_atomic
    from alr_cli.files.pictures import encode
    from alr_cli.files.sniff import format_of_name

    format = format_of_name(Path(path))
    if format is None:
        raise OutputError(f"{path} does not name a format: end it with .png, .jpg, .tif, .webp, .bmp or .pnm")
    write_atomic(Path(path), encode(picture, format))


def load(weights: str) -> StoredPrior:
    """A prior by its shipped name or the path of its file, see `core.priors.protocol.Prior`.

    Raises WeightsError.

        prior = alr.load("color-tuned")
        print(prior.sigma_range, prior.lam(0.1))
    """
    return load_weights(weights).prior


def kernel(spec: str) -> NDArray[np.float64]:
    """A blur kernel (h, w), its sides odd and its sum 1, from what `alr deblur --kernel` takes.

    Raises UsageError with the grammar, InputError for a file that cannot be read.

        k = alr.kernel("gaussian:7:3")
    """
    return read_kernel(spec)[0]


def denoise(
    pixels: Any,
    sigma: float | None = None,
    *,
    weights: str | None = None,
    settings: Settings = Settings(),  # noqa: B008 - immutable
) -> Restored:
    """Remove noise.

    pixels: see the module.  sigma: standard deviation of white noise on [0,1]; None finds for each picture
    which noise it has, and whether neighbours share it (see `core.noise.finding`).  weights: as in `load`;
    None takes the shipped ones that fit.  settings: see `core.restore.Settings`. Raises UsageError for what
    is no picture or no noise level, and what `core.restore.Restorer` raises.

        x = alr.denoise(y.pixels, sigma=0.1)
        print(x.details[0].stop, x.details[0].iterations)
    """

    def task(picture: NDArray[np.float32]) -> Denoising:
        if sigma is not None:
            return Denoising()
        from alr_cli.core.noise.finding import Kind, find_noise

        found = find_noise(picture)
        return Denoising(None if found.kind is Kind.WHITE else found.model)

    return _restored(pixels, task, sigma, weights, settings)


def deblur(
    pixels: Any,
    kernel: str | NDArray[Any],
    sigma: float | None = None,
    *,
    boundary: Boundary = "valid",
    weights: str | None = None,
    settings: Settings = Settings(),  # noqa: B008 - immutable
) -> Restored:
    """Undo a blur that is known.

    kernel: as in `kernel`, or an array (h, w) with odd sides, which is divided by its sum.  boundary: what
    lies beyond the frame, see `core.operators.linear.Convolution`.  The others: see `denoise`.

        x = alr.deblur(y.pixels, "gaussian:7:3", sigma=0.03)
    """
    array = read_kernel(kernel)[0] if isinstance(kernel, str) else normalize_kernel(kernel)
    return _restored(pixels, lambda picture: Deblurring(array, boundary), sigma, weights, settings)


def inpaint(
    pixels: Any,
    mask: NDArray[Any],
    sigma: float | None = None,
    *,
    weights: str | None = None,
    settings: Settings = Settings(),  # noqa: B008 - immutable
) -> Restored:
    """Fill in missing pixels.

    mask: (H, W), True (or 1, or 255) where pixels are missing.  sigma: of the noise of the others; with 0
    they come back exactly.  The others: see `denoise`.

        x = alr.inpaint(y.pixels, mask, sigma=0)
    """
    missing = _mask(mask)

    def task(picture: NDArray[np.float32]) -> Inpainting:
        if missing.shape != picture.shape[:2]:
            raise UsageError(
                f"the mask is {missing.shape} and the picture {picture.shape[:2]}: give one of its size"
            )
        return Inpainting(missing)

    return _restored(pixels, task, sigma, weights, settings)


def _restored(
    pixels: Any,
    task: Callable[[NDArray[np.float32]], Task],
    sigma: float | None,
    weights: str | None,
    settings: Settings,
) -> Restored:
    if sigma is not None and not 0 <= sigma <= 1:
        raise UsageError(
            f"sigma {sigma} is outside [0,1], the range of the pixels: write 25/255 for 25 of 255 levels"
        )
    pictures = pictures_of(pixels)
    restorers: dict[tuple[int, bool, bool], Restorer] = {}
    details = []
    for picture in pictures.each:
        seen = without_copies(picture)
        what = task(seen)
        level = _estimated(seen, what) if sigma is None else sigma
        kind = (
            seen.shape[2],
            what.held(level),
            what.wide(level) and not settings.descends,
        )
        if kind not in restorers:
            restorers[kind] = Restorer(_weights(weights, *kind), settings)
        details.append(restorers[kind].restore(picture, what, level))
    return Restored(pictures.back([each.pixels for each in details]), tuple(details))


def _weights(name: str | None, channels: int, held: bool, wide: bool) -> Weights:
    return load_weights(name or default_name(channels, held, wide))


def _estimated(picture: NDArray[np.float32], task: Task) -> float:
    if isinstance(task, Denoising) and task.noise is not None:
        return task.noise.level(picture)
    sigma = white_level(picture, task.missing if isinstance(task, Inpainting) else None)
    if not np.isfinite(sigma):
        raise UsageError("the noise cannot be estimated from so few pixels: give sigma")
    return float(sigma)


def _mask(mask: NDArray[Any]) -> NDArray[np.bool_]:
    array = np.asarray(mask)
    if array.ndim != 2:
        raise UsageError(f"the mask has the shape {array.shape}: give one of (H, W)")
    if array.dtype == bool:
        return array
    values = np.unique(array)
    if not set(values.tolist()) <= {0, 1, 255} or len(values) > 2:
        raise UsageError("the mask holds more than 0 and 1, or 0 and 255: compare it with a threshold")
    return array > 0
