"""p = (v - low) / (high - low): which stored numbers v mean black and white, if the type does not say so

Cameras and microscopes store numbers of 10 or 12 bits in 16, and floats of any size. The user may give the
range (--range), else the tags of the file may state it, and otherwise the numbers themselves indicate it. A
range that was found is reported, and the restored picture is written in the numbers of the input.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

import numpy as np

from alr_cli.files.picture import FULL, Picture

Range = tuple[float, float]
Choice = Literal["usual", "found"] | Range
"""`usual` is the range of the type, 0 to 255, 65535 or 1.0. `found` uses the tags, or else the numbers."""

BITS = (8, 10, 12)
"""Numbers with so many bits are often stored in 16. 14 bits cannot be told from a dark picture."""
FARTHEST = -1.0, 2.0
"""Floats on [0,1] with noise stay between these, except for 1 % at either end."""
TINY = 0.02
"""Floats that stay below it are not a dark picture but one in other units."""
SHARES = 0.1, 99.9
"""Percentiles that become 0 and 1 if the range of floats is unknown."""
_LOOKED_AT = 1_000_000


def in_range(picture: Picture, choice: Choice) -> Picture:
    """The decoded picture with the given range moved to [0,1].

    A range that is given is in the numbers of the file. If one is found, a note says so. NaN stay NaN.
    """
    if choice == "found":
        range, why = found(picture)
        if range is None:
            return picture
        text = f"{range[0]:.6g}:{range[1]:.6g}"
        picture = replace(picture, notes=(*picture.notes, f"{why}: black and white are {text} (see --range)"))
    elif choice == "usual" or choice == (0.0, FULL[picture.depth]):
        return picture
    else:
        range = choice
    low, high = range
    stored = picture.pixels * np.float64(FULL[picture.depth])
    return replace(picture, pixels=((stored - low) / (high - low)).astype(np.float32), range=range)


def found(picture: Picture) -> tuple[Range | None, str]:
    """The numbers that mean black and white in a decoded picture, and the reason for it.

    None means the range of the number type.
    """
    if picture.depth == "uint8" or picture.range is not None:
        return None, ""
    return _of_integers(picture) if picture.depth == "uint16" else _of_floats(picture)


def common(pictures: Iterable[Picture]) -> Choice:
    """One range that contains those of all pictures of a set, such as the planes of a stack."""
    ranges = [found(picture)[0] for picture in pictures]
    known = [range for range in ranges if range is not None]
    if len(known) < len(ranges) or not known:
        return "usual"
    return min(low for low, _ in known), max(high for _, high in known)


def _of_integers(picture: Picture) -> tuple[Range | None, str]:
    top = int(np.rint(picture.pixels.max() * FULL["uint16"]))
    stated = picture.stated[1] if picture.stated else 0.0
    for bits in (*BITS, 14) if stated else BITS:
        if 0 < top < 2**bits and stated < 2**bits:
            return (0.0, 2.0**bits - 1), f"its numbers end at {top} so they are taken for {bits} bits in 16"
    return None, ""


def _of_floats(picture: Picture) -> tuple[Range | None, str]:
    numbers = picture.pixels.reshape(-1)[:: 1 + picture.pixels.size // _LOOKED_AT]
    numbers = numbers[np.isfinite(numbers)]
    if numbers.size == 0:
        return None, ""
    if picture.stated is not None and picture.stated != (0.0, 1.0):
        low, high = picture.stated
        if low <= float(np.median(numbers)) <= high:
            return (low, high), "its tags state its range"
    least, some, most = (float(value) for value in np.percentile(numbers, (1, SHARES[0], 99)))
    if FARTHEST[0] <= least and most <= FARTHEST[1] and max(-least, most) >= TINY:
        return None, ""
    why = f"its values run from {numbers.min():.6g} to {numbers.max():.6g}"
    for full in (255.0, 1023.0, 4095.0, 65535.0):
        if numbers.min() >= 0 and full / 2 < numbers.max() <= full:
            return (0.0, full), why
    high = float(np.percentile(numbers, SHARES[1]))
    low = 0.0 if 0 <= some <= high / 4 else some
    return ((low, high), why) if high > low else (None, "")
