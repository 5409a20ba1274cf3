"""K(f) of blurs that one or two numbers describe, and the numbers that maximise p(y | k)

gaussian  exp(-2 pi^2 sigma^2 |f|^2)                           sigma
disk      2 J1(2 pi R |f|) / (2 pi R |f|)                      radius R (defocus)
motion    sinc(L u) sinc(v), u along and v across the line     length L and angle

Disk and motion are multiplied by sinc(fx) sinc(fy), because a pixel collects the light that falls on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import j1

from alr_cli.core.blind.spectrum import Spectrum, evidence

Floats = NDArray[np.float64]

ANGLES = 24  # number of angles in half a turn that the first search tries for motions
THINNED = 8  # the first search uses every so many frequencies if there are two parameters
DOUBT = 1e-3  # increase of the cost, per frequency, up to which a size is possible


@dataclass(frozen=True)
class Family:
    """A family of kernels.

    Attributes:
        name: Its name.
        power: |K|^2 from the parameters, at the frequencies of a spectrum.
        sizes: Sizes that the first search tries.
        width: Width of a kernel in pixels, relative to its size.
        least: Smallest size.
        directed: Whether the second parameter is an angle in degrees.
    """

    name: str
    power: Callable[[tuple[float, ...], Spectrum], Floats]
    sizes: tuple[float, ...]
    width: float
    least: float
    directed: bool = False


@dataclass(frozen=True)
class Fit:
    """The best member of a family.

    Attributes:
        family: The family.
        parameters: (sigma,), (radius,) or (length, angle in degrees).
        cost: As in `evidence`.
        between: The sizes for which the cost increases by less than DOUBT.
    """

    family: Family
    parameters: tuple[float, ...]
    cost: float
    between: tuple[float, float]


def _gaussian(parameters: tuple[float, ...], y: Spectrum) -> Floats:
    return np.asarray(np.exp(-((2 * math.pi * parameters[0]) ** 2) * (y.fx**2 + y.fy**2)))


def _disk(parameters: tuple[float, ...], y: Spectrum) -> Floats:
    z = 2 * math.pi * parameters[0] * np.hypot(y.fx, y.fy)
    return np.asarray((2 * j1(z) / z * _pixel(y)) ** 2)


def _motion(parameters: tuple[float, ...], y: Spectrum) -> Floats:
    length, angle = parameters
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    along, across = y.fx * cos - y.fy * sin, y.fy * cos + y.fx * sin  # counter-clockwise, with y down
    return np.asarray((np.sinc(length * along) * np.sinc(across) * _pixel(y)) ** 2)


def _pixel(y: Spectrum) -> Floats:
    return np.asarray(np.sinc(y.fx) * np.sinc(y.fy))


def _geometric(low: float, high: float, count: int) -> tuple[float, ...]:
    return tuple(np.geomspace(low, high, count).tolist())


def _whole(low: int, high: int) -> tuple[float, ...]:
    """Sizes in steps of a pixel. Lengths that differ by more have no zeros in common with the true one."""
    return tuple(float(size) for size in range(low, high + 1))


FAMILIES = {
    "gaussian": Family("gaussian", _gaussian, _geometric(0.3, 8, 18), 6, 0.1),
    "disk": Family("disk", _disk, _geometric(0.7, 20, 44), 2, 0.3),
    "motion": Family("motion", _motion, (*_whole(2, 32), *_geometric(33.5, 60, 12)), 1, 1, directed=True),
}


def fit(family: Family, y: Spectrum, largest: float) -> Fit:
    """The member of a family that explains a spectrum best, no wider than `largest` pixels."""

    few = y.thinned(THINNED) if family.directed else y

    def cost(parameters: tuple[float, ...], seen: Spectrum = y) -> float:
        return evidence(seen, family.power(parameters, seen)).cost

    def first_cost(parameters: tuple[float, ...]) -> float:
        return cost(parameters, few)

    angles = np.arange(ANGLES) * 180 / ANGLES
    first = sorted(
        (first_cost(p), p)
        for size in family.sizes
        if size * family.width <= largest
        for p in ([(size, float(angle)) for angle in angles] if family.directed else [(size,)])
    )
    # Keep the best of each octave: half a length has half of the zeros, and could hide the true one.
    octaves = {int(math.log2(p[0])): p for _, p in reversed(first)}
    starts = [_refined(first_cost, p, family.least)[1] for p in octaves.values()]
    value, parameters = _refined(cost, min(starts, key=cost), family.least)
    return Fit(family, parameters, value, _between(cost, parameters, value + DOUBT))


def _refined(
    cost: Callable[[tuple[float, ...]], float], start: tuple[float, ...], least: float
) -> tuple[float, tuple[float, ...]]:
    """A local minimum, by the simplex of Nelder and Mead in (log size, angle)."""

    def parameters(p: Floats) -> tuple[float, ...]:
        return (max(math.exp(p[0]), least), *(float(angle) for angle in p[1:]))

    p0 = np.array([math.log(start[0]), *start[1:]])
    simplex = np.vstack([p0, p0 + np.diag([0.08, 4.0][: len(start)])])
    options = {"initial_simplex": simplex, "xatol": 2e-3, "fatol": 1e-6, "maxfev": 60}
    found = minimize(lambda p: cost(parameters(p)), p0, method="Nelder-Mead", options=options)
    size, *angle = parameters(found.x)
    return float(found.fun), (size, *(a % 180 for a in angle))


def _between(
    cost: Callable[[tuple[float, ...]], float], parameters: tuple[float, ...], limit: float
) -> tuple[float, float]:
    """The sizes at which the cost passes a limit.

    The search goes from the best size in steps of 2 %, at most to half and double of it.
    """
    size, *angle = parameters
    ends = []
    for factor in (1 / 1.02, 1.02):
        end = size * factor
        while size / 2 < end < size * 2 and cost((end, *angle)) < limit:
            end *= factor
        ends.append(end)
    return ends[0], ends[1]
