"""Scans that are described for ASTRA become geometries of ours."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from alr_cli.astra import geometry
from alr_cli.core.operators.geometry import Fan
from alr_cli.core.operators.ray import RayTransform
from alr_cli.errors import UsageError

ANGLES = [0.1, 1.2, 2.9]


def volume(side: float = 1.0, **changed: Any) -> dict[str, Any]:
    """What astra.create_vol_geom returns for 20 rows and 32 columns of pixels of this side."""
    width, height = 16 * side, 10 * side
    window = {"WindowMinX": -width, "WindowMaxX": width, "WindowMinY": -height, "WindowMaxY": height}
    return {"GridRowCount": 20, "GridColCount": 32, "option": window | changed}


def parallel(side: float = 1.0) -> dict[str, Any]:
    return {
        "type": "parallel",
        "DetectorWidth": 0.9 * side,
        "DetectorCount": 45,
        "ProjectionAngles": np.array(ANGLES),
    }


def fan(side: float = 1.0) -> dict[str, Any]:
    distances = {"DistanceOriginSource": 80 * side, "DistanceOriginDetector": 40 * side}
    return {**parallel(side), "type": "fanflat", **distances}


@pytest.mark.parametrize("side", [1.0, 0.25])
@pytest.mark.parametrize("scan", [parallel, fan])
def test_lengths_are_counted_in_pixels(scan: Any, side: float) -> None:
    found = geometry(scan(side), volume(side))
    assert found.size == (20, 32) and found.shape == (3, 45)
    assert found.angles == tuple(ANGLES) and found.pitch == pytest.approx(0.9)
    assert found.fan == (Fan(80.0, 40.0) if scan is fan else None)


def test_a_point_casts_its_shadow_where_astra_says() -> None:
    # In ASTRA the detector lies along (cos a, sin a) at the angle a, and the first row of a slice is on top.
    x = torch.zeros(20, 32)
    x[3, 25] = 1.0  # its centre is at (9.5, 6.5)
    sinogram = RayTransform(geometry(parallel(), volume())).forward(x)
    for row, angle in zip(sinogram, ANGLES, strict=True):
        place = 9.5 * math.cos(angle) + 6.5 * math.sin(angle)
        shadow = float((row * (torch.arange(45) - 22) * 0.9).sum() / row.sum())
        assert shadow == pytest.approx(place, abs=0.45)  # half a detector


@pytest.mark.parametrize("kind", ["parallel", "fanflat"])
def test_projections_are_those_of_astra(kind: str) -> None:
    astra = pytest.importorskip("astra")
    slice = astra.create_vol_geom(20, 32, -8, 8, -5, 5)
    distances = (40, 20) if kind == "fanflat" else ()
    scan = astra.create_proj_geom(kind, 0.45, 45, ANGLES, *distances)
    projector = astra.create_projector({"parallel": "line", "fanflat": "line_fanflat"}[kind], scan, slice)
    x = np.random.default_rng(0).random((20, 32)).astype(np.float32)
    _, wanted = astra.create_sino(x, projector)
    found = RayTransform(geometry(scan, slice)).forward(torch.from_numpy(x)).numpy()
    assert np.abs(0.5 * found - wanted).max() < 5e-4 * wanted.max()


@pytest.mark.parametrize(
    ("scan", "slice", "sentence"),
    [
        (parallel() | {"type": "cone"}, volume(), "'cone' of ASTRA is not supported"),
        (parallel() | {"type": "parallel_vec"}, volume(), "'parallel_vec' of ASTRA is not supported"),
        ({}, volume(), "None of ASTRA is not supported"),
        (parallel(), volume() | {"GridSliceCount": 4}, "several slices"),
        (parallel(), volume(WindowMaxX=8.0, WindowMinX=-8.0), "not squares"),
        (parallel(), volume(WindowMinY=-9.0, WindowMaxY=11.0), "not in the middle"),
    ],
)
def test_other_scans_are_refused_in_one_sentence(
    scan: dict[str, Any], slice: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UsageError, match=sentence):
        geometry(scan, slice)
