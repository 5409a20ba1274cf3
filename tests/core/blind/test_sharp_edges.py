import numpy as np
import pytest
from scipy.signal import fftconvolve

from alr_cli.core.blind.sharp_edges import sharp_edges
from alr_cli.core.blind.smaller import smaller
from alr_cli.core.operators.kernels import parse_kernel


def squares(side: int) -> np.ndarray:
    """Two bright squares on black."""
    picture = np.zeros((side, side))
    picture[15:40, 12:30], picture[45:60, 40:62] = 0.8, 0.5
    return picture


@pytest.mark.parametrize("spec", ["gaussian:7:1", "disk:2", "motion:7:30"])
def test_the_edges_of_flat_shapes_are_found_below_a_blur(spec: str) -> None:
    sharp, kernel = squares(80), parse_kernel(spec)
    blurred = fftconvolve(sharp, kernel, mode="same")
    edges = sharp_edges(blurred, kernel, 1e-3)
    truth = np.stack([np.diff(sharp, axis=1)[:-1], np.diff(sharp, axis=0)[:, :-1]])
    assert edges.shape == truth.shape
    assert np.abs(edges - truth).sum() < 0.1 * np.abs(truth).sum()


@pytest.mark.parametrize("weight", [1e-3, 1e-2])
def test_weak_noise_is_no_edge(weight: float) -> None:
    noise = np.random.default_rng(0).normal(0.5, 0.002, (50, 70))
    assert not sharp_edges(noise, parse_kernel("gaussian:5:1"), weight).any()


def test_a_larger_weight_keeps_fewer_edges() -> None:
    rng = np.random.default_rng(0)
    y = fftconvolve(rng.random((60, 60)), np.full((3, 3), 1 / 9), mode="same")
    counts = [
        np.count_nonzero(sharp_edges(y, np.full((3, 3), 1 / 9), weight)) for weight in (1e-4, 1e-3, 1e-2)
    ]
    assert counts[0] > counts[1] > counts[2]


@pytest.mark.parametrize("scale", [1.0, 0.7, 0.5, 0.35])
def test_a_reduced_picture_keeps_its_brightness_and_its_frame(scale: float) -> None:
    ramp = np.broadcast_to(np.linspace(0, 1, 120), (90, 120))
    small = smaller(ramp, scale)
    assert small.shape == (round(90 * scale), round(120 * scale))
    assert small.mean() == pytest.approx(0.5, abs=0.01)
    assert (np.diff(small, axis=1) >= 0).all()
