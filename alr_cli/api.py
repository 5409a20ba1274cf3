"""The library: the commands as functions of arrays, and the functions to load priors, kernels and pictures.

Pixels are real numbers on [0,1]. They are a NumPy array (H, W), (H, W, C) or (B, H, W, C), or a torch tensor
(H, W), (C, H, W) or (B, C, H, W), with one channel or three. Results have the type and shape of the input.
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
from alr_cli.core.operators.convolution import Boundary
from alr_cli.core.operators.kernels import normalize_kernel
from alr_cli.core.restoration import Restoration
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
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
    """The result of a restoration.

    Attributes:
        pixels: The restored picture or batch, of the type and shape of the input. Not clamped to [0,1].
        details: How each picture was restored; see `core.restoration.Restoration`.
    """

    pixels: Any
    details: tuple[Restoration, ...]


def read(path: str | Path, *, range: tuple[float, float] | None = None) -> Picture:
    """Read a picture from a PNG, JPEG, TIFF, WebP, BMP or PNM file.

        y = alr.read("noisy.png")

    Args:
        path: The file.
        range: The numbers of the file that become 0 and 1. None uses the range of their type, unless the
            file's tags or the numbers themselves indicate another one, as for 10 bits in 16 or floats up to
            4000. `write` converts back.

    Returns:
        The picture; its `pixels` are (H, W, C) float32 on [0,1].

    Raises:
        InputError: The file cannot be read.
    """
    from alr_cli.files.pictures import read_picture

    return read_picture(Path(path), range=range or "found")


def write(path: str | Path, picture: Picture) -> None:
    """Write a picture in the format that the file name implies, replacing the file in one step.

        alr.write("clean.png", y.with_pixels(x.pixels))

    Raises:
        OutputError: The name implies no format, the format cannot hold the picture, or the file cannot be
            written.
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
    """Load a prior, see `core.priors.protocol.Prior`.

        prior = alr.load("color-tuned")
        print(prior.sigma_range, prior.lam(0.1))

    Args:
        weights: The name of shipped weights, or the path of a weights file.

    Raises:
        WeightsError: The file is missing, damaged or incompatible.
    """
    return load_weights(weights).prior


def kernel(spec: str) -> NDArray[np.float64]:
    """Make a blur kernel from the text that `alr deblur --kernel` takes.

        k = alr.kernel("gaussian:7:3")

    Returns:
        The kernel (h, w), with odd sides and the sum 1.

    Raises:
        UsageError: The text is not a kernel; the message states the grammar.
        InputError: The text names a file that cannot be read.
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

        x = alr.denoise(y.pixels, sigma=0.1)
        print(x.details[0].stop, x.details[0].iterations)

    Args:
        pixels: A picture or batch, as described at the top of the module.
        sigma: Standard deviation of white noise, on [0,1]. None measures the noise of each picture, including
            its correlation between pixels (see `core.noise.finding`).
        weights: As in `load`. None takes the shipped weights that fit.
        settings: How the energy is minimised; see `core.settings.Settings`.

    Raises:
        UsageError: `pixels` is not a picture, or `sigma` is not a noise level.
        AlrError: Any error of `core.restore.Restorer`.
    """

    def task(picture: NDArray[np.float32]) -> Denoising:
        if sigma is not None:
            return Denoising()
        from alr_cli.core.noise.finding import Kind, find_noise
        from alr_cli.files.weights import load_level_finder

        found = find_noise(picture, finder=load_level_finder())
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
    """Undo a known blur.

        x = alr.deblur(y.pixels, "gaussian:7:3", sigma=0.03)

    Args:
        pixels: As in `denoise`.
        kernel: A text as in `kernel`, or an array (h, w) with odd sides, which is divided by its sum.
        sigma: Standard deviation of the noise on [0,1]. None estimates it, assuming white noise.
        boundary: What lies beyond the frame; see `core.operators.convolution.Convolution`.
        weights: As in `denoise`.
        settings: As in `denoise`.

    Raises:
        UsageError: An argument is not what it should be.
        AlrError: Any error of `core.restore.Restorer`.
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

        x = alr.inpaint(y.pixels, mask, sigma=0)

    Args:
        pixels: As in `denoise`.
        mask: (H, W); True, 1 or 255 where pixels are missing.
        sigma: Standard deviation of the noise of the known pixels, on [0,1]. With 0 they come back exactly.
            None estimates it, assuming white noise.
        weights: As in `denoise`.
        settings: As in `denoise`.

    Raises:
        UsageError: An argument is not what it should be.
        AlrError: Any error of `core.restore.Restorer`.
    """
    missing = _mask(mask)

    def task(picture: NDArray[np.float32]) -> Inpainting:
        if missing.shape != picture.shape[:2]:
            raise UsageError(
                f"the mask has the shape {missing.shape} and the picture {picture.shape[:2]}: "
                "give a mask of equal size"
            )
        return Inpainting(missing)

    return _restored(pixels, task, sigma, weights, settings)


def decode(
    picture: Picture,
    *,
    weights: str | None = None,
    settings: Settings = Settings(),  # noqa: B008 - immutable
) -> Restored:
    """Remove the artefacts of JPEG compression, using the coefficients of the file.

        x = alr.decode(alr.read("old.jpg"))

    Args:
        picture: A picture that `read` read from a JPEG file.
        weights: As in `denoise`.
        settings: As in `denoise`.

    Raises:
        InputError: The picture was not read from a JPEG file, or the file is of a kind that is not supported.
        UsageError: jpeglib is not installed.
        AlrError: Any error of `core.restore.Restorer`.
    """
    from alr_cli.files.jpeg_coefficients import decoding, read_coefficients

    coefficients = read_coefficients(picture.coded, "the picture")
    task = decoding(coefficients, picture.exif)
    return _restored(picture.pixels, lambda seen: task, coefficients.level(), weights, settings)


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
        raise UsageError(f"the mask has the shape {array.shape}: give a mask of shape (H, W)")
    if array.dtype == bool:
        return array
    values = np.unique(array)
    if not set(values.tolist()) <= {0, 1, 255} or len(values) > 2:
        raise UsageError(
            "the mask has values other than 0 and 1, or 0 and 255: compare it with a threshold first"
        )
    return array > 0
