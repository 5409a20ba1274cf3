import numpy as np
import pytest

from alr_cli.core.blind.gradients import gradients, smaller
from alr_cli.core.blind.kernel_step import kernel_step, on_simplex
from alr_cli.core.blind.posterior import Posterior, ValidBlur, posterior, start
from tests.core.blind.scenes import SIGMA, blurred, trace


@pytest.mark.parametrize("sides", [(1, 1), (5, 3), (11, 11)])
def test_the_adjoints_of_a_blur_are_exact(sides: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    blur = ValidBlur((20, 17), sides)
    x = rng.normal(size=(2, *blur.shape)).astype(np.float32)
    y = rng.normal(size=(2, 20, 17)).astype(np.float32)
    kernel, spectrum = rng.random(sides), np.fft.rfft2(x)
    transfer = blur.transfer(kernel)
    forward = float(np.vdot(blur.forward(transfer, x), y))
    assert float(np.vdot(x, blur.adjoint(transfer, y))) == pytest.approx(forward, rel=1e-4)
    assert float(np.vdot(kernel, blur.correlate(spectrum, y))) == pytest.approx(forward, rel=1e-4)
    assert blur.of_kernel(spectrum, kernel) == pytest.approx(blur.forward(transfer, x), abs=1e-4)


def test_the_posterior_mean_solves_its_linear_system() -> None:
    y = gradients(blurred(trace(), side=64), SIGMA)
    blur = ValidBlur(y.shape, (11, 11))
    gamma = start(y, blur)
    q = posterior(y, trace(), blur, y.variance, gamma, np.zeros_like(gamma), 1, 80)
    transfer = blur.transfer(trace())
    left = blur.adjoint(transfer, blur.forward(transfer, q.mean) - y.values) / y.variance + q.mean / gamma
    right = blur.adjoint(transfer, y.values) / y.variance
    assert np.linalg.norm(left) < 1e-3 * np.linalg.norm(right)


def test_variances_lie_below_those_of_the_prior() -> None:
    y = gradients(blurred(trace(), side=64), SIGMA)
    blur = ValidBlur(y.shape, (11, 11))
    gamma = start(y, blur)
    q = posterior(y, trace(), blur, y.variance, gamma, np.zeros_like(gamma), 1, 5)
    assert (q.variance > 0).all() and (q.variance < gamma).all()


def test_the_kernel_of_a_known_picture_is_found() -> None:
    rng = np.random.default_rng(0)
    blur = ValidBlur((48, 48), (11, 11))
    x = rng.laplace(0, 0.1, (2, *blur.shape)).astype(np.float32)
    y = gradients(np.zeros((49, 49), np.float32), SIGMA)
    observed = blur.forward(blur.transfer(trace()), x)
    known = Posterior(x, np.full_like(x, 1e-9), x**2)
    flat = np.full((11, 11), 1 / 121)
    found = kernel_step(type(y)(observed, y.variance), known, blur, flat, steps=6, inner=80)
    assert np.abs(found - trace()).max() < 0.005


@pytest.mark.parametrize("seed", range(3))
def test_the_projection_is_the_nearest_table_on_the_simplex(seed: int) -> None:
    rng = np.random.default_rng(seed)
    v = rng.normal(size=(4, 5))
    p = on_simplex(v)
    assert p.min() >= 0 and p.sum() == pytest.approx(1)
    for _ in range(50):
        other = rng.dirichlet(np.full(20, 0.3)).reshape(4, 5)
        assert ((v - p) ** 2).sum() <= ((v - other) ** 2).sum() + 1e-12


@pytest.mark.parametrize("scale", [0.7, 0.5, 0.35])
def test_a_reduced_picture_has_the_predicted_noise(scale: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (300, 300)).astype(np.float32)
    small, sigma = smaller(noise, 0.1, scale)
    assert small.shape == (round(300 * scale), round(300 * scale))
    assert small.std() == pytest.approx(sigma, rel=0.35)  # interpolation between pixels takes a little more
