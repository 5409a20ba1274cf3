"""Which pixels a mask marks: white ones, and what programs and brushes use instead of white.

Masks with one sensible reading are accepted: labels of 0 and 1, strokes of one colour, strokes on a
transparent layer, soft edges. All others are refused, and the message names their values or colours, because
filling the wrong pixels would not help.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from alr_cli.errors import UsageError
from alr_cli.files.picture import FULL, Picture

Mask = NDArray[np.bool_]
Plane = NDArray[np.float32]

FAINT = 16 / 255
"""The error that compression and scanners add to black."""
_COLOURFUL = 24 / 255
_LOSSY = ("jpeg", "webp")
SAVE = "save it in black and white, white where the picture is to be repaired"


@dataclass(frozen=True)
class Marked:
    """The pixels that a mask marks.

    Attributes:
        repaired: (H, W), True where the picture is to be repaired.
        notes: How the mask was understood.
        soft: Whether values between black and white were taken for white.
    """

    repaired: Mask
    notes: tuple[str, ...] = ()
    soft: bool = False


def marked(mask: Picture, *, invert: bool = False) -> Marked:
    """The pixels that are not black, or with `invert` those that are not white. Raises UsageError."""
    # a float file may contain values up to 255
    mask = replace(mask, pixels=np.clip(np.nan_to_num(mask.pixels), 0, 1))
    if mask.alpha is not None and bool((mask.alpha < 1).any()):
        return _on_a_layer(mask, mask.alpha, invert)
    if float(np.ptp(mask.pixels, axis=2).max()) > _COLOURFUL:
        return _in_colour(mask, invert)
    return _in_gray(mask.pixels.mean(axis=2), mask, invert)


def _in_gray(gray: Plane, mask: Picture, invert: bool) -> Marked:
    values = np.unique(gray)
    low, high = float(values[0]), float(values[-1])
    if len(values) == 1 and low not in (0, 1):
        raise UsageError(f"it has the value {_named([low], mask)} everywhere: {SAVE}")
    if len(values) <= 2:
        if low > 0 and not low < 0.5 <= high:
            raise UsageError(f"it has the values {_named([low, high], mask)} and no black: {SAVE}")
        plain = low in (0, 1) and high in (0, 1)
        said = f"its values are {_named([low, high], mask)}; the higher one is taken for white"
        return Marked(
            np.asarray(gray == low) if invert and len(values) == 2 else _touched(gray, 0, invert),
            () if plain else (said,),
        )
    if high < 0.5 or low > 0.5:
        lacks = "white" if high < 0.5 else "black"
        what = f"it has {len(values)} values from {_named([low, high], mask, ' to ')}"
        raise UsageError(f"{what} and no {lacks}, as labels have: {SAVE}")
    black = _black(gray, mask, invert)
    between = (gray > black) & (gray < 1 - black)
    if between.mean() > 0.5:
        raise UsageError(
            f"{between.mean():.0%} of its pixels lie between black and white, as in a photograph: {SAVE}"
        )
    return Marked(_touched(gray, black, invert), soft=bool(between.any()))


def _touched(gray: Plane, black: float, invert: bool) -> Mask:
    return gray < 1 - black if invert else gray > black


def _black(gray: Plane, mask: Picture, invert: bool) -> float:
    """The largest value that counts as black: 0, unless compression or a scanner has left traces."""
    strength = 1 - gray if invert else gray
    faint = int(((strength > 0) & (strength <= FAINT)).sum())
    return FAINT if mask.format in _LOSSY or faint > int((strength >= 0.5).sum()) else 0


def _in_colour(mask: Picture, invert: bool) -> Marked:
    """Strokes of one colour on black or white."""
    pixels, tolerance = mask.pixels, FAINT if mask.format in _LOSSY else 0
    black, white = (pixels <= tolerance).all(axis=2), (pixels >= 1 - tolerance).all(axis=2)
    ground, name = (black, "black") if black.sum() >= white.sum() else (white, "white")
    away = pixels - np.float32(0 if name == "black" else 1)
    strong = away[np.abs(away).max(axis=2) > 0.5]
    if len(strong) == 0 or ground.mean() < 0.05:
        raise UsageError(f"it has colours and hardly any black or white: {SAVE}")
    stroke = _most_frequent(strong)
    along = np.clip(away @ stroke / (stroke @ stroke), 0, 1)
    off = np.abs(away - along[..., None] * stroke).max(axis=2) > (0.4 if tolerance else 0.15)
    if off.sum() > 0.05 * (~ground).sum():
        raise UsageError(f"it has several colours beside {name}, as labels or a photograph have: {SAVE}")
    colour = "#" + "".join(
        f"{round(255 * float(value)):02x}" for value in np.clip(_plain(stroke, name), 0, 1)
    )
    return Marked(
        np.asarray(ground if invert else ~ground),
        (f"its strokes are {colour} on {name}: all of them are taken for white",),
    )


def _plain(away: Plane, ground: str) -> Plane:
    return away if ground == "black" else 1 + away


def _most_frequent(colours: Plane) -> Plane:
    rounded, counts = np.unique(np.rint(colours * 15), axis=0, return_counts=True)
    near = np.abs(colours * 15 - rounded[counts.argmax()]).max(axis=1) <= 1
    return np.asarray(np.median(colours[near], axis=0), np.float32)


def _on_a_layer(mask: Picture, alpha: Plane, invert: bool) -> Marked:
    """Strokes of one colour, which may be black, on a transparent layer; or black and white on a layer."""
    seen = alpha > 0
    if not seen.any():
        raise UsageError(f"it is transparent everywhere: {SAVE}")
    colours = mask.pixels[alpha >= min(0.5, float(alpha.max()))]
    if np.ptp(colours, axis=0).max() <= FAINT:
        if seen.mean() > 0.5 and colours.mean() < 0.5:
            raise UsageError(
                f"it is black with transparent parts, and either of them could be meant: {SAVE}; "
                "or give --mask alpha where the picture itself has the holes"
            )
        note = "its strokes lie on a transparent layer: all that is not transparent is taken for white"
        return Marked(~seen if invert else seen, (note,), bool((seen & (alpha < 1)).any()))
    if np.ptp(colours, axis=1).max() > _COLOURFUL:
        raise UsageError(
            f"it has colours and transparent parts: {SAVE}; "
            "or give --mask alpha where the picture itself has the holes"
        )
    return _in_gray(mask.pixels.mean(axis=2) * alpha, mask, invert)


def _named(values: list[float], mask: Picture, between: str = " and ") -> str:
    """Values in the numbers of the file, such as `0 and 3 of 255`."""
    full = FULL[mask.depth]
    return between.join(f"{value * full:.4g}" for value in values) + (f" of {full:.0f}" if full > 1 else "")


def grown(mask: Mask, pixels: int) -> Mask:
    """All places that are at most `pixels` away from a marked one."""
    if pixels == 0 or not mask.any():
        return mask
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(~mask) <= pixels)
