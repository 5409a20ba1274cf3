"""sigma_o(b)^2 P_o(u, v): the noise of a picture, by opponent colour o and brightness b

`variation.py` measures the variation in the flattest places. Texture varies there, too, and in gray it
cannot always be distinguished from noise. These properties distinguish them:

1. Texture is gray. Photographs of leaves, stone and cloth hardly vary in colour from pixel to pixel (0.1 to
1.5 levels of 255 along the weaker opponent colour). Sensors produce the noise of each channel independently,
and what colour matrices and JPEG leave of its colour is a quarter to a half of the noise in gray.
2. Noise is everywhere. Its level changes little between brightnesses, that of texture by factors.
3. White noise fills the highest frequencies, where texture has almost nothing (white.py).
4. Where a picture has flat places, many patches show nothing but noise and have the same energy (floors.py).
   Halftone and cloth have it, too, but their spectrum has peaks.

If none of this holds, the variation does not count as noise. A network that sees shapes (levels.py) then
measures the level of what is found, and finds strong noise in gray that these properties miss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.noise.blocking import shrunk
from alr_cli.core.noise.channels import noise_by_channel
from alr_cli.core.noise.drawings import is_drawing
from alr_cli.core.noise.estimation import SIDE
from alr_cli.core.noise.linear_variance import LinearVariance
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.opponent_colours import opponent_matrix
from alr_cli.core.noise.seen_levels import SeenLevels, SeesLevels
from alr_cli.core.noise.variation import STRONGEST_ALIKE, Parts, Variation
from alr_cli.core.noise.white import WhiteNoise, estimate_sigma

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVEL = 1 / 255
LITTLE = 0.5 * LEVEL  # weaker noise counts as none
WHITE = 0.8  # share of the level in the highest frequencies from which on noise is white
FINE = np.add.outer(np.arange(SIDE), np.arange(SIDE)) >= 1.4 * SIDE
GRAY_WHITE = 0.6  # the same in gray, where texture adds to the level
SHARED_WHITE = 0.75  # the same for noise that all channels share: it has 0.8 or more, gravel all over 0.63
UNEVEN = 1.35, 1.45  # white noise varies less than this between brightnesses, in colour and in gray
UNEVEN_LEAST = 1.5 * LEVEL, 4 * LEVEL  # weakest noise of which that can be said
UNEXPLAINED = 0.08, 0.045  # how far the levels may be from those of a variance that is linear in brightness
EVEN = 1.5  # noise in gray varies less than this, most texture more
GRAY_LEAST = 2 * LEVEL  # least noise in gray for that rule
WEAKEST = 1.15 * LEVEL, 1.7 * LEVEL  # noise in colour: certainly none, certainly noise
WEAKEST_EVEN = 0.8 * LEVEL, 1.1 * LEVEL  # the same if gray is even
# The same if gray is calm, and stronger than the colours, as all noise is that a camera leaves. Smooth shades
# in colour are not.
WEAKEST_CALM = 0.5 * LEVEL, 0.8 * LEVEL
SPREAD = 1.35, 1.55  # of the energy in colour: certainly noise, certainly texture
SUREST = 2.6 * LEVEL, 3.4 * LEVEL  # the same whatever gray looks like
GRAYEST = 4.8, 7.0  # noise in gray / noise in colour: certainly noise, certainly texture
ONE_COLOUR = 3.0  # ratio of the opponent colours above which the stronger one is texture of that colour
GRAY_ALONE = 1.0 * LEVEL, 1.2 * LEVEL  # noise in gray alone, per channel: certainly none, certainly noise
# What the network sees: certainly none, certainly noise, in colour, and in gray alone, per channel
SEEN_IN_COLOUR = 1.7 * LEVEL, 2.2 * LEVEL
SEEN_ALONE = 5.0 * LEVEL, 5.5 * LEVEL
# Where only the network sees noise: the level of the highest frequencies, relative to all, and the level at
# half the resolution. Certainly noise, certainly texture.
FINE_TEXTURE = 0.25, 0.4
COARSE_TEXTURE = 1.1, 1.25
# What it sees relative to the flattest places: texture, if it is coarse, and noise, although it is coarse.
ALL_SEEN = 0.7, 0.9
# What the network sees less in gray than the rules find has these exponents, with noise in colour, without it
# and if that is strong. Its level in colour may be wrong by the last number.
TRUST, TRUST_ALONE, TRUST_STRONG, UNCERTAIN = 0.75, 0.5, 0.25, 1.25


class Kind(Enum):
    NONE = "none"
    WHITE = "white"
    UNEVEN = "poisson"  # white, with a level that depends on brightness
    CORRELATED = "correlated"


@dataclass(frozen=True)
class Found:
    """The noise that was found.

    Attributes:
        kind: Its kind.
        sigma: Its level in this picture; NaN if the picture is too small.
        model: Its model; None if there is no noise to remove.
        confidence: 0 to 1, how certain it is that this is noise. The level is already multiplied by it.
        drawing: Whether the picture is not a photograph.
    """

    kind: Kind
    sigma: float
    model: NoiseModel | None
    confidence: float = 1.0
    drawing: bool = False


def find_noise(
    pixels: NDArray[np.floating], mask: Bools | None = None, finder: SeesLevels | None = None
) -> Found:
    """The noise of a picture (H, W, C) on [0,1].

    Args:
        pixels: The picture.
        mask: (H, W), True where a pixel must not be used.
        finder: What sees the level of correlated noise in colour pictures. Without it, the rules decide.
    """
    if is_drawing(pixels, mask):
        return Found(Kind.NONE, 0.0, None, drawing=True)
    white = WhiteNoise(pixels, mask)
    sigma = white.sigma
    if not np.isfinite(sigma):
        return Found(Kind.NONE, float("nan"), None)
    seen = Variation.of(pixels, mask)
    if seen is None:
        return _white_or_uneven(sigma, white, pixels)
    gray_sigma = cache(lambda: sigma if pixels.shape[2] == 1 else _gray_sigma(pixels, mask))
    if _is_white(seen, sigma, gray_sigma):
        return _white_or_uneven(sigma, white, pixels)
    parts, confidence = _noise_in(seen, gray_sigma)
    levels = finder.see(pixels, mask) if finder is not None and pixels.shape[2] == 3 else None
    if finder is not None and levels is not None:
        low = float(np.quantile(seen.parts.levels[0], 0.25))
        strong = _StrongInGray(pixels, mask, finder, levels, gray_sigma, low)
        parts, confidence = _as_seen(seen, (parts, confidence), levels, strong.certainty)
    if confidence == 0.0:
        return _white_or_uneven(sigma, white, pixels)
    model = parts.model() if pixels.shape[2] == 1 else noise_by_channel(seen, parts)
    return _of(Kind.CORRELATED, model, pixels, confidence)


def noise_of_kind(
    kind: Kind, pixels: NDArray[np.floating], mask: Bools | None = None, level: float | None = None
) -> Found:
    """The noise of a picture that is known to be of a kind. All variation in flat places counts as noise.

    `level` is the level of white noise, if it is known.
    """
    if kind is Kind.UNEVEN:
        linear = LinearVariance.of(*WhiteNoise(pixels, mask).by_brightness())
        if linear is not None:
            return _of(kind, linear.model(pixels.shape[2]), pixels)
    sigma = estimate_sigma(pixels, mask) if level is None else level
    seen = Variation.of(pixels, mask) if kind is Kind.CORRELATED else None
    if seen is None:
        return _white(sigma, pixels.shape[2]) if np.isfinite(sigma) else Found(Kind.NONE, sigma, None)
    return _of(kind, seen.parts.model(), pixels)


def _white(sigma: float, channels: int) -> Found:
    if sigma < LITTLE:
        return Found(Kind.NONE, sigma, None)
    return Found(Kind.WHITE, sigma, NoiseModel.white(sigma, channels))


def _white_or_uneven(sigma: float, white: WhiteNoise, pixels: NDArray[np.floating]) -> Found:
    """White noise, with a level that depends on brightness if that explains what is measured.

    Texture adds to the level at some brightnesses, but hardly in proportion to brightness.
    """
    channels = pixels.shape[2]
    linear = LinearVariance.of(*white.by_brightness()) if sigma >= LITTLE else None
    if linear is None:
        return _white(sigma, channels)
    even, least, unexplained = (each[channels == 1] for each in (UNEVEN, UNEVEN_LEAST, UNEXPLAINED))
    if linear.spread <= even or linear.least < least or linear.unexplained > unexplained:
        return _white(sigma, channels)
    return _of(Kind.UNEVEN, linear.model(channels), pixels)


def _of(kind: Kind, model: NoiseModel, pixels: NDArray[np.floating], confidence: float = 1.0) -> Found:
    model = model.scaled(confidence)
    sigma = model.level(pixels)
    if sigma < LITTLE:
        return Found(Kind.NONE, sigma, None, confidence)
    return Found(kind, sigma, model, confidence)


def _gray_sigma(pixels: NDArray[np.floating], mask: Bools | None) -> float:
    """The white noise of the gray part. The values are shifted away from 0 and 1, which have no meaning
    there."""
    gray = pixels @ opponent_matrix(3)[0].astype(pixels.dtype)
    sigma = estimate_sigma(gray[..., None] + 10, mask)
    return sigma if np.isfinite(sigma) else 0.0


def _is_white(seen: Variation, sigma: float, gray_sigma: Callable[[], float]) -> bool:
    """Whether the highest frequencies have as much energy as the others, and gray no more than the
    colours."""
    parts = seen.parts
    if len(parts.levels) == 1:
        if seen.calm_in_gray is not None:
            return bool(seen.calm_in_gray.shapes[0, FINE].mean() >= GRAY_WHITE)
        return bool(sigma >= GRAY_WHITE * np.quantile(parts.levels[0], 0.25))
    level = float(np.quantile(parts.colour, 0.25))
    fine = parts.shapes[1:, FINE].mean()  # if the level varies, sigma is its smallest value
    if not (sigma >= WHITE * level or (sigma >= 0.4 * level and fine >= WHITE)):
        return False
    alike = np.quantile(parts.levels[0], 0.25) <= 1.6 * sigma
    return bool(alike or gray_sigma() <= 1.6 * max(sigma, level))


def _noise_in(seen: Variation, gray_sigma: Callable[[], float]) -> tuple[Parts, float]:
    """The noise without texture, and how certain it is that it is noise."""
    calm, by_gray = seen.calm_in_gray, _step(seen.calm_level, *GRAY_ALONE)
    sure = _sure_by_colour(seen) if len(seen.parts.levels) > 1 else 0.0
    if sure > 0:
        return seen.noise(), max(sure, by_gray)
    if calm is not None and by_gray > 0:
        return calm, by_gray
    low = float(np.quantile(seen.parts.levels[0], 0.25))
    share = GRAY_WHITE if len(seen.parts.levels) == 1 else SHARED_WHITE
    return seen.parts, _step(low, *WEAKEST) if gray_sigma() >= share * low else 0.0


def _as_seen(
    seen: Variation, noise: tuple[Parts, float], levels: SeenLevels, gray: Callable[[], float]
) -> tuple[Parts, float]:
    """The noise that the rules found, with its certainty, corrected by what the network sees.

    Rules take too much for noise, and the network too little, if it is as coarse as texture. Between them,
    the truth is nearer to the network where colour shows the noise, too.

    Args:
        seen: The variation of the picture.
        noise: What of it is noise, and how certain that is.
        levels: What the network sees.
        gray: How certain it is that strong noise that only the network sees in gray is noise.
    """
    parts, confidence = noise
    by_colour = _step(float(levels.mean[1:].min()), *SEEN_IN_COLOUR)
    only_gray = seen.calm_in_gray is not None and _sure_by_colour(seen) == 0
    trust = TRUST_ALONE if only_gray else TRUST
    strong = only_gray and seen.calm_level > STRONGEST_ALIKE
    if by_colour == 0 and (confidence == 0 or strong):
        parts, trust = seen.strong_gray(), TRUST_STRONG
        confidence = confidence or gray()
    elif confidence == 0:
        parts = seen.noise()
    factors = levels.relative_to(parts)
    factors[0] = min(1.0, factors[0] ** trust)
    factors[1:] = np.clip(1.0, factors[1:] / UNCERTAIN, factors[1:] * UNCERTAIN)
    return parts.scaled(factors), max(confidence, by_colour)


@dataclass(frozen=True)
class _StrongInGray:
    """Strong noise in gray that only the network sees.

    Attributes:
        pixels, mask: As in `find_noise`.
        finder: The network.
        levels: What it sees.
        finest: The level of the highest frequencies of gray in the flattest places.
        lowest: The level of all frequencies there.
    """

    pixels: NDArray[np.floating]
    mask: Bools | None
    finder: SeesLevels
    levels: SeenLevels
    finest: Callable[[], float]
    lowest: float

    def certainty(self) -> float:
        """How certain it is that it is noise.

        Texture has much in the highest frequencies. Or it has more than noise at half the resolution, and the
        network does not take all of what is in the flattest places for noise.
        """
        level = float(self.levels.mean[0])
        sure = _step(level / 3**0.5, *SEEN_ALONE)
        sure = sure * (1 - _step(self.finest() / self.lowest, *FINE_TEXTURE)) if sure > 0 else 0.0
        if sure == 0:
            return 0.0
        hidden = None if self.mask is None else shrunk(self.mask[..., None].astype(np.float32), 2)[..., 0] > 0
        half = self.finder.see(shrunk(self.pixels, 2), hidden)
        if half is None:
            return 0.0
        coarse = _step(float(half.mean[0] / self.levels.mean[0]), *COARSE_TEXTURE)
        return sure * max(1 - coarse, _step(level / self.lowest, *ALL_SEEN))


def _sure_by_colour(seen: Variation) -> float:
    """How certain it is, by the variation in colour, that it is noise."""
    parts = seen.parts
    gray = np.sort(parts.levels[0])
    colour = float(np.median(parts.colour))
    ratio = float(np.median(gray)) / max(colour, 1e-9)
    calm = seen.calm_in_gray is not None
    weakest = WEAKEST_CALM if seen.calm_level * len(parts.levels) ** 0.5 >= colour else WEAKEST
    sure = _step(colour, *weakest) * (1 - _step(ratio, *GRAYEST))
    even = gray[-2] <= EVEN * gray[1] and gray[1] >= GRAY_LEAST and ratio <= GRAYEST[1]
    if np.median(parts.levels[1:].max(axis=0)) > ONE_COLOUR * colour:
        sure = 0.0
    elif even:
        sure = max(sure, _step(colour, *WEAKEST_EVEN))
    if sure > 0 and not calm:
        sure *= 1 - _step(seen.spread_in_colour, *SPREAD)
    return max(sure, _step(colour, *SUREST))


def _step(value: float, low: float, high: float) -> float:
    """0 below low, 1 above high, and linear between them."""
    return float(np.clip((value - low) / (high - low), 0.0, 1.0))
