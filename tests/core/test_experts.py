"""Fields of experts as a critic: the formula, its gradient, its grids, its contrast, its filters."""

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core import experts
from alr_cli.core.critics import build
from alr_cli.core.experts import KNOTS, SIDE, Experts, ExpertsArchitecture
from alr_cli.core.regularizer import LocalRegularizer
from alr_cli.core.symmetry import Turning
from tests.core.toys import seeded

PATCH = 2 * SIDE


def some_experts(
    channels: int = 1, fine: int = 5, coarse: int = 3, dtype: torch.dtype = torch.float64
) -> Experts:
    critic = Experts(ExpertsArchitecture(channels, fine, coarse))
    generator = seeded(1)
    for parameter in critic.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data += 0.3 * noise * (10 if parameter.dim() == 2 else 1)
    return critic.to(dtype).eval().requires_grad_(False)


def picture(channels: int, height: int, width: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(2, channels, height, width, generator=seeded(3), dtype=dtype)


def score_by_hand(critic: Experts, patch: Tensor) -> float:
    """The first line of the module, with loops. patch: (C, 14, 14)."""
    basis = experts.basis(critic.architecture.channels).double()
    filters = torch.einsum("kn,ncij->kcij", critic.fine, basis)
    halves = torch.nn.functional.avg_pool2d(patch[None], 2)[0]
    total = 0.0
    for f, log_weight in zip(filters, critic.log_fine, strict=True):
        for down in (2, 3):
            for right in (2, 3):
                t = float((f * patch[:, down : down + SIDE, right : right + SIDE]).sum())
                total += float(log_weight.exp()) * np.log1p(t**2)
    for g, log_weight in zip(critic.coarse, critic.log_coarse, strict=True):
        t = float((torch.einsum("n,ncij->cij", g, basis) * halves).sum())
        total += float(log_weight.exp()) * np.log1p(t**2)
    return total


@pytest.mark.parametrize("channels", [1, 3])
def test_the_score_of_a_patch_is_the_formula(channels: int) -> None:
    critic, x = some_experts(channels), picture(channels, 18, 16)
    scores = critic(x)
    assert scores.shape == (2, 1, 3, 2)
    for row in range(3):
        for column in range(2):
            patch = x[1, :, 2 * row : 2 * row + PATCH, 2 * column : 2 * column + PATCH]
            assert float(scores[1, 0, row, column]) == pytest.approx(score_by_hand(critic, patch), rel=1e-6)


@pytest.mark.parametrize("shape", [(14, 14), (15, 14), (21, 18), (30, 33)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_gradient_by_hand_is_that_of_autograd(channels: int, shape: tuple[int, int]) -> None:
    critic, x = some_experts(channels), picture(channels, *shape)
    value, gradient = critic.summed(torch.float64)(x)
    leaf = x.clone().requires_grad_(True)
    scores = critic(leaf).sum((1, 2, 3))
    (expected,) = torch.autograd.grad(scores.sum(), leaf)
    torch.testing.assert_close(value, scores.detach(), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("tile", [14, 17, 32])
def test_tiles_change_nothing(tile: int) -> None:
    critic, x = some_experts(3), picture(3, 41, 38)
    whole, tiled = LocalRegularizer(critic, 0, torch.float64), LocalRegularizer(critic, tile, torch.float64)
    for one, two in zip(whole.value_and_grad(x), tiled.value_and_grad(x), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-12)


def test_four_evaluations_in_turn_are_the_mean_over_all_patches() -> None:
    critic, x = some_experts(1), picture(1, 33, 33)  # 20 x 20 patches, 10 x 10 in each grid
    regularizer = LocalRegularizer(critic, 0, torch.float64)
    turning = Turning(regularizer)
    seen = [turning.value_and_grad(x) for _ in range(4)]
    value, gradient = regularizer.value_and_grad(x)
    torch.testing.assert_close(sum(v for v, _ in seen) / 4, value)
    torch.testing.assert_close(sum(g for _, g in seen) / 4, gradient)


@pytest.mark.parametrize("channels", [1, 3])
def test_no_filter_sees_the_mean_of_a_patch(channels: int) -> None:
    critic, x = some_experts(channels), picture(channels, 20, 20)
    shifted = x + torch.tensor([0.3, -0.1, 0.2], dtype=x.dtype)[:channels].reshape(1, -1, 1, 1)
    torch.testing.assert_close(critic(x), critic(shifted))
    assert float(critic(torch.full_like(x, 0.4)).abs().max()) < 1e-9


@pytest.mark.parametrize("channels", [1, 3])
def test_the_basis_is_orthonormal(channels: int) -> None:
    basis = experts.basis(channels).flatten(1).double()
    torch.testing.assert_close(basis @ basis.T, torch.eye(len(basis)).double(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("channels", "count"), [(1, 48), (1, 96), (3, 48), (3, 72), (3, 144), (3, 288)])
def test_the_filters_to_begin_with_are_all_different_and_gray_comes_first(channels: int, count: int) -> None:
    filters = experts.beginning(channels, count)
    assert filters.shape == (count, channels * 48)
    assert len({tuple(row) for row in filters.tolist()}) == count
    assert torch.equal(filters[:48, :48], torch.eye(48))


@pytest.mark.parametrize("sigma", [0.01, 0.03, 0.1, 0.32, 0.6])
def test_at_a_level_of_noise_the_picture_is_scaled_by_the_contrast(sigma: float) -> None:
    critic, x = some_experts(1), picture(1, 20, 20)
    s = critic.contrast(torch.tensor(sigma, dtype=torch.float64))
    torch.testing.assert_close(critic.at(sigma).double()(x), critic(s * x), rtol=1e-5, atol=1e-7)


def test_the_contrast_falls_with_the_noise_and_stays_finite_without_it() -> None:
    critic = Experts(ExpertsArchitecture.usual(1)).requires_grad_(False)
    values = [float(critic.contrast(torch.tensor(sigma))) for sigma in (0.0, 0.005, *KNOTS, 1.0)]
    assert values[0] == values[1]
    assert values[1:] == sorted(values[1:], reverse=True)
    assert float(critic.contrast(torch.tensor(0.1))) == pytest.approx(1.0)


def test_a_critic_already_at_a_level_has_no_contrast_of_its_own() -> None:
    at = some_experts(1).at(0.05)
    fine, contrast = at.fine, at.log_contrast
    assert not contrast.any()
    assert torch.equal(at.fine, fine)
    assert not any(parameter.requires_grad for parameter in at.parameters())


@pytest.mark.parametrize("channels", [1, 3])
def test_an_architecture_survives_its_description(channels: int) -> None:
    architecture = ExpertsArchitecture.usual(channels)
    built = build(architecture.as_dict())
    assert isinstance(built, Experts)
    assert built.architecture == architecture


@pytest.mark.parametrize(
    "fields", [{"channels": 2}, {"fine": 0}, {"coarse": 0}, {"fine": 289}, {"coarse": 1000}]
)
def test_an_architecture_that_cannot_be_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="channels"):
        ExpertsArchitecture(**fields)
