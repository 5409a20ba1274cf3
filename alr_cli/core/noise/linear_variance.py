"""sigma(b)^2 = v_0 + v_1 b: the noise of light that is counted, from levels at several brightnesses

Texture adds to the level at some brightnesses, but hardly ever in proportion to brightness. How well such a
line fits therefore says whether the level depends on brightness or only seems to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.noise.model import POISSON_KNOTS, NoiseModel

Floats = NDArray[np.floating]

FEWEST = 5  # brightnesses


@dataclass(frozen=True)
class LinearVariance:
    """Noise whose variance is linear in brightness.

    Attributes:
        coefficients: v_0 and v_1.
        least: A measured level than which only one is smaller.
        spread: The largest ratio of the levels between the measured brightnesses.
        unexplained: Root mean square of the logarithms of fitted levels relative to measured ones. The two
            worst do not count.
    """

    coefficients: Floats
    least: float
    spread: float
    unexplained: float

    @classmethod
    def of(cls, sigma: Floats, brightness: Floats) -> LinearVariance | None:
        """The best for the levels (K,) at brightnesses (K,); None if they are too few, or zero.

        Relative errors of the variance are minimised, once more without the two largest.
        """
        if len(sigma) < FEWEST or not sigma.min() > 0:
            return None
        variance, kept = sigma**2, np.ones(len(sigma), bool)
        design = np.stack([np.ones_like(brightness), brightness], axis=1) / variance[:, None]
        for _ in range(2):
            coefficients = np.linalg.lstsq(design[kept], np.ones(np.count_nonzero(kept)), rcond=None)[0]
            errors = np.abs(design @ coefficients - 1)
            kept = errors <= np.sort(errors)[-3]
        fitted = np.maximum(design @ coefficients, 1 / 16)  # relative to the measured variance
        levels = np.sqrt(fitted) * sigma
        inside, misses = levels[1:-1], np.sort(np.abs(np.log(fitted) / 2))[:-2]
        spread, unexplained = inside.max() / inside.min(), np.sqrt(np.mean(misses**2))
        return cls(coefficients, float(np.sort(sigma)[1]), float(spread), float(unexplained))

    def model(self, channels: int) -> NoiseModel:
        """The same noise in all channels.

        At brightnesses beyond the measured ones it has at least half of the level `least`.
        """
        light = np.linspace(0, 1, POISSON_KNOTS)
        variance = np.maximum(self.coefficients[0] + self.coefficients[1] * light, (self.least / 2) ** 2)
        return NoiseModel(
            np.tile(np.sqrt(variance), (channels, 1)), NoiseModel.white(1, channels).correlation
        )
