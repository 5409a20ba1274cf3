"""sigma_o(b)^2 P_o(u, v): how a picture varies in its flattest places, by opponent colour o and brightness b

Texture varies there, too, above all in gray. Four properties of noise bound what of it is noise:

1. The ratio of the noise in gray to that in colour is the same at all brightnesses.
2. It does not fall with frequency: cameras smooth noise in colour at least as much as in gray. Texture is
   strongest at low frequencies.
3. Where nothing but noise is seen, patches have nearly equal energies.
4. Cameras smooth noise in colour more than in gray, and texture is coarse. Gray that is
   finer than the colours is therefore noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.noise.estimation import (
    ORDER,
    SIDE,
    Look,
    at_knots,
    correlation_of,
    patches_of,
    spectra_of,
    without_texture,
)
from alr_cli.core.noise.floors import STRONG, contrast, energies, flattest_of, floor_of, has_period, unrest
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.opponent_colours import opponent_matrix

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

FEWEST_PATCHES = 400
EQUAL = 0.75  # share of equal neighbours above which a patch has no noise
# Frequencies u + v at which the ratio of gray to colour is taken, and how it is taken: as a low quantile,
# which is multiplied by what it is too small by chance.
BANDS = (2, 4, 6, 8, 10, 12, 14, 17, 20)
FEWEST_STRONG = 5
QUANTILE, BY_CHANCE = 0.25, 1.15
SPARED = 1.2  # what the noise in gray may exceed the ratio in its band
TEXTURED = 2.7  # ratio of levels above which gray shows only texture; camera files have 1.3 to 2.6
GRAY_USUAL = 2.2  # the ratio that is assumed there
COLOUR_AT_MOST = 1.4  # the stronger colour / the weaker one; camera files have 1 to 1.35
# Where gray is judged by itself: number of brightnesses, patches that each needs, share of them that count as
# flat, and share of the brightnesses that have to be calm: in general, and if gray has there at most as many
# times the level of the colours as noise has, or if the others are nearly calm.
GROUPS, FEWEST_IN_GROUP, FLAT_IN_GROUP = 4, 300, 0.02
CALM_GROUPS, CALM_HALF, WITH_COLOUR = 0.7, 0.5, 4.8
ZEROS = 0.05  # with less than this share of the usual power, floors see only what JPEG made zero
# What it may have more than the noise below texture, by how much finer gray is than the colours. Camera files
# are 1.5 to 6 times as fine.
FINER, BELOW = (1.2, 2.5), (1.15, 2.4)
# The fineness below texture up to which calm gray is bounded by property 2, and from which on it is not,
# because cameras smoothed the colours. Drawn noise of equal spectra has 0.7 to 1.4, camera files 1.1 to 5.
SMOOTHED = 1.4, 2.0
COARSE, FINE = (ORDER >= 2) & (ORDER < 7), ORDER >= SIDE
# A photograph has patches with this many times the energy of noise. Stronger variation than this without such
# patches is gravel or grass all over.
CONTENT, STRONGEST_ALIKE = 2.5, 4 / 255


@dataclass(frozen=True)
class Parts:
    """Noise by opponent colour and brightness.

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

    def scaled(self, factors: Floats) -> Parts:
        """The same noise with its opponent colours multiplied by factors (C,)."""
        return Parts(self.brightness, factors[:, None] * self.levels, self.shapes)

    @property
    def fineness(self) -> float:
        """The ratio of amplitudes at high and low frequencies in gray, over that in the colours."""
        gray, *colours = (np.sqrt(shape[FINE].mean() / shape[COARSE].mean()) for shape in self.shapes)
        return float(gray / np.mean(colours))

    def model(self) -> NoiseModel:
        """The noise of the channels. That of the opponent colours is assumed to be independent."""
        mixing = opponent_matrix(len(self.levels))
        at = np.stack([at_knots(self.brightness, levels) for levels in self.levels])
        sigma = np.sqrt(np.einsum("oc,ok->ck", mixing**2, at**2))
        share = np.mean(self.levels**2, axis=1)
        rho = np.stack([correlation_of(shape) for shape in self.shapes])
        covariance = np.einsum("o,oa,ob,oyx->abyx", share, mixing, mixing, rho)
        deviation = np.sqrt(np.einsum("aa->a", covariance[..., 0, 0]))
        return NoiseModel(sigma, covariance / (deviation[:, None] * deviation)[..., None, None])


