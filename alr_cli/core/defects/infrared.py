"""I = I_0 t prod_c y_c^b_c,   y = x t^g: what the infrared channel of a film scan says about dust

The dyes of a film let infrared light pass, but dust does not. t, between 0 and 1, is the share of light that
passes. I_0 is the light of the lamp, which is smooth. b_c is the small absorption of the dyes, which is
fitted and divided out. Where dust is half transparent, the picture is divided by t^g, where g is the power
with which the scan stores light. Where dust is opaque, the picture is missing. Silver (black-and-white film)
and the dyes of Kodachrome are opaque to infrared as well; their infrared channel shows the picture and is
refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.ndimage import binary_dilation, median_filter, shift, zoom

from alr_cli.errors import UsageError

Floats = NDArray[np.float64]

COARSE, MEDIAN = 4, 15  # the background is the median of 15 x 15 pixels of a picture reduced by 4
FURTHEST = 8  # largest shift in pixels between the channels of a scanner
DARKEST = 1e-3  # smallest value before taking a logarithm
CLEAR = 0.93  # t above which there is no dust
OPAQUE = 0.5  # t below which nothing of the picture is left
SILVER = 0.5  # correlation of infrared and picture, and
STRONG = 0.25  # power of the picture in the infrared channel, above which it is not a map of dust
LEAST_POWER = 0.1  # g below which dust does not darken the picture, as in an inverted negative


@dataclass(frozen=True)
class Cleaned:
    """A scan without half-transparent dust.

    Attributes:
        pixels: (H, W, C), divided by half-transparent dust.
        missing: (H, W), True where dust is opaque.
        moved: (y, x) pixels by which the infrared channel was shifted.
        power: g; 0 if nothing could be divided out.
        thinned: Share of the pixels that were divided.
    """

    pixels: NDArray[np.float32]
    missing: NDArray[np.bool_]
    moved: tuple[int, int]
    power: float
    thinned: float


def clean_by_infrared(pixels: NDArray[np.floating], infrared: NDArray[np.floating]) -> Cleaned:
    """Find and remove dust.

    Args:
        pixels: (H, W, C) on [0,1].
        infrared: (H, W), dark where there is dust, on any scale.

    Raises:
        UsageError: The infrared channel is constant, or shows the picture instead of dust.
    """
    light = np.log(np.maximum(infrared.astype(np.float64), DARKEST * max(float(infrared.max()), 1e-9)))
    colours = np.log(np.maximum(pixels.astype(np.float64), DARKEST))
    fine = np.stack([_fine(colours[..., c]) for c in range(colours.shape[2])], axis=2)
    dust = _fine(light)
    if float(dust.std()) < 1e-6:
        raise UsageError("the infrared channel is the same everywhere: it shows no dust")
    if _shows(dust, fine.mean(axis=2)):
        raise UsageError(
            "the infrared channel shows the picture, as it does for black-and-white film and Kodachrome, and "
            "not its dust: leave --infrared out"
        )
    moved = _offset(np.maximum(-dust, 0), np.abs(fine).mean(axis=2))
    dust = shift(dust, moved, order=1, mode="nearest")
    t = np.exp(np.minimum(dust - _leak(dust, fine), 0))
    power = _power(np.log(t), fine.mean(axis=2), (t > OPAQUE) & (t < CLEAR))
    if power < LEAST_POWER:
        missing = binary_dilation(t < CLEAR, structure=np.ones((3, 3)))
        return Cleaned(pixels.astype(np.float32), np.asarray(missing), moved, 0.0, 0.0)
    missing = binary_dilation(t < OPAQUE, structure=np.ones((3, 3)))
    thin = (t < CLEAR) & ~missing
    divided = np.where(thin[..., None], pixels / t[..., None] ** power, pixels)
    return Cleaned(divided.astype(np.float32), np.asarray(missing), moved, power, float(thin.mean()))


def _fine(log: Floats) -> Floats:
    """A plane without its background."""
    small = log[COARSE // 2 :: COARSE, COARSE // 2 :: COARSE] if min(log.shape) >= 2 * COARSE else log
    background = median_filter(small, MEDIAN, mode="nearest")
    factors = [n / m for n, m in zip(log.shape, background.shape, strict=True)]
    return np.asarray(log - zoom(background, factors, order=1, mode="nearest", grid_mode=True))


def _shows(dust: Floats, picture: Floats) -> bool:
    """Whether infrared follows the picture. The darkest places are left out, because dust is in both."""
    clear = dust >= np.quantile(dust, 0.1)
    a, b = dust[clear] - dust[clear].mean(), picture[clear] - picture[clear].mean()
    both, power = float((a * b).sum()), float((b**2).sum()) + 1e-12
    return abs(both) > SILVER * np.sqrt(float((a**2).sum()) * power) and abs(both) > STRONG * power


def _offset(dust: Floats, detail: Floats) -> tuple[int, int]:
    """The shift of `dust` that matches it with the detail of the picture, by correlation."""
    a, b = (np.minimum(each, 1) - np.minimum(each, 1).mean() for each in (dust, detail))
    product = irfft2(rfft2(b) * rfft2(a).conj(), a.shape)
    reach = [min(FURTHEST, n // 4) for n in a.shape]
    rows, columns = (np.arange(-r, r + 1) for r in reach)
    near = product[np.ix_(rows, columns)]
    row, column = np.unravel_index(int(near.argmax()), near.shape)
    doubtful = near.max() < 1.2 * near[reach[0], reach[1]]
    return (0, 0) if doubtful else (int(rows[row]), int(columns[column]))


def _leak(dust: Floats, fine: Floats) -> Floats:
    """What the dyes absorb of the infrared light: the regression on the colours where there is no dust."""
    spread = 1.4826 * float(np.median(np.abs(dust - np.median(dust)))) + 1e-6
    clear = np.abs(dust) < 3 * spread
    b, *_ = np.linalg.lstsq(fine[clear], dust[clear], rcond=None)
    return np.asarray(fine @ b)


def _power(dust: Floats, picture: Floats, thin: NDArray[np.bool_]) -> float:
    """g: the logarithm of the picture divided by that of t, where dust is half transparent.

    It is a median, because the picture has detail of its own there.
    """
    if thin.sum() < 20:
        return 1.0
    return float(np.clip(np.median(picture[thin] / dust[thin]), 0, 1.5))
