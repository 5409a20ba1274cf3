from dataclasses import replace

import numpy as np
import pytest
import torch

from alr_cli.core.operators.geometry import Geometry
from alr_cli.core.operators.ray import RayTransform
from alr_cli.core.restoration import Step
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.tomography import Method, Reconstructor, Scanning, Slice, usual_range
from alr_cli.errors import UsageError
from alr_cli.files.weights import load_weights
from tests.core.operators.scans import GEOMETRIES, chords, ellipse

SCAN = GEOMETRIES["even picture, odd detectors"]
CENTRE, AXES = (2.0, 1.0), (9.0, 6.0)


def reconstructor(method: Method) -> Reconstructor:
    restorer = (
        Restorer(load_weights("gray-tuned"), Settings(max_iter=20, precision="float32"))
        if method == "ours"
        else None
    )
    return Reconstructor(method, restorer)


def sinogram(geometry: Geometry = SCAN, sigma: float = 0.2) -> np.ndarray:
    noise = sigma * np.random.default_rng(0).standard_normal(geometry.shape)
    return (chords(geometry, CENTRE, AXES) + noise).astype(np.float32)


def pixelated(sigma: float = 0.2) -> np.ndarray:
    """The sinogram of an ellipse that consists of pixels, so that it can be fitted exactly."""
    seen = RayTransform(SCAN).forward(torch.from_numpy(ellipse(SCAN.size, CENTRE, AXES)).float()).numpy()
    noise = sigma * np.random.default_rng(0).standard_normal(seen.shape)
    return (seen + noise).astype(np.float32)


def error(found: Slice, size: tuple[int, int]) -> float:
    return float(np.sqrt(np.mean((found.pixels - ellipse(size, CENTRE, AXES)) ** 2)))


@pytest.mark.parametrize("geometry", GEOMETRIES.values(), ids=GEOMETRIES.keys())
def test_tv_and_a_learned_prior_are_nearer_to_the_truth_than_backprojection(geometry: Geometry) -> None:
    y = sinogram(geometry)
    errors = {
        m: error(reconstructor(m).reconstruct(y, geometry), geometry.size) for m in ("fbp", "tv", "ours")
    }
    assert errors["tv"] < 0.9 * errors["fbp"] and errors["ours"] < 0.9 * errors["fbp"]


def test_a_wide_prior_follows_a_path_whose_last_step_fits_the_data() -> None:
    wide = Reconstructor("ours", Restorer(load_weights("gray-wide"), Settings(precision="float32")))
    y, steps = pixelated(), list[Step]()
    found = wide.reconstruct(y, SCAN, 0.2, callback=steps.append)
    assert error(found, SCAN.size) < 0.8 * error(reconstructor("fbp").reconstruct(y, SCAN), SCAN.size)
    assert found.pixels.min() >= 0 and 0.7 < found.residual / found.sigma < 1.1
    assert found.iterations == len(steps) - 1


def test_a_descent_can_be_stopped_by_the_noise() -> None:
    weights, plain = load_weights("gray-tuned"), Settings(solver="pnp-gd", max_iter=40, precision="float32")
    whole, stopped = (
        Reconstructor("ours", Restorer(weights, settings)).reconstruct(pixelated(), SCAN, 0.2)
        for settings in (plain, replace(plain, discrepancy=1.2))
    )
    assert stopped.stop == "discrepancy" and stopped.iterations < whole.iterations
    assert whole.residual < stopped.residual <= 1.2 * 0.2


@pytest.mark.parametrize("method", ["tv", "ours"])
def test_the_slice_is_in_units_of_the_sinogram_and_not_negative(method: Method) -> None:
    one = reconstructor(method).reconstruct(sinogram(), SCAN)
    other = reconstructor(method).reconstruct(1000 * sinogram(), SCAN)
    assert other.range == pytest.approx(1000 * one.range, rel=1e-4)
    assert np.allclose(other.pixels, 1000 * one.pixels, atol=2.0)
    assert one.pixels.min() >= 0
    assert other.residual == pytest.approx(1000 * one.residual, rel=1e-2)
    assert 0.5 < one.residual / one.sigma < 1.2


def test_more_strength_fits_the_noise_less() -> None:
    residuals = [
        Reconstructor("tv", strength=strength).reconstruct(sinogram(), SCAN).residual
        for strength in (0.3, 1.0, 3.0)
    ]
    assert residuals == sorted(residuals)


def test_the_callback_sees_the_energy_fall() -> None:
    seen: list[float] = []
    Reconstructor("tv", iterations=40).reconstruct(
        sinogram(), SCAN, callback=lambda step: seen.append(step.energy or 0.0)
    )
    assert len(seen) == 41 and seen[-1] < seen[0]


def test_the_range_is_that_of_the_brightest_part() -> None:
    assert 0.5 < usual_range(sinogram(), SCAN) < 4.0
    assert usual_range(0 * sinogram(), SCAN) == 1.0


def test_the_problem_of_a_scan_is_posed_beyond_the_frame_and_bounded() -> None:
    task = Scanning(RayTransform(SCAN).per_pixel())
    y = torch.from_numpy(sinogram())[None, None]
    problem = task.problem(y, 5, 0.1)
    assert problem.operator.input_shape == (42, 42) and problem.start.shape == (1, 1, 42, 42)
    assert problem.bounds == (0.0, float("inf")) and not problem.clips
    x = torch.rand(1, 1, 32, 32)
    assert torch.equal(problem.operator.forward(torch.nn.functional.pad(x, (5,) * 4)), task.observe(x))


def test_rays_that_miss_the_slice_are_refused() -> None:
    geometry = Geometry((8, 8), (0.0, 1.0), 5, centre=1000.0)
    with pytest.raises(UsageError, match="no ray meets"):
        reconstructor("tv").reconstruct(np.ones((2, 5), np.float32), geometry, 0.1)