@dataclass(frozen=True)
class Variation:
    """What is measured in the patches of a picture.

    Attributes:
        spectra: X of the patches, (n, C, u, v).
        brightness: Their brightness, (n,).
        parts: All variation in flat places.
    """

    spectra: NDArray[np.float32]
    brightness: Floats
    parts: Parts

    @classmethod
    def of(cls, pixels: NDArray[np.floating], mask: Bools | None) -> Variation | None:
        """The variation of a picture (H, W, C); None if it has too few patches."""
        patches = patches_of(pixels, mask)
        equal = (patches[..., 1:] == patches[..., :-1]).all(axis=1).mean(axis=(1, 2))
        patches = patches[equal < EQUAL]
        if len(patches) < FEWEST_PATCHES:
            return None
        brightness = patches.mean(axis=(1, 2, 3))
        mixing = opponent_matrix(pixels.shape[2]).astype(np.float32)
        mixed = np.matmul(mixing, patches.reshape(*patches.shape[:2], -1)).reshape(patches.shape)
        spectra = spectra_of(mixed)
        levels, shapes = [], []
        for part in range(spectra.shape[1]):
            own = spectra[:, part]
            at, powers = Look(own[:, None]).powers(own, brightness)
            variance, shape = without_texture(powers)
            levels.append(np.sqrt(variance))
            shapes.append(shape)
        return cls(spectra, brightness, Parts(at, np.array(levels), np.array(shapes)))

    def below_texture(self) -> Parts:
        """The noise of a colour picture, of which gray and the stronger colour have no more than properties 1
        and 2 allow."""
        weaker = self.parts.colour
        calm, other = 1 + np.argsort(np.median(self.parts.levels[1:], axis=1))
        powers = np.empty((3, SIDE, SIDE))
        powers[calm] = self._floor(calm, weaker)
        share = powers[calm].mean()
        powers[other] = _bounded(self._floor(other, weaker), powers[calm])
        usual = np.mean([power / power.mean() for power in powers[1:]], axis=0)
        powers[0] = _bounded(self._floor(0, weaker), usual * share)
        # JPEG makes some coefficients zero. Floors see these, and noise is stronger on average.
        powers /= min(1.0, share)
        ratios = np.sqrt(powers.mean(axis=(1, 2)))
        if ratios[0] > TEXTURED:
            ratios[0] = GRAY_USUAL
        ratios[other] = np.clip(ratios[other], ratios[calm], COLOUR_AT_MOST * ratios[calm])
        shapes = powers / powers.mean(axis=(1, 2), keepdims=True)
        return Parts(self.parts.brightness, ratios[:, None] * weaker, shapes)

    @cached_property
    def _groups(self) -> list[NDArray[np.intp]]:
        """The patches of similar brightness among which gray is judged by itself."""
        number = max(1, min(GROUPS, len(self.brightness) // FEWEST_IN_GROUP))
        return np.array_split(np.argsort(self.brightness, kind="stable"), number)

    def _energies(self, group: NDArray[np.intp], part: int) -> Floats:
        """The energies of patches in an opponent colour, relative to the noise in the flattest of them."""
        spectra = self.spectra[group, part]
        return energies(spectra, floor_of(spectra, FLAT_IN_GROUP))

    @cached_property
    def spread_in_colour(self) -> float:
        """How much the energy in colour differs between flat patches, where it differs least.

        It is a ratio of quantiles, which is below 1.35 if a fifth of the patches show nothing but noise.
        """
        energy = (sum(self._energies(group, part) for part in (1, 2)) for group in self._groups)
        return min(float(np.divide(*np.quantile(each, [0.2, 0.05]))) for each in energy)

    @property
    def calm_level(self) -> float:
        """The level of `calm_in_gray`, per channel; 0 if there is none."""
        calm = self.calm_in_gray
        return 0.0 if calm is None else float(np.sqrt(np.mean(calm.levels[0] ** 2))) / self._root_channels

    @cached_property
    def calm_in_gray(self) -> Parts | None:
        """The noise if gray has property 3 at most brightnesses, and no period; None if it has not."""
        groups = self._groups
        energy = [self._energies(group, 0) for group in groups]
        unrests = np.array([unrest(each) for each in energy])
        calm = unrests <= 0
        powers = [flattest_of(self.spectra[group, 0], FLAT_IN_GROUP) for group in groups]
        gray = np.sqrt([power.mean() for power in powers])
        if not calm.any():
            return None
        at = np.array([self.brightness[group].mean() for group in groups])
        colours = np.array([np.interp(at, self.parts.brightness, each) for each in self.parts.levels[1:]])
        coloured = len(colours) > 0 and np.median((gray / colours.min(axis=0))[calm]) <= WITH_COLOUR
        strong = np.median(gray) > STRONGEST_ALIKE * self._root_channels
        if strong and not coloured and np.median([contrast(each) for each in energy]) < CONTENT:
            return None
        half = (coloured and not strong) or unrests.mean() <= 0
        needed = CALM_HALF if half else CALM_GROUPS
        shape = np.mean([power / power.mean() for power in np.array(powers)[calm]], axis=0)
        if calm.mean() < needed or has_period(shape):
            return None
        gray = np.minimum(gray, np.interp(at, at[calm], gray[calm]))
        return Parts(at, np.array([gray, *colours]), np.array([shape, *self.parts.shapes[1:]]))

    def noise(self) -> Parts:
        """The noise of a colour picture: what is below texture, and in gray of calm pictures all variation
        that is not much more.

        How much more depends on property 4. Without it, half of the noise of cameras that sharpen would be
        left in gray, and texture would be taken for noise in pictures that are not quite calm. Where gray is
        not finer than the colours, its spectrum has property 2, too.
        """
        below, calm = self.below_texture(), self.calm_in_gray
        if calm is None:
            return below
        levels = np.array([np.interp(calm.brightness, below.brightness, each) for each in below.levels])
        most = np.interp(self.parts.fineness, FINER, BELOW)
        gray = _bounded(calm.shapes[0], below.shapes[1:].mean(axis=0))
        gray += np.interp(below.fineness, SMOOTHED, (0, 1)) * (calm.shapes[0] - gray)
        levels[0] = np.minimum(calm.levels[0] * np.sqrt(gray.mean()), most * levels[0])
        return Parts(calm.brightness, levels, np.array([gray / gray.mean(), *below.shapes[1:]]))

    def strong_gray(self) -> Parts:
        """What gray has below texture, for strong noise that all channels share. Its level is the same at all
        brightnesses, or what their flattest places have, if that is less."""
        power = floor_of(self.spectra[:, 0])
        gray, *colours = self.parts.levels
        shapes = np.concatenate([power[None] / power.mean(), self.parts.shapes[1:]])
        return Parts(
            self.parts.brightness, np.array([np.minimum(gray, power.mean() ** 0.5), *colours]), shapes
        )

    @property
    def _root_channels(self) -> float:
        """The level in gray of noise of level 1 that all channels share."""
        return float(len(self.parts.levels) ** 0.5)

    def _floor(self, part: int, levels: Floats) -> Floats:
        """The power of an opponent colour relative to levels at the brightnesses of `parts`, (u, v)."""
        at = np.maximum(np.interp(self.brightness, self.parts.brightness, levels), 1e-6)
        power = floor_of(np.divide(self.spectra[:, part], at[:, None, None], dtype=np.float32))
        usual = self.parts.shapes[part] * np.median(self.parts.levels[part] / np.maximum(levels, 1e-6)) ** 2
        return power if power.mean() >= ZEROS * usual.mean() else usual


def _bounded(gray: Floats, colour: Floats) -> Floats:
    """The power in gray (u, v) without what exceeds its ratio to colour at this frequency or a higher one."""
    strong = colour >= STRONG * colour.mean()
    bands = [(low <= ORDER) & (high > ORDER) for low, high in zip(BANDS, (*BANDS[1:], np.inf), strict=True)]
    ratios = [
        BY_CHANCE * np.quantile((gray / colour)[band & strong], QUANTILE)
        if np.count_nonzero(band & strong) >= FEWEST_STRONG
        else np.inf
        for band in bands
    ]
    result = gray.copy()
    for band, ratio in zip(bands, np.minimum.accumulate(ratios[::-1])[::-1], strict=True):
        result[band] = np.minimum(gray[band], SPARED * ratio * colour[band])
    result[ORDER < 2] = result[ORDER == 2].mean()
    return result
