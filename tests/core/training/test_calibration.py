"""lambda(sigma): the curve, the search for its points, and the measure of quality."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.energy import Energy
from alr_cli.core.solvers.base import solve
from alr_cli.core.training.calibration import LambdaCurve, calibrate, maximise_in_log, psnr
from alr_cli.errors import NonFiniteError
from tests.core.energies import solver
from tests.core.toys import Quadratic, seeded

# --- the curve ---


def test_the_curve_passes_through_its_points() -> None:
    points = ((0.05, 0.01), (0.1, 0.05), (0.3, 0.06))
    curve = LambdaCurve(points)
    for sigma, lam in points:
        assert curve(sigma) == pytest.approx(lam, rel=1e-12)


@pytest.mark.parametrize("sigma", [1e-4, 0.01, 0.05, 0.07, 0.1, 0.25, 0.3, 2.0])
def test_a_power_law_is_continued_as_one(sigma: float) -> None:
    curve = LambdaCurve(tuple((s, 3.0 * s**1.7) for s in (0.05, 0.1, 0.3)))
    assert curve(sigma) == pytest.approx(3.0 * sigma**1.7, rel=1e-9)


@pytest.mark.parametrize(
    ("sigma", "lam"),
    [(0.1, 1.0), (0.2, 2.0), (0.4, 4.0), (math.sqrt(0.02), math.sqrt(2)), (0.05, 0.5), (0.8, 4.0)],
)
def test_the_curve_is_straight_between_and_beyond_points_in_logarithms(sigma: float, lam: float) -> None:
    assert LambdaCurve(((0.1, 1.0), (0.2, 2.0), (0.4, 4.0), (0.5, 4.0)))(sigma) == pytest.approx(lam)


def test_a_single_point_is_scaled_in_proportion() -> None:
    assert LambdaCurve(((0.1, 0.04),))(0.25) == pytest.approx(0.1)


def test_the_curve_is_continuous_and_without_noise_there_is_no_lambda() -> None:
    curve = LambdaCurve(((0.05, 0.01), (0.1, 0.05), (0.3, 0.06)))
    sigmas = np.geomspace(0.001, 1.0, 4000)
    steps = np.abs(np.diff(np.log([curve(float(sigma)) for sigma in sigmas])))
    assert steps.max() < 0.01
    assert curve(0.0) == 0.0


@pytest.mark.parametrize(
    "points",
    [
        (),
        ((0.1, 0.0),),
        ((0.1, -1.0),),
        ((0.0, 1.0),),
        ((0.1, math.inf),),
        ((0.1, math.nan),),
        ((math.nan, 1.0),),
        ((0.2, 1.0), (0.1, 1.0)),
        ((0.1, 1.0), (0.1, 2.0)),
    ],
)
def test_bad_points_are_refused(points: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValueError, match="lambda"):
        LambdaCurve(points)


# --- the search ---

PEAK = 0.37
Quality = Callable[[float], float]


def parabola(lam: float) -> float:
    return 30 - 2 * math.log(lam / PEAK) ** 2


def skewed(lam: float) -> float:
    """Gentle on one side, steep on the other: an over-smoothed picture is worse than a noisy one."""
    u = math.log(lam / PEAK)
    return 30 - (math.exp(u) - 1 - u)


def narrow(lam: float) -> float:
    return 30 - 40 * math.log(lam / PEAK) ** 2


def cliff_above(lam: float) -> float:
    """The maximum is next to where the solver diverges."""
    return -math.inf if lam > PEAK else 30 + math.log(lam)


def not_a_number_above(lam: float) -> float:
    return math.nan if lam > 1.5 * PEAK else parabola(lam)


def cliff_near(lam: float) -> float:
    return -math.inf if lam > 1.05 * PEAK else parabola(lam)


@pytest.mark.parametrize("start", [0.002, 0.1, 0.37, 0.4, 1.0, 60.0])
@pytest.mark.parametrize("quality", [parabola, skewed, narrow, cliff_above, cliff_near, not_a_number_above])
def test_the_search_finds_the_best_lambda_within_three_percent(quality: Quality, start: float) -> None:
    assert maximise_in_log(quality, start) == pytest.approx(PEAK, rel=0.03)


def test_the_search_wastes_no_evaluation() -> None:
    asked: list[float] = []

    def counted(lam: float) -> float:
        asked.append(lam)
        return skewed(lam)

    maximise_in_log(counted, 0.1)
    assert len(asked) <= 10
    assert len(asked) == len({round(math.log(lam), 6) for lam in asked})


def test_for_constant_quality_the_start_is_kept() -> None:
    assert maximise_in_log(lambda lam: 25.0, 0.2) == pytest.approx(0.2)


@pytest.mark.parametrize(("sign", "end"), [(1, 0.1 * 2.0**20), (-1, 0.1 / 2.0**20)])
def test_the_search_ends_where_quality_rises_for_ever(sign: int, end: float) -> None:
    found = maximise_in_log(lambda lam: sign * math.log(lam), 0.1)
    assert found == pytest.approx(end, rel=0.05)


def test_a_useless_critic_is_reported() -> None:
    with pytest.raises(NonFiniteError, match="no lambda"):
        maximise_in_log(lambda lam: -math.inf, 0.1)


def test_calibration_starts_each_level_from_the_curve_so_far() -> None:
    asked: list[tuple[float, float]] = []
    starts: list[float] = []

    def quality(sigma: float, lam: float) -> float:
        asked.append((sigma, lam))
        return -(math.log(lam / (0.5 * sigma**1.2)) ** 2)

    def start(sigma: float) -> float:
        starts.append(sigma)
        return 3.0 * 0.5 * sigma**1.2

    curve = calibrate([0.2, 0.05, 0.1], quality, start)
    assert starts == [0.05]  # the rule is needed once
    assert [sigma for sigma, _ in curve.points] == [0.05, 0.1, 0.2]
    for sigma, lam in curve.points:
        assert lam == pytest.approx(0.5 * sigma**1.2, rel=0.03)
    assert len([sigma for sigma, _ in asked if sigma == 0.2]) <= 8


# --- quality ---


@pytest.mark.parametrize(("error", "decibels"), [(0.1, 20.0), (0.01, 40.0), (0.5, 6.0206), (1.0, 0.0)])
def test_psnr_has_its_closed_form(error: float, decibels: float) -> None:
    truth = torch.zeros(2, 3, 4, 5)
    estimate = torch.stack([torch.full((3, 4, 5), error), torch.zeros(3, 4, 5)])
    values = psnr(estimate, truth)
    assert float(values[0]) == pytest.approx(decibels, abs=1e-3)
    assert float(values[1]) == pytest.approx(120.0)


def test_psnr_clamps_the_estimate_and_counts_channels_jointly() -> None:
    truth = torch.ones(1, 3, 2, 2)
    estimate = torch.stack([torch.full((2, 2), value) for value in (1.7, 1.0, 0.7)])[None]
    assert float(psnr(estimate, truth)) == pytest.approx(-10 * math.log10(0.09 / 3), abs=1e-4)


# --- on a restoration ---


def test_the_calibrated_lambda_beats_half_and_twice_of_it() -> None:
    """Smooth pictures and a quadratic regularizer."""
    axis = torch.linspace(0, 3.14, 24, dtype=torch.float64)
    clean = 0.5 + 0.4 * (axis.sin()[:, None] * (2 * axis).cos()).expand(2, 1, 24, 24)
    unit = torch.randn(2, 1, 24, 24, generator=seeded(1), dtype=torch.float64)

    def restored(sigma: float, lam: float) -> Tensor:
        problem = problems.denoising(clean + sigma * unit, 0)
        regularizer = Quadratic(weight=0.01)
        energy = Energy(problem.operator, SquaredError(problem.y), regularizer, lam, problem.pixels)
        return solve(energy, problem.start, solver("nmapg", 100, 1e-6)).x

    def quality(sigma: float, lam: float) -> float:
        return float(psnr(restored(sigma, lam), clean).mean())

    curve = calibrate([0.05, 0.2], quality, lambda sigma: 1.0)
    assert curve(0.05) < curve(0.2)
    for sigma, lam in curve.points:
        best = quality(sigma, lam)
        assert best > quality(sigma, 0.5 * lam) and best > quality(sigma, 2 * lam)
        assert best > float(psnr(clean + sigma * unit, clean).mean()) + 3
