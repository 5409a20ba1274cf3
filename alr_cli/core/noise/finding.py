"""sigma_o(b)^2 P_o(u, v): the noise of a picture, by opponent colour o and brightness b

`estimation.py` measures the variation in the flattest places. Texture varies there, too, and in gray it
cannot always be distinguished from noise. These properties distinguish them:

1. Texture is gray. Photographs of leaves, stone and cloth hardly vary in colour from pixel to pixel (0.1 to
1.5 levels of 255 along the weaker opponent colour). Sensors produce the noise of each channel independently,
and what colour matrices and JPEG leave of its colour is a quarter to a half of the noise in gray.
2. Noise is everywhere. Its level changes little between brightnesses, that of texture by factors.
3. White noise fills the highest frequencies, where texture has almost nothing (white.py).

If none of this holds, the variation does not count as noise. Weak grain that is alike in all channels is
therefore left alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cache

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.noise.drawings import is_drawing
from alr_cli.core.noise.estimation import (
    SIDE,
    Look,
    at_knots,
    correlation_of,
    patches_of,
    spectra_of,
    without_texture,
)
from alr_cli.core.noise.linear_variance import LinearVariance
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.opponent_colours import opponent_matrix
from alr_cli.core.noise.white import estimate_sigma, sigma_by_brightness

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVEL = 1 / 255
LITTLE = 0.5 * LEVEL  # weaker noise counts as none
WHITE = 0.8  # share of the level in the highest frequencies from which on noise is white
FINE = np.add.outer(np.arange(SIDE), np.arange(SIDE)) >= 1.4 * SIDE
GRAY_WHITE = 0.6  # the same in gray, where texture adds to the level
UNEVEN = 1.35, 1.45  # white noise varies less than this between brightnesses, in colour and in gray
UNEVEN_LEAST = 1.5 * LEVEL, 4 * LEVEL  # weakest noise of which that can be said
UNEXPLAINED = 0.08, 0.045  # how far the levels may be from those of a variance that is linear in brightness
EVEN = 1.5  # noise in gray varies less than this, most texture more
GRAY_LEAST = 2 * LEVEL  # least noise in gray for that rule
WEAKEST = 1.15 * LEVEL, 1.7 * LEVEL  # noise in colour: certainly none, certainly noise
WEAKEST_EVEN = 0.8 * LEVEL, 1.1 * LEVEL  # the same if gray is even
SUREST = 2.6 * LEVEL, 3.4 * LEVEL  # the same whatever gray looks like
GRAYEST = 4.8, 7.0  # noise in gray / noise in colour: certainly noise, certainly texture
ONE_COLOUR = 3.0  # ratio of the opponent colours above which the stronger one is texture of that colour
TEXTURED = 3.0  # the same ratio, above which gray shows only texture; camera files have 1.3 to 3
GRAY_USUAL = 2.0  # the ratio that is assumed there
SPARED = 1.1  # what noise in gray / noise in colour may exceed its smallest values over the brightnesses
LEAST_TEXTURED = 3  # one in so many brightnesses tells the spectrum of the noise in gray
COLOUR_AT_MOST = 1.8  # the same for the stronger colour / the weaker one
FEWEST_PATCHES = 400


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


@dataclass(frozen=True)
class _Parts:
    """The variation in the flattest places.

    Attributes:
        brightness: (K,).
        levels: sigma_o at these brightnesses, (C, K).
        shapes: P_o with mean 1, (C, u, v).
    """

    brightness: Floats
    levels: Floats
    shapes: Floats

    @property
    def colour(self) -> Floats:
        """The level of the weaker opponent colour, (K,)."""
        weaker: Floats = self.levels[1:].min(axis=0)
        return weaker

    @property
    def ratio(self) -> Floats:
        """Gray / colour, (K,). It is the same at all brightnesses for the noise of a camera, and texture adds
        to it."""
        result: Floats = self.levels[0] / np.maximum(self.colour, 1e-9)
        return result


def find_noise(pixels: NDArray[np.floating], mask: Bools | None = None) -> Found:
    """The noise of a picture (H, W, C) on [0,1]. mask: (H, W), True where a pixel must not be used."""
    if is_drawing(pixels, mask):
        return Found(Kind.NONE, 0.0, None, drawing=True)
    sigma = estimate_sigma(pixels, mask)
    if not np.isfinite(sigma):
        return Found(Kind.NONE, float("nan"), None)
    parts = _parts(pixels, mask)
    if parts is None:
        return _white_or_uneven(sigma, pixels, mask)
    gray_sigma = cache(lambda: sigma if pixels.shape[2] == 1 else _gray_sigma(pixels, mask))
    if _is_white(parts, sigma, gray_sigma):
        return _white_or_uneven(sigma, pixels, mask)
    parts, confidence = _without_gray_texture(parts, gray_sigma)
    if confidence == 0.0:
        return _white_or_uneven(sigma, pixels, mask)
    return _of(Kind.CORRELATED, _model(parts), pixels, confidence)


def noise_of_kind(
    kind: Kind, pixels: NDArray[np.floating], mask: Bools | None = None, level: float | None = None
) -> Found:
    """The noise of a picture that is known to be of a kind. All variation in flat places counts as noise.

    `level` is the level of white noise, if it is known.
    """
    if kind is Kind.UNEVEN:
        linear = LinearVariance.of(*sigma_by_brightness(pixels, mask))
        if linear is not None:
            return _of(kind, linear.model(pixels.shape[2]), pixels)
    sigma = estimate_sigma(pixels, mask) if level is None else level
    parts = _parts(pixels, mask) if kind is Kind.CORRELATED else None
    if parts is None:
        return _white(sigma, pixels.shape[2]) if np.isfinite(sigma) else Found(Kind.NONE, sigma, None)
    return _of(kind, _model(parts), pixels)


def _white(sigma: float, channels: int) -> Found:
    if sigma < LITTLE:
        return Found(Kind.NONE, sigma, None)
    return Found(Kind.WHITE, sigma, NoiseModel.white(sigma, channels))


def _white_or_uneven(sigma: float, pixels: NDArray[np.floating], mask: Bools | None) -> Found:
    """White noise, with a level that depends on brightness if that explains what is measured.

    Texture adds to the level at some brightnesses, but hardly in proportion to brightness.
    """
    channels = pixels.shape[2]
    linear = LinearVariance.of(*sigma_by_brightness(pixels, mask)) if sigma >= LITTLE else None
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


def _parts(pixels: NDArray[np.floating], mask: Bools | None) -> _Parts | None:
    """The variation in the flattest places; None if there are not enough of them."""
    patches = patches_of(pixels, mask)
    equal = (patches[..., 1:] == patches[..., :-1]).all(axis=1).mean(axis=(1, 2))
    patches = patches[equal < 0.75]
    if len(patches) < FEWEST_PATCHES:
        return None
    brightness = patches.mean(axis=(1, 2, 3))
    mixing = opponent_matrix(pixels.shape[2]).astype(np.float32)
    spectra = spectra_of(np.matmul(mixing, patches.reshape(*patches.shape[:2], -1)).reshape(patches.shape))
    levels, shapes, seen = [], [], []
    for part in range(spectra.shape[1]):
        own = spectra[:, part]
        at, powers = Look(own[:, None]).powers(own, brightness)
        variance, shape = without_texture(powers)
        levels.append(np.sqrt(variance))
        shapes.append(shape)
        seen.append(powers)
    parts = _Parts(at, np.array(levels), np.array(shapes))
    if len(levels) > 1:
        least = np.argsort(parts.ratio)[: max(1, len(at) // LEAST_TEXTURED)]
        gray, colours = without_texture(seen[0][least])[1], parts.shapes[1:].mean(axis=0)
        parts.shapes[0] = gray if np.sort(parts.ratio)[1] <= TEXTURED else colours
    return parts


def _gray_sigma(pixels: NDArray[np.floating], mask: Bools | None) -> float:
    """The white noise of the gray part. The values are shifted away from 0 and 1, which have no meaning
    there."""
    gray = pixels @ opponent_matrix(3)[0].astype(pixels.dtype)
    sigma = estimate_sigma(gray[..., None] + 10, mask)
    return sigma if np.isfinite(sigma) else 0.0


def _is_white(parts: _Parts, sigma: float, gray_sigma: Callable[[], float]) -> bool:
    """Whether the highest frequencies have as much energy as the others, and gray no more than the
    colours."""
    if len(parts.levels) == 1:
        return bool(sigma >= GRAY_WHITE * np.quantile(parts.levels[0], 0.25))
    level = float(np.quantile(parts.colour, 0.25))
    fine = parts.shapes[1:, FINE].mean()  # if the level varies, sigma is its smallest value
    if not (sigma >= WHITE * level or (sigma >= 0.4 * level and fine >= WHITE)):
        return False
    alike = np.quantile(parts.levels[0], 0.25) <= 1.6 * sigma
    return bool(alike or gray_sigma() <= 1.6 * max(sigma, level))


def _without_gray_texture(parts: _Parts, gray_sigma: Callable[[], float]) -> tuple[_Parts, float]:
    """The noise without gray texture, and how certain it is that it is noise."""
    gray = np.sort(parts.levels[0])
    low = float(np.quantile(gray, 0.25))
    if len(parts.levels) > 1:
        colour = float(np.median(parts.colour))
        ratio = float(np.median(gray)) / max(colour, 1e-9)
        sure = _step(colour, *WEAKEST) * (1 - _step(ratio, *GRAYEST))
        even = gray[-2] <= EVEN * gray[1] and gray[1] >= GRAY_LEAST and ratio <= GRAYEST[1]
        if np.median(parts.levels[1:].max(axis=0)) > ONE_COLOUR * colour:
            sure = 0.0
        elif even:
            sure = max(sure, _step(colour, *WEAKEST_EVEN))
        sure = max(sure, _step(colour, *SUREST))
        if sure > 0:
            least = float(np.sort(parts.ratio)[1])
            most = SPARED * least if least <= TEXTURED else GRAY_USUAL
            bound = np.minimum(parts.levels[0], most * np.maximum(parts.colour, colour))
            colours = np.minimum(parts.levels[1:], COLOUR_AT_MOST * parts.colour)
            return _Parts(parts.brightness, np.vstack([bound, colours]), parts.shapes), sure
    return (parts, _step(low, *WEAKEST)) if gray_sigma() >= GRAY_WHITE * low else (parts, 0.0)


def _step(value: float, low: float, high: float) -> float:
    """0 below low, 1 above high, and linear between them."""
    return float(np.clip((value - low) / (high - low), 0.0, 1.0))


def _model(parts: _Parts) -> NoiseModel:
    """The noise of the channels from that of the opponent colours, which are assumed to be independent."""
    channels = len(parts.levels)
    mixing = opponent_matrix(channels)
    at = np.stack([at_knots(parts.brightness, levels) for levels in parts.levels])
    sigma = np.sqrt(np.einsum("oc,ok->ck", mixing**2, at**2))
    share = np.mean(parts.levels**2, axis=1)
    rho = np.stack([correlation_of(shape) for shape in parts.shapes])
    covariance = np.einsum("o,oa,ob,oyx->abyx", share, mixing, mixing, rho)
    deviation = np.sqrt(np.einsum("aa->a", covariance[..., 0, 0]))
    return NoiseModel(sigma, covariance / (deviation[:, None] * deviation)[..., None, None])
