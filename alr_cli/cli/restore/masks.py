"""Find the missing pixels of a picture: from a mask file, its transparency, its NaN, or at random."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.cli.restore.sources import Source, partner
from alr_cli.cli.restore.task import size
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.files.mask_files import Marked
    from alr_cli.files.pictures import Picture

    Mask = NDArray[np.bool_]

SOFT = "the mask has values between black and white: every pixel that is not black is repaired"


def from_file(
    named: Path, picture: "Picture", source: Source, max_pixels: int, *, invert: bool = False
) -> "Marked":
    """What the mask file marks. `named` is the file, or a folder with a file of the same name. Raises
    UsageError."""
    from alr_cli.files.mask_files import marked
    from alr_cli.files.orientation import hint
    from alr_cli.files.pictures import read_picture

    path = partner(named, source, "--mask")
    mask = read_picture(path, max_pixels=max_pixels)
    if (mask.height, mask.width) != (picture.height, picture.width):
        raise UsageError(
            f"the mask {path} is {mask.width} x {mask.height} pixels and {source} is "
            f"{picture.width} x {picture.height}{hint(picture)}: give a mask of the same size"
        )
    try:
        found = marked(mask, invert=invert)
    except UsageError as error:
        raise UsageError(f"the mask {path} cannot be understood: {error}") from error
    return replace(found, notes=tuple(f"the mask {path.name}: {note}" for note in found.notes))


def from_alpha(picture: "Picture", source: Source, *, invert: bool = False) -> "Marked":
    """The pixels that are fully or partly transparent. Raises UsageError."""
    from alr_cli.files.mask_files import Marked

    if picture.alpha is None:
        raise UsageError(f"{source} ({size(picture)}) has no transparency: give --mask FILE")
    soft = bool(((picture.alpha > 0) & (picture.alpha < 1)).any())
    return Marked(picture.alpha > 0 if invert else picture.alpha < 1, soft=soft)


def from_nan(picture: "Picture") -> "Mask":
    """The pixels that are NaN in any channel."""
    import numpy as np

    return np.asarray(np.isnan(picture.pixels).any(axis=2))


def at_random(picture: "Picture", source: Source, missing: float, seed: int) -> "Mask":
    """A random share of the pixels, which depends only on the seed and the name of the picture."""
    from alr_cli.core.noise.white import random_mask, seed_for

    shape = (picture.height, picture.width)
    mask: Mask = random_mask(shape, missing, seed_for(seed, source.relative.name))
    return mask
