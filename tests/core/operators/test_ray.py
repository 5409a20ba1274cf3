import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from alr_cli.core.operators import ray
from alr_cli.core.operators.geometry import Geometry
from alr_cli.core.operators.ray import RayTransform, matrix_of
from alr_cli.errors import UsageError
from tests.core.operators.scans import GEOMETRIES, chords, ellipse

ALL = pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES.keys())


@ALL
@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.float64, 1e-13)])
def test_the_adjoint_is_exact(geometry: Geometry, dtype: torch.dtype, most: float) -> None:
    generator = torch.Generator().manual_seed(1)
    transform = RayTransform(geometry, scale=0.7)
    x = torch.rand(2, 1, *transform.input_shape, generator=generator, dtype=dtype)
    y = torch.rand(2, 1, *transform.output_shape, generator=generator, dtype=dtype)
    forward, adjoint = transform.forward(x), transform.adjoint(y)
    difference = float((forward * y).double().sum() - (x * adjoint).double().sum())
    assert abs(difference) <= most * float(forward.norm() * y.norm())


@ALL
def test_a_uniform_slice_gives_the_length_of_each_ray_in_it(geometry: Geometry) -> None:
    lengths = RayTransform(geometry).forward(torch.ones(geometry.size, dtype=torch.float64))
    for number, angle in enumerate(geometry.angles):
        points, directions = geometry.rays(angle)
        half = np.array([geometry.size[1], geometry.size[0]]) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.stack([(-half - points) / directions, (half - points) / directions])
        # A ray along a side of the slice divides 0 by 0; half of it lies inside, which is left out here.
        certain = ~np.isnan(ends).any((0, 2)) & ~np.isclose(np.abs(points), half).any(1)
        enter, leave = ends.min(0).max(1), ends.max(0).min(1)
        expected = np.maximum(leave - enter, 0.0)
        assert lengths[number].numpy()[certain] == pytest.approx(expected[certain], abs=1e-9)


@ALL
@pytest.mark.parametrize("axes", [(9.0, 9.0), (9.0, 6.0)], ids=["disk", "ellipse"])
def test_a_phantom_has_the_line_integrals_that_geometry_says(
    geometry: Geometry, axes: tuple[float, float]
) -> None:
    finer = 12  # the same scan in smaller pixels, where the phantom's edge counts little
    fan = geometry.fan and replace(
        geometry.fan, source=geometry.fan.source * finer, detector=geometry.fan.detector * finer
    )
    size = geometry.size[0] * finer, geometry.size[1] * finer
    large = replace(geometry, size=size, pitch=geometry.pitch * finer, fan=fan, angles=geometry.angles[1::3])
    centre, axes = (2.0 * finer, -1.0 * finer), (axes[0] * finer, axes[1] * finer)
    measured = RayTransform(large).forward(torch.from_numpy(ellipse(size, centre, axes, finer=4)))
    expected = chords(large, centre, axes)
    assert np.linalg.norm(measured.numpy() - expected) <= 0.005 * np.linalg.norm(expected)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_ray_on_a_grid_line_belongs_half_to_each_side(angle: int) -> None:
    transform = RayTransform(Geometry((4, 4), (math.radians(angle),), 1))
    weights = transform.adjoint(torch.ones(1, 1))
    weights = weights if angle % 180 == 0 else weights.T
    assert weights.tolist() == [[0, 0.5, 0.5, 0]] * 4


@pytest.mark.parametrize("place", [-2.0, 2.0])
def test_half_of_a_ray_along_the_edge_of_the_slice_is_outside(place: float) -> None:
    transform = RayTransform(Geometry((4, 4), (0.0,), 1, centre=-place))
    assert float(transform.forward(torch.ones(4, 4))) == pytest.approx(2.0)


def test_a_turn_of_the_scan_is_a_turn_of_the_slice() -> None:
    x = torch.rand(16, 16, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    straight = RayTransform(Geometry((16, 16), (0.3,), 23)).forward(x)
    turned = RayTransform(Geometry((16, 16), (0.3 + math.pi / 2,), 23)).forward(torch.rot90(x))
    assert torch.allclose(straight, turned, atol=1e-12)


@ALL
def test_the_matrix_is_the_same_in_torch(geometry: Geometry) -> None:
    x = torch.rand(geometry.size, generator=torch.Generator().manual_seed(3))
    matrix = ray.as_torch(matrix_of(geometry, "float32"), torch.device("cpu"))
    product = (matrix @ x.reshape(-1, 1)).reshape(geometry.shape)
    assert torch.allclose(product, RayTransform(geometry).forward(x), rtol=1e-5, atol=1e-5)


@ALL
def test_the_norm_is_the_largest_singular_value(geometry: Geometry) -> None:
    geometry = replace(geometry, angles=geometry.angles[::4])
    dense = matrix_of(geometry, "float64").toarray()
    exact = float(np.linalg.svd(dense, compute_uv=False)[0])
    assert RayTransform(geometry).norm == pytest.approx(exact, rel=1e-4)
    assert RayTransform(geometry).normalised().norm == pytest.approx(1.0, rel=1e-6)


def test_a_slice_that_no_ray_meets_has_norm_0() -> None:
    assert RayTransform(Geometry((4, 4), (0.0,), 3, centre=100.0)).norm == 0.0


@ALL
def test_scaled_per_pixel_a_pixel_is_seen_with_weight_1(geometry: Geometry) -> None:
    transform = RayTransform(geometry, scale=3.0).per_pixel()
    pixels = torch.eye(geometry.size[0] * geometry.size[1], dtype=torch.float64).reshape(-1, *geometry.size)
    assert float(transform.forward(pixels).square().sum((1, 2)).mean()) == pytest.approx(1.0, rel=1e-5)


@ALL
def test_the_power_is_an_upper_bound_for_waves(geometry: Geometry) -> None:
    """For waves that fit the slice, <x, P x> is an upper bound of ||A x||^2, and at low frequencies at most 4
    times as large."""
    transform = RayTransform(geometry)
    power = transform.power(geometry.size)
    for frequency, most in ((1, 4.0), (2, 4.0), (7, 60.0)):
        row = torch.arange(geometry.size[0], dtype=torch.float64)[:, None]
        x = torch.cos(2 * math.pi * frequency * (row + 0.5) / geometry.size[0]).expand(geometry.size)
        seen = float(transform.forward(x.contiguous()).square().sum())
        bound = float(x.square().sum()) * float(power[frequency, 0])
        assert seen <= bound <= most * seen


def test_a_scan_past_the_slice_is_refused() -> None:
    with pytest.raises(UsageError, match="no ray meets the slice"):
        RayTransform(Geometry((4, 4), (0.0,), 3, centre=100.0)).per_pixel()


@pytest.mark.parametrize(("side", "views", "detectors"), [(4096, 2000, 4096), (100_000, 2, 3)])
def test_a_matrix_that_exceeds_memory_is_refused_before_it_is_built(
    side: int, views: int, detectors: int
) -> None:
    with pytest.raises(
        UsageError, match=rf"{side} x {side} from {views} angles x {detectors} detectors needs"
    ):
        RayTransform(Geometry((side, side), tuple(np.linspace(0, 3, views)), detectors))


def test_another_shape_is_refused() -> None:
    transform = RayTransform(GEOMETRIES["fan"])
    with pytest.raises(ValueError, match=r"expects \(32, 32\), not \(32, 31\)"):
        transform.forward(torch.zeros(32, 31))
