"""sigma_c(b)^2 = median of (e_c - t),  t = max(e_0 - sigma_0^2, 0) / 3: the noise of each channel at its
brightness

e_c and e_0 are the energies of channel c and of gray in a flat patch, relative to the share of their noise in
the frequencies that are measured. What gray has more than noise is texture, and each channel has a third of
it.

Noise that is described by opponent colours and by mean brightness is the same in all channels. That of a
sensor is not: white balance amplifies red and blue, and tone curves amplify the channel that is dark. In a
blue sky, red has twice the noise of the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.noise.estimation import FEWEST_FLAT, HALVES, SIDE, at_knots
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.opponent_colours import opponent_matrix
from alr_cli.core.noise.variation import Parts, Variation

Floats = NDArray[np.float64]

BINS = 10  # of the brightness of a channel, with equally many patches
SHARE = 0.05  # of the patches of a bin count as flat
LEAST, MOST = 0.65, 2.0  # the level of a channel relative to that of the opponent colours
# Energy in colour relative to that of noise: flat patches have 0.8 to 1.4 if they show noise, and more if
# they show texture. From the second number on, a bin tells nothing about its channel.
COLOURED = 1.5, 2.2
_NOTHING = 1e-6


def noise_by_channel(seen: Variation, parts: Parts) -> NoiseModel:
    """The model of the noise `parts` of a colour picture, with the levels that its channels have.

    Args:
        seen: The variation of the picture.
        parts: What of it is noise.
    """
    mixing = opponent_matrix(len(parts.levels))
    levels = np.stack([np.interp(seen.brightness, parts.brightness, own) for own in parts.levels])
    variance = np.maximum(levels, _NOTHING) ** 2  # (o, n)
    expected = (mixing**2).T @ variance  # (c, n)
    brightness = np.einsum("oc,no->cn", mixing, seen.spectra[:, :, 0, 0]) / SIDE
    order = np.argsort(brightness, axis=1)
    bins = min(BINS, len(order[0]) // (2 * FEWEST_FLAT))
    found = np.empty((2, len(mixing), bins))
    at = np.empty_like(found)
    for half, (chosen, measured) in enumerate(zip(HALVES, reversed(HALVES), strict=True)):
        energy = _energies(seen, parts, chosen) / variance
        flatness = energy.sum(axis=0)
        ratios, coloured = _ratios(seen, parts, measured, variance)
        for channel, ordered in enumerate(order):
            for number, group in enumerate(np.array_split(ordered, bins)):
                count = min(len(group), max(int(SHARE * len(group)), FEWEST_FLAT))
                flat = group[np.argpartition(flatness[group], count - 1)[:count]]
                ratio = np.clip(np.median(ratios[channel, flat]), LEAST**2, MOST**2)
                known = 1 - np.interp(np.median(coloured[flat]), COLOURED, (0, 1))
                found[half, channel, number] = ratio**known * np.median(expected[channel, flat])
                at[half, channel, number] = brightness[channel, flat].mean()
    sigma = [
        at_knots(np.sort(place), level[np.argsort(place)])
        for place, level in zip(at.mean(axis=0), np.sqrt(found.mean(axis=0)), strict=True)
    ]
    return NoiseModel(np.array(sigma), parts.model().correlation)


def _energies(seen: Variation, parts: Parts, half: NDArray[np.bool_]) -> Floats:
    """e (o, n) of the opponent colours in one half of the frequencies, which is sigma^2 on average for
    noise."""
    share = parts.shapes[:, half].mean(axis=1)
    result: Floats = np.square(seen.spectra[:, :, half]).mean(axis=2).T / share[:, None]
    return result


def _ratios(
    seen: Variation, parts: Parts, half: NDArray[np.bool_], variance: Floats
) -> tuple[Floats, Floats]:
    """The energy (c, n) of the channels in one half of the frequencies relative to that of their noise, and
    that of the colours (n,)."""
    mixing = opponent_matrix(len(variance))
    energy, share = _energies(seen, parts, half), parts.shapes[:, half].mean(axis=1)
    texture = share[0] * np.maximum(energy[0] - variance[0], 0) / len(mixing)
    channels = np.einsum("oc,nof->cnf", mixing.astype(np.float32), seen.spectra[:, :, half], optimize=True)
    noise = (mixing**2).T @ (share[:, None] * variance)
    ratios = (np.square(channels).mean(axis=2) - texture) / noise
    return ratios, (energy[1:] / variance[1:]).mean(axis=0)
