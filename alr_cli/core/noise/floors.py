"""P(u, v) = E X(u, v)^2 in the patches that have least at the neighbouring frequencies: noise below texture

A patch that is flat in one direction has texture in another one, and a facade has none between the multiples
of its period. The flattest patches are therefore chosen for each frequency by itself, by one half of the
frequencies around it (a checkerboard), and it is measured at the other half. What makes a patch look flat by
chance does not make its measured noise smaller.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.noise.estimation import FEWEST_FLAT, FLOOR, HALVES, MEDIAN_OF_SQUARE, ORDER, SIDE

Floats = NDArray[np.float64]

SHARE = 0.01  # of the patches count as flat
NEAR = 3  # frequencies in each direction
_AROUND = (np.abs(np.subtract.outer(np.arange(SIDE), np.arange(SIDE))) <= NEAR).astype(np.float32)
_NOTHING = 1e-12
STRONG = 0.2  # of the mean of P; weaker frequencies show little but rounding
CALM = 1.3, 1.45  # ratios of quantiles of the energy of patches, if a twentieth of them show only noise
BELOW_FEW = 2.0  # their energy at most, relative to the floors; noise has 1.0 to 1.7
PEAK = 5.0  # times the neighbouring frequencies; noise has up to 3.8, a halftone screen or cloth 7 to 11
_BESIDE = 5  # frequencies in each direction, with which a peak is compared


def floor_of(spectra: NDArray[np.float32], share: float = SHARE) -> Floats:
    """P (u, v) of the patches with spectra X (n, u, v)."""
    squares = np.square(spectra, dtype=np.float32)
    usual = np.maximum(np.median(squares, axis=0), _NOTHING)
    count = min(len(squares), max(round(share * len(squares)), FEWEST_FLAT))
    power = np.empty((SIDE, SIDE))
    for chosen, measured in zip(HALVES, reversed(HALVES), strict=True):
        energy = _AROUND @ np.where(chosen, squares / usual, 0.0) @ _AROUND
        flattest = np.argpartition(energy[:, measured].T, count - 1, axis=1)[:, :count]
        seen = np.take_along_axis(squares[:, measured].T, flattest, axis=1)
        power[measured] = np.median(seen, axis=1) / MEDIAN_OF_SQUARE
    power[ORDER < 2] = power[ORDER == 2].mean()
    return np.maximum(power, FLOOR)


def flattest_of(spectra: NDArray[np.float32], share: float) -> Floats:
    """P (u, v) of the patches that are flattest at all frequencies together.

    It is for pictures with flat places. There `floor_of` is too small if the level of the noise differs
    between places, as after JPEG.
    """
    count = min(len(spectra), max(round(share * len(spectra)), FEWEST_FLAT))
    power = np.empty((SIDE, SIDE))
    for chosen, measured in zip(HALVES, reversed(HALVES), strict=True):
        flat = np.argpartition(np.square(spectra[:, chosen]).sum(axis=1), count - 1)[:count]
        power[measured] = np.median(np.square(spectra[flat][:, measured]), axis=0) / MEDIAN_OF_SQUARE
    power[ORDER < 2] = power[ORDER == 2].mean()
    return np.maximum(power, FLOOR)


def energies(spectra: NDArray[np.float32], power: Floats) -> Floats:
    """The energies (n,) of patches with spectra X (n, u, v), which are 1 on average for noise with spectrum P
    (u, v)."""
    strong = (power >= STRONG * power.mean()) & (ORDER >= 4)
    result: Floats = np.mean(np.square(spectra[:, strong]) / power[strong], axis=1)
    return result


def unrest(energy: Floats) -> float:
    """How far the patches are from showing nothing but noise; at most 0 if a twentieth of them does.

    The energies (n,) of the flattest ones, relative to the floors, are nearly equal and nearly 1 then. Those
    of texture differ by factors.
    """
    least, less, few, more = np.quantile(energy, [0.01, 0.02, 0.05, 0.1])
    return float(np.log(max(few / min(CALM[0] * least, BELOW_FEW), more / (CALM[1] * less))))


def has_period(power: Floats) -> bool:
    """Whether a spectrum (u, v) has a peak, which that of noise has not: halftone, cloth, and other texture
    that repeats itself.

    All its patches have the same energy, like those of noise. Peaks along rows and columns are left out,
    because horizontal and vertical banding have them.
    """
    inside = power[1:, 1:]
    edge = _BESIDE // 2
    around = np.lib.stride_tricks.sliding_window_view(np.pad(inside, edge, mode="edge"), (_BESIDE, _BESIDE))
    return bool((inside > PEAK * np.median(around, axis=(2, 3))).any())


def contrast(energy: Floats) -> float:
    """How much more energy the richest patches have than the calm ones."""
    calm, rich = np.quantile(energy, [0.1, 0.95])
    return float(rich / calm)
