"""Phantoms with known line integrals, and geometries to scan them."""

import math

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.operators.geometry import Fan, Geometry

HALF_TURN = tuple(np.arange(24) * math.pi / 24)
TURN = tuple(np.arange(24) * math.pi / 12)
GEOMETRIES = {
    "even picture, odd detectors": Geometry((32, 32), HALF_TURN, 47),
    "odd picture, even detectors": Geometry((33, 33), HALF_TURN, 40, pitch=0.9),
    "taller than wide": Geometry((40, 24), HALF_TURN, 51, pitch=1.1),
    "axis off the middle": Geometry((32, 32), HALF_TURN, 47, centre=20.75),
    "fan": Geometry((32, 32), TURN, 61, pitch=1.5, fan=Fan(60.0, 40.0)),
    "fan, axis off the middle": Geometry((30, 36), TURN, 60, pitch=1.6, centre=28.5, fan=Fan(70.0, 70.0)),
}


def ellipse(
    size: tuple[int, int], centre: tuple[float, float], axes: tuple[float, float], finer: int = 8
) -> NDArray[np.float64]:
    """The share of each pixel in an upright ellipse; (x, y) is relative to the centre of the slice."""
    height, width = (side * finer for side in size)
    x = (np.arange(width) + 0.5) / finer - size[1] / 2 - centre[0]
    y = size[0] / 2 - (np.arange(height) + 0.5) / finer - centre[1]
    inside = (x[None] / axes[0]) ** 2 + (y[:, None] / axes[1]) ** 2 <= 1
    return inside.reshape(size[0], finer, size[1], finer).mean((1, 3))


def chords(geometry: Geometry, centre: tuple[float, float], axes: tuple[float, float]) -> NDArray[np.float64]:
    """The exact lengths of a geometry's rays in that ellipse, (angles, detectors)."""
    lengths = np.zeros(geometry.shape)
    for number, angle in enumerate(geometry.angles):
        points, directions = geometry.rays(angle)
        p, d = (points - centre) / axes, directions / axes  # the ellipse is the unit circle there
        a, b, c = (d**2).sum(1), (p * d).sum(1), (p**2).sum(1) - 1
        lengths[number] = 2 * np.sqrt(np.maximum(b**2 - a * c, 0)) / a
    return lengths
