"""p(t) = s + t d: the rays of a scan in the plane, parallel or in a fan, in units of a pixel of the slice.

The rotation axis is in the middle of the slice. x points right along a row, and y points up, against the
order of the rows. At the angle a the detectors lie along u = (cos a, sin a) and the rays run along v = (-sin
a, cos a), so that angles count counterclockwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EXACT = 1e-12  # rounding error of cos(90 degrees)


@dataclass(frozen=True)
class Fan:
    """A fan of rays. The flat detector is opposite the source and perpendicular to the line between them.

    Attributes:
        source: Distance from the rotation axis to the source, in pixels of the slice.
        detector: Distance from the rotation axis to the detector, in pixels of the slice.
    """

    source: float
    detector: float

    @property
    def magnification(self) -> float:
        """How much larger a small object at the rotation axis appears on the detector."""
        return (self.source + self.detector) / self.source


@dataclass(frozen=True)
class Geometry:
    """How a slice was scanned.

    Attributes:
        size: (H, W) of the slice.
        angles: In radians, counterclockwise.
        detectors: Number of detectors in a row.
        pitch: Distance between their centres, in pixels of the slice.
        centre: Where the rotation axis projects onto the row, counted in detectors from 0; None for its
            middle.
        fan: None for parallel rays.
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
        """The positions of the detectors along their row, relative to the projection of the rotation axis,
        (detectors,)."""
        centre = (self.detectors - 1) / 2 if self.centre is None else self.centre
        return (np.arange(self.detectors, dtype=np.float64) - centre) * self.pitch

    def rays(self, angle: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A point on each ray, and its direction of length 1, both (detectors, 2) as (x, y)."""
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
        """The radius in pixels of the largest disk that every view sees completely."""
        ends = self.positions[[0, -1]] + np.array([-0.5, 0.5]) * self.pitch
        if self.fan is not None:
            distance = self.fan.source + self.fan.detector
            ends = self.fan.source * ends / np.hypot(ends, distance)
        return float(max(0.0, min(-ends[0], ends[1])))


def direction(angle: float) -> tuple[float, float]:
    """(cos, sin) of an angle in radians, with rounding errors around 0 removed.

    Rays along grid lines then stay on them.
    """
    cosine, sine = math.cos(angle), math.sin(angle)
    return (0.0 if abs(cosine) < _EXACT else cosine), (0.0 if abs(sine) < _EXACT else sine)
