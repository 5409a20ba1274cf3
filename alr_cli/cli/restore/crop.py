"""Restore only a part of a picture, as a preview."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from alr_cli.cli.options.values import Crop
from alr_cli.cli.restore.sources import Source
from alr_cli.cli.restore.task import Prepared
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from alr_cli.core.windows import Window
    from alr_cli.files.pictures import Picture


def check(crop: Crop, picture: "Picture", source: Source) -> None:
    """Raise UsageError if the part extends beyond the picture."""
    if crop.x + crop.width > picture.width or crop.y + crop.height > picture.height:
        raise UsageError(
            f"--crop {crop} reaches beyond {source}, which is {picture.width} x {picture.height} pixels"
        )


def cropped(prepared: Prepared, crop: Crop) -> Prepared:
    """The prepared picture, reduced to a part."""
    enlarged, missing, guess = prepared.enlarged, prepared.missing, prepared.guess
    return replace(
        prepared,
        picture=_part(prepared.picture, crop),
        missing=None if missing is None else part_of(missing, crop),
        guess=None if guess is None else guess.part(_box(crop)),
        enlarged=None if enlarged is None else _part(enlarged, crop, _scale(prepared)),
    )


def part_of_result(pixels: "NDArray[Any]", prepared: Prepared, crop: Crop) -> "NDArray[Any]":
    """The part of a picture (H, W, ...) that has the size of the whole result."""
    return part_of(pixels, crop, _scale(prepared))


def part_of(pixels: "NDArray[Any]", crop: Crop, scale: int = 1) -> "NDArray[Any]":
    """The part of (H, W, ...). `scale` is the size of the picture relative to the one that crop refers to."""
    return pixels[_box(crop, scale)].copy()


def _box(crop: Crop, scale: int = 1) -> "Window":
    rows = slice(scale * crop.y, scale * (crop.y + crop.height))
    return rows, slice(scale * crop.x, scale * (crop.x + crop.width))


def _scale(prepared: Prepared) -> int:
    return prepared.result.height // prepared.picture.height


def _part(picture: "Picture", crop: Crop, scale: int = 1) -> "Picture":
    alpha = None if picture.alpha is None else part_of(picture.alpha, crop, scale)
    return replace(picture, pixels=part_of(picture.pixels, crop, scale), alpha=alpha)
