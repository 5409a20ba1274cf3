"""A picture as the rest of the house sees it: pixels on [0,1], all else carried beside them untouched."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from alr_cli.files.sniff import Format

Depth = Literal["uint8", "uint16", "float32"]

FULL: dict[Depth, float] = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
"""The stored number that means 1.0."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One decoded picture, as it is seen.

    pixels: (H, W, C) float32, C = 1 (gray) or 3 (RGB), on [0,1]; float files as they are, outside [0,1] too.
    depth: sample type of the file; `encode` writes the same unless told otherwise.
    alpha: (H, W) float32 on [0,1] or None; no restoration touches it, and it goes back bit for bit.
    icc: colour profile. exif: TIFF block starting `II*` or `MM`, without the "Exif" prefix. xmp: packet.
    dpi: (x, y) pixels per inch. extras: (name, payload) pairs that only the same format can hold: PNG chunks
    and JPEG segments. notes: sentences for the person about what was expanded or cannot be kept.
    range: the numbers of the file that mean 0 and 1 where those are not the usual ones of its depth.
    stated: the least and greatest number as the tags of the file state them.
    coded: the JPEG file that the pixels were decoded from, whose coefficients say more than they do.
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
        """(height, width, channels), alpha not counted."""
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
        """The same picture with restored pixels of the same shape (ValueError otherwise)."""
        if pixels.shape != self.shape:
            raise ValueError(f"restored pixels are {pixels.shape}, the picture is {self.shape}")
        return replace(self, pixels=np.asarray(pixels, np.float32))


def from_samples(
    samples: NDArray[Any], format: Format, *, alpha: bool = False, full: float | None = None
) -> Picture:
    """Numbers as a file stores them, (H, W) or (H, W, C [+ alpha]), to a picture on [0,1].

    `full` is the stored value of 1.0 where it is not the type's own (a 12-bit TIFF, a PNM of maximum 1023).
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
    """(H, W, C [+ alpha]) numbers of type `depth`: rounded to nearest and clamped; float32 as they are.

    A picture with a range of its own keeps the numbers of its file, unless its depth is changed.
    """
    pixels: NDArray[Any] = picture.pixels
    if picture.range is not None and depth == picture.depth:
        low, high = picture.range
        pixels = (low + np.float64(high - low) * pixels) / FULL[depth]
    planes = [pixels] if picture.alpha is None else [pixels, picture.alpha[..., None]]
    if depth != "float32":
        planes = [np.rint(np.clip(plane, 0, 1) * np.float32(FULL[depth])) for plane in planes]
    joined = np.concatenate([plane.astype(depth) for plane in planes], axis=-1)
    return np.ascontiguousarray(joined)  # a transposed array stays transposed; encoders need rows


def positive_dpi(dpi: tuple[float, float] | None) -> tuple[float, float] | None:
    """A resolution as a file states it, None where it says nothing."""
    return (float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None


def after_the_end(tail: bytes) -> Iterator[str]:
    """A note on bytes behind the picture, which go with it when it is read; zeros are padding."""
    if tail.strip(b"\0"):
        what = ""
        if b"ftyp" in tail:
            what = " (a film)"
        elif b"\xff\xd8\xff" in tail:
            what = " (another picture)"
        yield f"{len(tail)} bytes after the end{what} cannot be kept"
