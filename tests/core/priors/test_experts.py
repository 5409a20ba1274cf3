"""Fields of experts: formula, gradient, grids, contrast and filters."""

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core.priors import cosines
from alr_cli.core.priors.cosines import SIDE
from alr_cli.core.priors.experts import KNOTS, Experts, ExpertsArchitecture
from alr_cli.core.priors.filter_bank import summed
from alr_cli.core.priors.glimpses import Turning
from alr_cli.core.priors.local import LocalRegularizer, unfitted
from alr_cli.core.priors.registry import build
from tests.core.toys import some_experts, two_pictures

SCALES = [0, 3]  # filters at the third scale: none, or some


def score_by_hand(critic: Experts, patch: Tensor) -> float:
    """The first line of the module, with loops, for a patch (C, p, p)."""
    basis = cosines.basis(critic.architecture.channels).double()
    total = 0.0
    for scale, name in zip((1, 2, 4), critic._names(), strict=False):
        filters = torch.einsum("kn,ncij->kcij", critic.get_parameter(name), basis)
        means = torch.nn.functional.avg_pool2d(patch[None], scale)[0]
        places = range(critic.stride // max(2, scale))
        spare = critic.patch // max(2, scale) - (4 if scale == 1 else SIDE) - (len(places) - 1)
        first, step = (spare // 2 * 2, 2) if scale == 1 else (spare // 2, 1)
        for f, log_weight in zip(filters, critic.get_parameter(f"log_{name}"), strict=True):
            for down in places:
                for right in places:
                    top, left = first + step * down, first + step * right
                    t = float((f * means[:, top : top + SIDE, left : left + SIDE]).sum())
                    total += float(log_weight.exp()) * np.log1p(t**2) / len(places) ** 2
    return total


@pytest.mark.parametrize("coarser", SCALES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_score_of_a_patch_is_the_formula(channels: int, coarser: int) -> None:
    critic = some_experts(channels, coarser)
    p, s = critic.patch, critic.stride
    x = two_pictures(channels, p + 2 * s, p + s)
    scores = critic(x)
    assert scores.shape == (2, 1, 3, 2)
    for row in range(3):
        for column in range(2):
            patch = x[1, :, s * row : s * row + p, s * column : s * column + p]
            assert float(scores[1, 0, row, column]) == pytest.approx(score_by_hand(critic, patch), rel=1e-6)


@pytest.mark.parametrize("coarser", SCALES)
def test_dense_filters_on_one_grid_are_nearer_to_the_mean_over_all_grids(coarser: int) -> None:
    """Only inside, away from where the grids end."""
    critic, x = some_experts(3, coarser), two_pictures(3, 128, 128)
    regularizer = LocalRegularizer(critic, 0, torch.float64)
    inner = (..., slice(40, -40), slice(40, -40))
    exact = regularizer.value_and_grad(x)[1][inner]
    thin = regularizer.on_grid(x)[1][inner]
    dense = summed(critic.banks(torch.float64, dense=True), critic.stride, x, 128)[1][inner]
    scale = exact.norm() / dense.norm()  # the patches counted are not quite as many
    assert float((dense * scale - exact).norm()) < 0.6 * float((thin - exact).norm())
    assert float((dense * scale - exact).norm()) < 0.5 * float(exact.norm())


@pytest.mark.parametrize("tile", [14, 17, 32])
@pytest.mark.parametrize("coarser", SCALES)
def test_tiles_change_nothing(coarser: int, tile: int) -> None:
    critic, x = some_experts(3, coarser), two_pictures(3, 61, 58)
    whole, tiled = LocalRegularizer(critic, 0, torch.float64), LocalRegularizer(critic, tile, torch.float64)
    for one, two in zip(whole.value_and_grad(x), tiled.value_and_grad(x), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("coarser", SCALES)
def test_evaluations_in_turn_are_the_mean_over_all_patches(coarser: int) -> None:
    critic = some_experts(1, coarser)
    grids = critic.stride**2
    x = two_pictures(1, critic.patch + 19, critic.patch + 19)  # 20 x 20 patches, as many in each grid
    regularizer = LocalRegularizer(critic, 0, torch.float64)
    turning = Turning(regularizer)
    seen = [turning.value_and_grad(x) for _ in range(grids)]
    value, gradient = regularizer.value_and_grad(x)
    torch.testing.assert_close(sum(v for v, _ in seen) / grids, value)
    torch.testing.assert_close(sum(g for _, g in seen) / grids, gradient)


@pytest.mark.parametrize("coarser", SCALES)
@pytest.mark.parametrize("channels", [1, 3])
def test_no_filter_sees_the_mean_of_a_patch(channels: int, coarser: int) -> None:
    critic, x = some_experts(channels, coarser), two_pictures(channels, 40, 40)
    shifted = x + torch.tensor([0.3, -0.1, 0.2], dtype=x.dtype)[:channels].reshape(1, -1, 1, 1)
    torch.testing.assert_close(critic(x), critic(shifted))
    assert float(critic(torch.full_like(x, 0.4)).abs().max()) < 1e-9


@pytest.mark.parametrize("channels", [1, 3])
def test_the_basis_is_orthonormal(channels: int) -> None:
    basis = cosines.basis(channels).flatten(1).double()
    torch.testing.assert_close(basis @ basis.T, torch.eye(len(basis)).double(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("channels", "count"), [(1, 48), (1, 96), (3, 48), (3, 72), (3, 144), (3, 288)])
def test_the_filters_to_begin_with_are_all_different_and_gray_comes_first(channels: int, count: int) -> None:
    filters = cosines.initial_filters(channels, count)
    assert filters.shape == (count, channels * 48)
    assert len({tuple(row) for row in filters.tolist()}) == count
    assert torch.equal(filters[:48, :48], torch.eye(48))


@pytest.mark.parametrize("sigma", [0.01, 0.03, 0.1, 0.32, 0.6])
def test_at_a_level_of_noise_the_picture_is_scaled_by_the_contrast(sigma: float) -> None:
    critic, x = some_experts(1), two_pictures(1, 20, 20)
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
    prior = build(architecture.as_dict(), (0.01, 0.3), unfitted)
    assert prior.kind == "experts" and prior.description == architecture.as_dict()
    assert {value.device.type for value in prior.network.parameters()} == {"meta"}
    assert prior.network.state_dict().keys() == Experts(architecture).state_dict().keys()


@pytest.mark.parametrize(
    "fields", [{"channels": 2}, {"fine": 0}, {"coarse": 0}, {"coarser": -1}, {"fine": 289}, {"coarse": 1000}]
)
def test_an_impossible_architecture_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="channels"):
        ExpertsArchitecture(**fields)
