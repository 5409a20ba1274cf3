import numpy as np
import pytest
from scipy.signal import fftconvolve

from alr_cli.core.blind.free_kernel import agreement
from alr_cli.core.blind.joint_step import joint_step
from alr_cli.core.blind.kernel_step import EdgeFit, kernel_step, on_simplex
from alr_cli.core.blind.sharp_edges import sharp_edges
from alr_cli.core.blind.spectrum import Likelihood, spectrum
from tests.core.blind.scenes import SIGMA, blurred, trace


def derivatives(plane: np.ndarray) -> np.ndarray:
    return np.stack([np.diff(plane, axis=1)[:-1], np.diff(plane, axis=0)[:, :-1]])


def explained(kernel: np.ndarray) -> EdgeFit:
    """Edges, and derivatives that are explained by them and the kernel."""
    edges = np.random.default_rng(0).laplace(0, 0.1, (2, 58, 52))
    observed = np.stack([fftconvolve(each, kernel, mode="same") for each in edges])
    return EdgeFit(observed, edges, kernel.shape[0])


@pytest.mark.parametrize("side", [1, 5, 11])
def test_the_slope_of_the_edges_is_exact(side: int) -> None:
    rng = np.random.default_rng(side)
    observed, edges = rng.normal(size=(2, 2, 31, 27))
    fit = EdgeFit(observed, edges, side)
    kernel, direction = rng.random((2, side, side))

    def cost(k: np.ndarray) -> float:
        return float((fit.residual(k).astype(np.float64) ** 2).sum()) / 2

    expected = (cost(kernel + direction / 10) - cost(kernel - direction / 10)) * 5
    assert (fit.slope(fit.residual(kernel)) * direction).sum() == pytest.approx(expected, rel=1e-3)


def test_the_true_kernel_leaves_no_residual() -> None:
    assert np.abs(explained(trace()).residual(trace())).max() < 1e-5


def test_the_kernel_of_known_edges_is_found() -> None:
    kernel = np.full((11, 11), 1 / 121)
    fit = explained(trace())
    for _ in range(3):
        kernel = kernel_step(fit, kernel, 0.0)
    assert np.abs(kernel - trace()).max() < 0.005


def test_a_ridge_spreads_a_kernel() -> None:
    flat = np.full((11, 11), 1 / 121)
    loose, held = (kernel_step(explained(trace()), flat, ridge) for ridge in (0.0, 100.0))
    assert (held**2).sum() < (loose**2).sum()


@pytest.mark.parametrize("seed", range(3))
def test_the_projection_is_the_nearest_table_on_the_simplex(seed: int) -> None:
    rng = np.random.default_rng(seed)
    v = rng.normal(size=(4, 5))
    p = on_simplex(v)
    assert p.min() >= 0 and p.sum() == pytest.approx(1)
    for _ in range(50):
        other = rng.dirichlet(np.full(20, 0.3)).reshape(4, 5)
        assert ((v - p) ** 2).sum() <= ((v - other) ** 2).sum() + 1e-12


@pytest.mark.parametrize("sides", [(3, 3), (5, 9)])
def test_the_slope_of_the_likelihood_is_that_of_its_value(sides: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    likelihood = Likelihood(spectrum(blurred(trace(), side=90), SIGMA))
    kernel = rng.dirichlet(np.full(sides[0] * sides[1], 0.5)).reshape(sides)
    for _ in range(4):  # until the fit of the spectrum has converged
        _, slope = likelihood(kernel)
    direction = rng.normal(size=sides)
    step = 1e-4
    ahead, back = (likelihood(kernel + sign * step * direction)[0] for sign in (1, -1))
    assert (slope * direction).sum() == pytest.approx((ahead - back) / (2 * step), rel=0.02)


@pytest.mark.parametrize("lost", [np.s_[7:9, :], np.s_[:4, :], np.s_[:, 7:9]])
def test_the_spectrum_restores_a_lost_stroke_better_than_the_edges_alone(lost: tuple[slice, slice]) -> None:
    plane = blurred(trace(), side=160).astype(np.float64)
    faulty = trace()
    faulty[lost] = 0
    faulty /= faulty.sum()
    fit = EdgeFit(derivatives(plane), sharp_edges(plane, faulty, 1e-3), 11)
    likelihood = Likelihood(spectrum(plane, SIGMA))
    alone = kernel_step(fit, faulty, 1.0)
    both = joint_step(fit, likelihood, faulty, 0.3)
    assert both.min() >= 0 and both.sum() == pytest.approx(1)
    assert agreement(both, trace()) > agreement(alone, trace()) + 0.01 > agreement(faulty, trace())
    assert likelihood(both)[0] < likelihood(alone)[0]
