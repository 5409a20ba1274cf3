"""The data term of clipped observations."""

import math

import pytest
import torch

from alr_cli.core.data_terms import ClippedGaussian, SquaredError, UnevenGaussian, is_clipped
from tests.core.toys import seeded

SIGMA = 0.2


def observed(shape: tuple[int, ...] = (2, 3, 6, 5)) -> torch.Tensor:
    z = 1.6 * torch.rand(*shape, generator=seeded(1), dtype=torch.float64) - 0.3
    return z.clamp(0.0, 1.0)


def test_inside_it_is_the_squared_error() -> None:
    y = observed().clamp(0.01, 0.99)
    z = torch.rand(y.shape, generator=seeded(2), dtype=torch.float64)
    for one, two in zip(
        ClippedGaussian(y, SIGMA).value_and_grad(z), SquaredError(y).value_and_grad(z), strict=True
    ):
        assert torch.equal(one, two)


@pytest.mark.parametrize("z", [-0.5, 0.0, 0.7, 1.0, 1.3, 3.0])
def test_at_an_end_it_is_the_probability_of_being_clipped(z: float) -> None:
    for y, beyond in ((1.0, (z - 1) / SIGMA), (0.0, -z / SIGMA)):
        one, two = (torch.full((1, 1, 1, 1), number, dtype=torch.float64) for number in (y, z))
        value, _ = ClippedGaussian(one, SIGMA).value_and_grad(two)
        share = 0.5 * math.erfc(-beyond / math.sqrt(2))
        assert float(value) == pytest.approx(-2 * SIGMA**2 * math.log(share), rel=1e-9, abs=1e-12)


def test_its_gradient_is_exact() -> None:
    y = observed()
    z = (1.4 * torch.rand(y.shape, generator=seeded(3), dtype=torch.float64) - 0.2).requires_grad_(True)
    term = ClippedGaussian(y, SIGMA)
    step = 1e-6
    direction = torch.randn(y.shape, generator=seeded(4), dtype=torch.float64)
    ahead, behind = (term.value_and_grad(z.detach() + s * step * direction)[0] for s in (1, -1))
    _, gradient = term.value_and_grad(z.detach())
    slope = (gradient * direction).sum(dim=(1, 2, 3))
    assert torch.allclose((ahead - behind) / (2 * step), slope, rtol=1e-6)


@pytest.mark.parametrize("z", [-40.0, 40.0])
def test_far_away_it_stays_finite(z: float) -> None:
    for y in (0.0, 1.0):
        value, gradient = ClippedGaussian(torch.full((1, 1, 1, 1), y), SIGMA).value_and_grad(
            torch.full((1, 1, 1, 1), z)
        )
        assert bool(torch.isfinite(value).all())
        assert bool(torch.isfinite(gradient).all())


@pytest.mark.parametrize("sigma", [1e-30, 1e-12, 1e-6, 1e-4, 1e-3])
@pytest.mark.parametrize("z", [-3.0, -0.3, 0.4, 0.999, 1.3, 3.0])
def test_without_noise_it_is_the_squared_error_inside(sigma: float, z: float) -> None:
    pixel = torch.full((1, 1, 1, 1), z)
    for y, beyond in ((1.0, z > 1), (0.0, z < 0)):
        value, gradient = ClippedGaussian(torch.full((1, 1, 1, 1), y), sigma).value_and_grad(pixel)
        expected = 0.0 if beyond else (z - y) ** 2
        assert float(value) == pytest.approx(expected, rel=0.01, abs=1e-4)
        slope = 0.0 if beyond else 2 * (z - y)
        assert float(gradient) == pytest.approx(slope, rel=0.01, abs=1e-2)


@pytest.mark.parametrize(
    ("values", "clipped"),
    [([0.0, 0.5], True), ([0.2, 1.0], True), ([0.2, 0.9], False), ([-0.1, 1.0], False), ([0.0, 1.2], False)],
)
def test_clipping_is_detected_from_the_values(values: list[float], clipped: bool) -> None:
    assert is_clipped(torch.tensor(values)) == clipped


@pytest.mark.parametrize("clipped", [False, True])
def test_noise_of_one_level_is_a_case_of_uneven_noise(clipped: bool) -> None:
    y = observed()
    z = 1.4 * torch.rand(y.shape, generator=seeded(2), dtype=torch.float64) - 0.2
    even = ClippedGaussian(y, SIGMA) if clipped else SquaredError(y)
    uneven = UnevenGaussian(y, torch.ones_like(y), SIGMA, clipped)
    for one, two in zip(uneven.value_and_grad(z), even.value_and_grad(z), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("clipped", [False, True])
def test_where_the_noise_is_twice_as_strong_a_misfit_counts_a_quarter(clipped: bool) -> None:
    y = observed()
    z = 1.4 * torch.rand(y.shape, generator=seeded(2), dtype=torch.float64) - 0.2
    weak = UnevenGaussian(y, torch.ones_like(y), 2 * SIGMA, clipped).value_and_grad(z)
    strong = UnevenGaussian(y, torch.full_like(y, 2), SIGMA, clipped).value_and_grad(z)
    for one, two in zip(strong, weak, strict=True):
        torch.testing.assert_close(one, two / 4)


@pytest.mark.parametrize("clipped", [False, True])
def test_its_proximal_map_is_a_minimum(clipped: bool) -> None:
    y = observed()
    deviation = 0.5 + torch.rand(y.shape, generator=seeded(5), dtype=torch.float64)
    deviation[..., 2, 2] = torch.inf
    term = UnevenGaussian(y, deviation, 1e-5, clipped)
    v = torch.rand(y.shape, generator=seeded(6), dtype=torch.float64)
    if clipped:  # v decides which pixels are clipped
        v = torch.where((y == 0) | (y == 1), y + (y - 0.5), v)
    step = torch.tensor([0.2, 6.0], dtype=torch.float64)
    z = term.proximal(v, step)
    slope = z - v + 0.5 * step.reshape(-1, 1, 1, 1) * term.value_and_grad(z)[1]
    assert float(slope.abs().max()) < 1e-6
    torch.testing.assert_close(z[..., 2, 2], v[..., 2, 2])
