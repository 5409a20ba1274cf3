import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from alr_cli.core.operators.fbp import fbp
from alr_cli.core.operators.geometry import Fan, Geometry
from tests.core.operators.scans import chords, ellipse

SIZE = 64, 64
HALF = tuple(np.arange(180) * math.pi / 180)
SCANS = {
    "parallel": Geometry(SIZE, HALF, 96),
    "finer detectors, off the middle": Geometry(SIZE, HALF, 220, pitch=0.5, centre=101.25),
    "a whole turn": Geometry(SIZE, tuple(np.arange(360) * math.pi / 180), 96),
    "uneven angles": Geometry(SIZE, tuple(np.sort(np.random.default_rng(0).uniform(0, math.pi, 400))), 96),
    "fan": Geometry(SIZE, tuple(np.arange(360) * math.pi / 180), 160, pitch=1.4, fan=Fan(100.0, 80.0)),
}
ALL = pytest.mark.parametrize("geometry", SCANS.values(), ids=SCANS.keys())
CENTRE, AXES = (9.0, -5.0), (14.0, 8.0)


@ALL
def test_a_phantom_comes_back_where_it_was_and_as_dense(geometry: Geometry) -> None:
    x = fbp(torch.from_numpy(chords(geometry, CENTRE, AXES))[None, None], geometry)[0, 0].numpy()
    core = ellipse(SIZE, CENTRE, (AXES[0] - 3, AXES[1] - 3)) == 1
    air = ellipse(SIZE, CENTRE, (AXES[0] + 3, AXES[1] + 3)) == 0
    assert x[core].mean() == pytest.approx(1.0, abs=0.005)
    assert np.abs(x[core] - 1).max() < 0.06
    assert np.abs(x[air]).mean() < 0.02


@ALL
def test_hann_reduces_noise(geometry: Geometry) -> None:
    noise = torch.randn(1, 1, *geometry.shape, generator=torch.Generator().manual_seed(0))
    assert float(fbp(noise, geometry, "hann").norm()) < 0.7 * float(fbp(noise, geometry).norm())


def test_an_incomplete_scan_keeps_its_scale() -> None:
    """Views over a third of half a turn have the same weight as in the complete scan."""
    whole = SCANS["parallel"]
    part = replace(whole, angles=whole.angles[:60])
    y = torch.from_numpy(chords(whole, CENTRE, AXES))
    others = y.clone()
    others[:60] = 0
    assert torch.allclose(fbp(y[:60], part), fbp(y - others, whole), atol=0.02)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (3, 1)])
def test_the_smallest_scans_have_an_answer(shape: tuple[int, int]) -> None:
    geometry = Geometry((4, 4), tuple(np.arange(shape[0]) * 0.5), shape[1])
    assert bool(fbp(torch.ones(shape), geometry).isfinite().all())
