"""p(t) = s + t d: the rays of a scan in the plane, parallel or in a fan, in units of a pixel of the slice.

The rotation axis is the middle of the slice; x points right along a row and y up, against the rows. At the
angle a the detectors lie along u = (cos a, sin a) and the rays run along v = (-sin a, cos a), so that angles
count counterclockwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EXACT = 1e-12  # what cos(90 degrees) leaves


@dataclass(frozen=True)
class Fan:
    """Distances in pixels of the slice from the rotation axis to the source and to the flat detector, which
    lies opposite and is perpendicular to the line between them."""

    source: float
    detector: float

    @property
    def magnification(self) -> float:
        """How much larger the shadow of the rotation axis's neighbourhood is on the detector."""
        return (self.source + self.detector) / self.source


@dataclass(frozen=True)
class Geometry:
    """How a slice was scanned.

    size: (H, W) of the slice.  angles: radians, counterclockwise.  detectors: how many there are in a row.
    pitch: the distance of their centres, in pixels of the slice.  centre: where the rotation axis meets the
    row, counted in detectors from 0; None for its middle.  fan: None for parallel rays.
    """

    size: tuple[int, int]
    angles: tuple[float, ...]
    detectors: int
    pitch: float = 1.0
    centre: float | None = None
    fan: Fan | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the sinogram, (angles, detectors)."""
        return len(self.angles), self.detectors

    @property
    def positions(self) -> NDArray[np.float64]:
        """The places of the detectors along their row, from the foot of the rotation axis on:
        (detectors,)."""
        centre = (self.detectors - 1) / 2 if self.centre is None else self.centre
        return (np.arange(self.detectors, dtype=np.float64) - centre) * self.pitch

    def rays(self, angle: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A point on each ray and its direction of length 1, (detectors, 2) as (x, y)."""
        along = np.array(direction(angle))
        onward = np.array([-along[1], along[0]])
        beside = self.positions[:, None] * along
        if self.fan is None:
            return beside, np.broadcast_to(onward, beside.shape)
        source = -self.fan.source * onward
        onward = beside + self.fan.detector * onward - source
        onward /= np.linalg.norm(onward, axis=1, keepdims=True)
        onward[np.abs(onward) < _EXACT] = 0.0
        return np.broadcast_to(source, beside.shape), onward

    def reach(self) -> float:
        """The radius in pixels of the disk that every view sees whole; the rays beyond miss some of it."""
        ends = self.positions[[0, -1]] + np.array([-0.5, 0.5]) * self.pitch
        if self.fan is not None:
            distance = self.fan.source + self.fan.detector
            ends = self.fan.source * ends / np.hypot(ends, distance)
        return float(max(0.0, min(-ends[0], ends[1])))


def direction(angle: float) -> tuple[float, float]:
    """(cos, sin) of an angle in radians, exactly 0 where rounding alone keeps them from it: rays along grid
    lines stay on them."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return (0.0 if abs(cosine) < _EXACT else cosine), (0.0 if abs(sine) < _EXACT else sine)
