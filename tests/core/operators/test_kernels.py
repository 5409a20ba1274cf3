"""Kernels from a spec: shape, weights, and a sentence for every mistake."""

import subprocess
import sys

import numpy as np
import pytest

from alr_cli.core.operators.kernels import normalize_kernel, parse_kernel
from alr_cli.errors import UsageError

SPECS = [
    "gaussian:7:3",
    "gaussian:1:0.5",
    "gaussian:9:1e-320",
    "gaussian:5:1e300",
    "gaussian:999:40",
    "motion:1:0",
    "motion:1:45",
    "motion:15:30",
    "motion:4.5:-200",
    "motion:20:90",
    "motion:999:12",
    "disk:0.1",
    "disk:0.5",
    "disk:0.75",
    "disk:2.5",
    "disk:30",
    "disk:499.5",
    "box:1",
    "box:9",
    "box:999",
]


@pytest.mark.parametrize("spec", SPECS)
def test_a_kernel_is_odd_nonnegative_centrally_symmetric_and_sums_to_one(spec: str) -> None:
    kernel = parse_kernel(spec)
    assert kernel.dtype == np.float64
    assert all(side % 2 == 1 and side <= 999 for side in kernel.shape)
    assert kernel.min() >= 0
    assert kernel.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-15)


def test_a_gaussian_is_sampled() -> None:
    kernel = parse_kernel("gaussian:7:3")
    assert kernel.shape == (7, 7)
    assert kernel[0, 1] / kernel[3, 3] == pytest.approx(np.exp(-(3**2 + 2**2) / (2 * 3**2)))


def test_a_box_is_a_mean() -> None:
    np.testing.assert_allclose(parse_kernel("box:5"), np.full((5, 5), 1 / 25))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("motion:1:0", [[1]]),
        ("motion:3:0", [[1 / 3] * 3]),
        ("motion:3:180", [[1 / 3] * 3]),
        ("motion:3:90", [[1 / 3]] * 3),
        ("motion:4:0", [[1 / 8, 1 / 4, 1 / 4, 1 / 4, 1 / 8]]),
        ("motion:2.5:-90", [[0.3], [0.4], [0.3]]),
    ],
)
def test_a_straight_motion_covers_as_many_pixels_as_it_is_long(
    spec: str, expected: list[list[float]]
) -> None:
    np.testing.assert_allclose(parse_kernel(spec), expected, atol=1e-12)


