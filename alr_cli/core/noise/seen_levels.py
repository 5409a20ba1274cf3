"""log f_o = sum_k w_ok (m_ok - log sigma_o(b_k)): the level a network sees, relative to a found one

The rules (variation.py) tell how the level sigma_o depends on brightness, and the network (levels.py), how
strong it is in the mean over the picture. m_ok is the logarithm of the level of opponent colour o in cell k,
w_ok its weight, and b_k the brightness of the cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.noise.variation import Parts

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WEAKEST = 0.7 / 255  # is added to levels, in squares, because nothing is known about weaker noise
_NOTHING = 1e-12


@dataclass(frozen=True)
class SeenLevels:
    """What the network sees in n cells of a picture.

    Attributes:
        brightness: (n,).
        levels: m, (3, n), for levels on [0,1].
        weights: w, (3, n), with sum 1 for each colour.
    """

    brightness: Floats
    levels: Floats
    weights: Floats

    def relative_to(self, parts: Parts) -> Floats:
        """The level that the network sees, relative to that of `parts`, for each opponent colour (3,)."""
        expected = np.stack([np.interp(self.brightness, parts.brightness, each) for each in parts.levels])
        ratio = self.levels - np.log(np.hypot(expected, WEAKEST))
        found = np.mean(parts.levels**2, axis=1)
        seen = (found + WEAKEST**2) * np.exp(2 * (self.weights * ratio).sum(axis=1)) - WEAKEST**2
        result: Floats = np.sqrt(np.maximum(seen, 0) / np.maximum(found, _NOTHING))
        return result

    @property
    def mean(self) -> Floats:
        """The level in the picture, (3,)."""
        squares = np.exp(2 * (self.weights * self.levels).sum(axis=1)) - WEAKEST**2
        result: Floats = np.sqrt(np.maximum(squares, 0))
        return result


class SeesLevels(Protocol):
    """What sees the level of the noise in colour pictures; see `levels.LevelFinder`."""

    def see(self, pixels: NDArray[np.floating], mask: Bools | None = None) -> SeenLevels | None:
        """pixels: (H, W, 3) on [0,1]. mask: (H, W), True where a pixel must not be used."""
        ...
