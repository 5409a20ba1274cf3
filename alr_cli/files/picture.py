"""A picture in memory: pixels on [0,1], and everything else from its file beside them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from alr_cli.files.sniff import Format

Depth = Literal["uint8", "uint16", "float32"]

FULL: dict[Depth, float] = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
"""The stored number that stands for 1.0."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One decoded picture, upright.

    Attributes:
        pixels: (H, W, C) float32, C = 1 (gray) or 3 (RGB), on [0,1]. Float files may have values outside
            [0,1].
        depth: Sample type of the file. `encode` writes the same type by default.
        format: Format of the file.
        alpha: (H, W) float32 on [0,1], or None. It is not restored and is written back bit for bit.
        icc: Colour profile.
        exif: TIFF block that starts with `II*` or `MM`, without the "Exif" prefix.
        dpi: (x, y) pixels per inch.
        notes: Sentences about what was converted or cannot be kept.
        xmp: XMP packet.
        extras: (name, payload) pairs that only the same format can store: PNG chunks and JPEG segments.
        range: The numbers of the file that mean 0 and 1, or None for those of its depth.
        stated: The smallest and largest number according to the file's tags, or None.
        coded: The JPEG file that the pixels were decoded from, whose coefficients contain more information.
    """

    pixels: NDArray[np.float32]
    depth: Depth
    format: Format
    alpha: NDArray[np.float32] | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    xmp: bytes | None = None
    extras: tuple[tuple[str, bytes], ...] = ()
    range: tuple[float, float] | None = None
    stated: tuple[float, float] | None = None
    coded: bytes | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels), without alpha."""
        return cast(tuple[int, int, int], self.pixels.shape)

    @property
    def height(self) -> int:
        return self.shape[0]

    @property
    def width(self) -> int:
        return self.shape[1]

    @property
    def channels(self) -> int:
        return self.shape[2]

    def with_pixels(self, pixels: NDArray[Any]) -> "Picture":
        """The same picture with other pixels of the same shape. Raises ValueError for another shape."""
        if pixels.shape != self.shape:
            raise ValueError(f"restored pixels are {pixels.shape}, the picture is {self.shape}")
        return replace(self, pixels=np.asarray(pixels, np.float32))


def from_samples(
    samples: NDArray[Any], format: Format, *, alpha: bool = False, full: float | None = None
) -> Picture:
    """Numbers as a file stores them, (H, W) or (H, W, C [+ alpha]), as a picture on [0,1].

    `full` is the stored value of 1.0 if it is not that of the type (a 12-bit TIFF, a PNM with maximum 1023).
    """
    depth: Depth = "float32" if samples.dtype.kind == "f" else "uint8" if samples.itemsize == 1 else "uint16"
    if samples.ndim == 2:
        samples = samples[..., None]
    scale = np.float32(FULL[depth] if full is None else full)
    with np.errstate(over="ignore", invalid="ignore"):  # 64-bit floats may overflow; inf is reported later
        colour = samples[..., :-1] if alpha else samples
        pixels = np.divide(colour, scale, dtype=np.float32, casting="unsafe")
        opacity = np.divide(samples[..., -1], scale, dtype=np.float32, casting="unsafe") if alpha else None
    return Picture(pixels, depth, format, opacity)


def to_samples(picture: Picture, depth: Depth) -> NDArray[Any]:
    """(H, W, C [+ alpha]) numbers of type `depth`, rounded to nearest and clamped. float32 stays as it is.

    A picture with its own range is written in the numbers of its file, unless its depth changes.
    """
    pixels: NDArray[Any] = picture.pixels
    if picture.range is not None and depth == picture.depth:
        low, high = picture.range
        pixels = (low + np.float64(high - low) * pixels) / FULL[depth]
    planes = [pixels] if picture.alpha is None else [pixels, picture.alpha[..., None]]
    if depth != "float32":
        planes = [np.rint(np.clip(plane, 0, 1) * np.float32(FULL[depth])) for plane in planes]
    joined = np.concatenate([plane.astype(depth) for plane in planes], axis=-1)
    return np.ascontiguousarray(joined)  # encoders need rows, and a transposed array would stay transposed


def positive_dpi(dpi: tuple[float, float] | None) -> tuple[float, float] | None:
    """A resolution as a file states it; None if it states none."""
    return (float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None


def after_the_end(tail: bytes) -> Iterator[str]:
    """A note on bytes behind the picture, which are lost. Zeros are padding and not mentioned."""
    if tail.strip(b"\0"):
        what = ""
        if b"ftyp" in tail:
            what = " (a film)"
        elif b"\xff\xd8\xff" in tail:
            what = " (another picture)"
        yield f"{len(tail)} bytes after the end{what} cannot be kept"