@pytest.mark.parametrize("angle", [10, 30, 45, 80, 100, 135, 170, 215, 359])
def test_a_motion_points_counter_clockwise_from_the_x_axis(angle: float) -> None:
    kernel = parse_kernel(f"motion:31:{angle}")
    rows, columns = (np.arange(n) - n // 2 for n in kernel.shape)
    x, y = np.meshgrid(columns, -rows)  # y points up
    measured = np.degrees(np.arctan2(2 * (kernel * x * y).sum(), (kernel * (x**2 - y**2)).sum())) / 2
    difference = (measured - angle + 90) % 180 - 90
    assert abs(difference) < 0.5


@pytest.mark.parametrize("angle", [0, 17, 45, 90])
@pytest.mark.parametrize("length", [1, 2.5, 9, 40])
def test_a_motion_spreads_as_a_line_of_that_length(length: float, angle: float) -> None:
    kernel = parse_kernel(f"motion:{length}:{angle}")
    y, x = np.indices(kernel.shape) - np.array(kernel.shape)[:, None, None] // 2
    # A line of length L and width 1 has the second moment (L^2 + 1) / 12; the pixel grid moves it a little.
    measured = (kernel * (x**2 + y**2)).sum()
    assert measured == pytest.approx((length**2 + 1) / 12, abs=0.3)


@pytest.mark.parametrize("radius", [0.5, 0.75, 1, 2.5, 7.3, 30])
def test_a_disk_covers_pixels_by_area(radius: float) -> None:
    kernel = parse_kernel(f"disk:{radius}")
    fully_covered = kernel.max() if radius >= 1 / np.sqrt(2) else 1 / (np.pi * radius**2)
    if radius > 0.5:
        assert 1 / fully_covered == pytest.approx(np.pi * radius**2, rel=0.02)
    side = 2 * int(np.ceil(radius - 0.5)) + 1
    assert kernel.shape == (side, side)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-15)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("", "unknown kernel ''"),
        ("7", "unknown kernel '7'"),
        ("gauss:7:3", "unknown kernel 'gauss:7:3'"),
        ("Gaussian:7:3", "unknown kernel"),
        ("file:kernel.npy", "unknown kernel"),
        ("gaussian", "should read gaussian:SIZE:SIGMA"),
        ("gaussian:7", "should read gaussian:SIZE:SIGMA"),
        ("gaussian:7:3:1", "should read gaussian:SIZE:SIGMA"),
        ("motion:9", "should read motion:LENGTH:ANGLE"),
        ("disk", "should read disk:RADIUS"),
        ("box:3:3", "should read box:SIZE"),
        ("gaussian:8:3", "SIZE must be an odd whole number from 1 to 999, not 8"),
        ("gaussian:7.5:3", "SIZE must be an odd whole number from 1 to 999, not 7.5"),
        ("gaussian:-7:3", "SIZE must be an odd"),
        ("gaussian:0:3", "SIZE must be an odd"),
        ("gaussian:1001:3", "SIZE must be an odd"),
        ("gaussian:1e300:3", "SIZE must be an odd"),
        ("gaussian:7:0", "SIGMA must be greater than 0, not 0"),
        ("gaussian:7:-3", "SIGMA must be greater than 0, not -3"),
        ("gaussian:7:nan", "SIGMA must be a finite number, not 'nan'"),
        ("gaussian:7:1e400", "SIGMA must be a finite number, not '1e400'"),
        ("gaussian:inf:3", "SIZE must be a finite number, not 'inf'"),
        ("gaussian::3", "SIZE must be a number, not ''"),
        ("gaussian:7:three", "SIGMA must be a number, not 'three'"),
        ("motion:0.5:30", "LENGTH must lie between 1 and 999 pixels, not 0.5"),
        ("motion:1000:30", "LENGTH must lie between 1 and 999"),
        ("motion:9:inf", "ANGLE must be a finite number"),
        ("disk:0", "RADIUS must be greater than 0"),
        ("disk:-2", "RADIUS must be greater than 0"),
        ("disk:500", "at most 499.5 pixels, not 500"),
        ("box:4", "SIZE must be an odd"),
    ],
)
def test_a_mistake_is_answered_with_the_grammar(spec: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_kernel(spec)
    assert sentence in str(caught.value)
    assert "gaussian:SIZE:SIGMA, motion:LENGTH:ANGLE, disk:RADIUS, box:SIZE or file:PATH" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("scale", [1.0, 4.2, 1e-300, 1e300])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_an_array_is_normalised(dtype: type, scale: float) -> None:
    weights = np.array([[0, 1, 0], [1, 6, 2], [0, 2, 0]], dtype=dtype)
    given = weights * scale if dtype is np.float64 else weights
    before = given.copy()
    kernel = normalize_kernel(given)
    np.testing.assert_allclose(kernel, weights / np.float64(12), rtol=1e-12)
    np.testing.assert_array_equal(given, before)


def test_negative_weights_are_allowed() -> None:
    np.testing.assert_allclose(normalize_kernel([[-1.0, 4.0, -1.0]]), [[-0.5, 2.0, -0.5]])


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (np.ones(3), "two axes"),
        (np.ones((3, 3, 1)), "two axes"),
        (np.ones((3, 3), complex), "real numbers"),
        (np.full((3, 3), "1"), "real numbers"),
        (np.ones((4, 3)), "not 4 x 3"),
        (np.ones((3, 0)), "not 3 x 0"),
        (np.ones((1, 1001)), "at most 999"),
        (np.full((3, 3), np.nan), "NaN"),
        (np.full((3, 3), np.inf), "infinite"),
        (np.zeros((3, 3)), "positive number"),
        (-np.ones((3, 3)), "positive number"),
        (np.array([[-1.0, 0.0, 1.0]]), "positive number"),
    ],
)
def test_invalid_kernels_are_refused(weights: np.ndarray, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        normalize_kernel(weights)


def test_parsing_a_kernel_imports_no_torch() -> None:
    heavy = "sys.modules.keys() & {'torch', 'scipy'}"
    code = f"import sys, alr_cli.core.operators.kernels; assert not {heavy}"
    subprocess.run([sys.executable, "-c", code], check=True)
