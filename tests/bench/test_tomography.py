import itertools
import math

import numpy as np
import pytest

from alr_cli.bench.tomography import (
    GEOMETRY,
    SIDE,
    Contender,
    SliceScore,
    measure,
    pooled,
    sinogram,
    small,
    squared_error,
)
from alr_cli.core.operators.ray import RayTransform
from alr_cli.core.tomography import Reconstructor
from tests.core.operators.scans import ellipse

DISK = ellipse((SIDE, SIDE), (5.0, -8.0), (40.0, 30.0)).astype(np.float32)


def test_slices_are_scaled_to_their_range_and_to_128_pixels() -> None:
    assert np.array_equal(small(3 * DISK + 7), DISK)
    half = small(np.kron(DISK, np.ones((2, 2))) * 1000)
    assert half.shape == (SIDE, SIDE) and np.abs(half - DISK).mean() < 0.01


@pytest.mark.parametrize("sigma", [0.02, 0.005])
def test_the_noise_is_that_of_an_operator_of_norm_1(sigma: float) -> None:
    clean, _ = sinogram(DISK, "a", 0.0)
    noisy, level = sinogram(DISK, "a", sigma)
    assert level == pytest.approx(sigma * RayTransform(GEOMETRY).norm)
    assert (noisy - clean).std() == pytest.approx(level, rel=0.05)
    assert np.array_equal(noisy, sinogram(DISK, "a", sigma)[0])
    assert not np.array_equal(noisy, sinogram(DISK, "b", sigma)[0])


def test_every_method_is_measured_on_every_slice_and_level() -> None:
    methods = {"fbp": Contender(Reconstructor("fbp")), "tv": Contender(Reconstructor("tv", iterations=60))}
    clock = itertools.count().__next__
    scores = list(measure([("a", DISK), ("b", DISK)], methods, (0.02, 0.005), lambda: float(clock())))
    assert [(s.picture, s.sigma, s.method) for s in scores] == list(
        itertools.product("ab", (0.02, 0.005), methods)
    )
    rows = {(row.sigma, row.method): row for row in pooled(scores)}
    assert rows[0.02, "tv"].psnr > rows[0.02, "fbp"].psnr + 3
    assert rows[0.005, "fbp"].psnr > rows[0.02, "fbp"].psnr and rows[0.005, "fbp"].slices == 2


def test_a_pooled_psnr_is_that_of_the_mean_error() -> None:
    scores = [
        SliceScore(name, 0.1, "m", 0.0, 1.0, error, 1.0, 1.0) for name, error in (("a", 0.01), ("b", 0.03))
    ]
    assert pooled(scores)[0].psnr == pytest.approx(-10 * math.log10(0.02))


def test_the_iterate_nearest_to_the_truth_is_no_worse_than_the_last_one() -> None:
    y, level = sinogram(DISK, "a", 0.02)
    tv = Reconstructor("tv", lam=1e-3, iterations=40)  # follows the noise at the end
    last, best = (Contender(tv, with_truth).pixels(y, level, DISK) for with_truth in (False, True))
    assert squared_error(DISK, best) < 0.95 * squared_error(DISK, last)
