"""ASTRA's description of a scan as a `Geometry`, for scripts that have one. The package astra is not needed.

import alr_cli.astra as bridge

scan = astra.create_proj_geom("parallel", 1.0, 183, angles)
geometry = bridge.geometry(scan, astra.create_vol_geom(128, 128))
operator = RayTransform(geometry)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from alr_cli.core.operators.geometry import Fan, Geometry
from alr_cli.errors import UsageError

_TOLERANCE = 1e-9  # relative to the size of a pixel


def geometry(projections: Mapping[str, Any], volume: Mapping[str, Any]) -> Geometry:
    """The geometry of a flat scan.

    Args:
        projections: What `astra.create_proj_geom` returns for "parallel" and "fanflat", a dictionary.
            Lengths may be in any unit.
        volume: What `astra.create_vol_geom` returns for a slice, in the same unit. Its pixels must be
            squares, and its middle the rotation axis.

    Returns:
        The geometry, whose lengths are in pixels of the slice. The values of its sinogram are, too: those of
        ASTRA must be divided by the side of a pixel.

    Raises:
        UsageError: The scan is of another type, or the slice is not as described.
    """
    kind = projections.get("type")
    if kind not in ("parallel", "fanflat"):
        raise UsageError(f"the type {kind!r} of ASTRA is not supported: give parallel or fanflat")
    side = _side(volume)
    fan = None
    if kind == "fanflat":
        source, detector = (float(projections[f"DistanceOrigin{end}"]) for end in ("Source", "Detector"))
        fan = Fan(source / side, detector / side)
    return Geometry(
        size=(int(volume["GridRowCount"]), int(volume["GridColCount"])),
        angles=tuple(float(angle) for angle in np.ravel(projections["ProjectionAngles"])),
        detectors=int(projections["DetectorCount"]),
        pitch=float(projections["DetectorWidth"]) / side,
        fan=fan,
    )


def _side(volume: Mapping[str, Any]) -> float:
    """The side of a pixel. Raises UsageError."""
    window = volume["option"]
    if "GridSliceCount" in volume:
        raise UsageError("the volume of ASTRA has several slices: give the geometry of one slice")
    low, high = (np.array([window[f"Window{end}{axis}"] for axis in "XY"], float) for end in ("Min", "Max"))
    sides = (high - low) / (int(volume["GridColCount"]), int(volume["GridRowCount"]))
    side = float(sides[0])
    if side <= 0 or abs(sides[1] - side) > _TOLERANCE * side:
        raise UsageError("the pixels of the slice are not squares: give a volume geometry whose pixels are")
    if np.abs(low + high).max() > _TOLERANCE * side:
        raise UsageError(
            "the rotation axis is not in the middle of the slice: give a centred volume geometry"
        )
    return side
