"""The circulant preconditioner is the Hessian if the weights are equal everywhere."""

import pytest
import torch

from alr_cli.core.priors.cosines import basis, colours
from alr_cli.core.priors.experts import Experts
from alr_cli.core.priors.preconditioner import Circulant, powers, prior_spectrum
from tests.core.priors.test_experts import some_experts
from tests.core.toys import seeded


def periodic(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """sum_k f_k^T f_k x on a torus, with Fourier transforms of the whole filters. x: (1, C, H, W)."""
    transfer = torch.fft.rfft2(kernel, s=x.shape[-2:])
    seen = (transfer.conj() * torch.fft.rfft2(x)).sum(1, keepdim=True)
    return torch.fft.irfft2((transfer * seen).sum(0, keepdim=True), s=x.shape[-2:])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(30, 24), (33, 47)])
def test_with_one_filter_at_all_pixels_it_is_the_inverse(channels: int, shape: tuple[int, int]) -> None:
    """In one opponent colour, since it has no terms across colours."""
    generator = seeded(1)
    coefficients = torch.zeros(1, channels * 48, dtype=torch.float64)
    coefficients[0, :48] = torch.randn(48, generator=generator, dtype=torch.float64)
    x = torch.randn(1, channels, *shape, generator=generator, dtype=torch.float64)
    kernel = torch.einsum("kn,ncij->kcij", coefficients, basis(channels).double())
    forward = 1.25 * x + 0.7 * periodic(x, kernel)
    amounts = [torch.full((1, 1), 0.7, dtype=torch.float64)]
    solver = Circulant(prior_spectrum(amounts, [powers(coefficients)], shape), 1.25, shape)
    torch.testing.assert_close(solver.solve(forward), x, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_coarser_scale_sees_means_of_pixels(scale: int) -> None:
    """The spectrum is 0 at the mean. Filters of scale s see no frequencies that means remove."""
    nothing = torch.zeros(1, 1)
    grids = [powers(torch.ones(1, 48))] * 3
    amounts = [torch.ones(1, 1) if 2**power == scale else nothing for power in range(3)]
    spectrum = prior_spectrum(amounts, grids, (64, 64))
    assert float(spectrum[0, 0, 0, 0]) == pytest.approx(0, abs=1e-4)
    assert float(spectrum.max()) > 1
    if scale > 1:
        lost = spectrum[0, 0, 64 // scale]
        torch.testing.assert_close(lost, torch.zeros_like(lost), rtol=0, atol=1e-4)


def test_opponent_colours_are_orthonormal_and_those_of_the_basis() -> None:
    rows = colours(3)
    torch.testing.assert_close(rows @ rows.T, torch.eye(3))
    planes = basis(3).unflatten(0, (3, 48))
    torch.testing.assert_close(planes[1, 0], rows[1].reshape(3, 1, 1) * basis(1)[0])


def test_each_picture_of_a_batch_has_its_own() -> None:
    critic: Experts = some_experts(3, coarser=3, dtype=torch.float32)
    grids = [powers(filters) for filters in critic.filters]
    amounts = [torch.rand(2, len(grid), generator=seeded(2)) for grid in grids]
    x = torch.rand(2, 3, 40, 36, generator=seeded(3))
    both = Circulant(prior_spectrum(amounts, grids, (40, 36)), 1.0, (40, 36)).solve(x)
    for index in range(2):
        own = prior_spectrum([a[index : index + 1] for a in amounts], grids, (40, 36))
        one = Circulant(own, 1.0, (40, 36))
        torch.testing.assert_close(one.solve(x[index : index + 1]), both[index : index + 1])


def test_without_a_prior_p_is_the_data_term() -> None:
    x = torch.rand(2, 3, 12, 14, generator=seeded(4))
    nothing = Circulant(torch.zeros(1, 3, 15, 8), 0.5, (15, 15))
    torch.testing.assert_close(nothing.solve(x), 2 * x)
    assert not nothing.smoothed(x).any()


@pytest.mark.parametrize("shape", [(12, 14), (31, 200)])
def test_filters_wrap_round_a_small_torus(shape: tuple[int, int]) -> None:
    """At frequencies that a large and a small torus share, both have the same value."""
    grids, amounts = [powers(torch.ones(2, 48))] * 3, [torch.ones(1, 2)] * 3
    small = prior_spectrum(amounts, grids, shape)
    large = prior_spectrum(amounts, grids, (shape[0] * 8, shape[1] * 8))
    torch.testing.assert_close(small, large[..., ::8, ::8][..., : small.shape[-1]], rtol=1e-3, atol=1e-3)
