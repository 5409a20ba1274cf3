"""Fig. 1: what eq. 7 teaches a critic of points in the plane."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from alr_cli.bench.figures.learned_circle import Circle, learn
from alr_cli.core.training.criteria import gradient_length

CIRCLE = Circle()


@pytest.fixture(scope="module")
def critic() -> Iterator[nn.Sequential]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # threads only wait for each other where there is so little to compute
    yield learn(CIRCLE)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def disc() -> Tensor:
    """A grid over the disc that the noisy points cover."""
    axis = torch.linspace(-2.0, 2.0, 61)
    grid = torch.cartesian_prod(axis, axis)
    return grid[grid.norm(dim=1) < 1 + 2 * CIRCLE.sigma]


def test_noisy_points_cover_the_disc_and_its_surroundings(disc: Tensor) -> None:
    noisy = CIRCLE.noisy(20_000, torch.Generator().manual_seed(1))
    nearest = torch.cdist(disc, noisy).min(dim=1).values
    assert nearest.max() < 0.25


def test_clean_points_lie_on_the_circle_and_all_around_it() -> None:
    clean = CIRCLE.clean(20_000, torch.Generator().manual_seed(2))
    torch.testing.assert_close(CIRCLE.distance(clean), torch.zeros(20_000), atol=1e-6, rtol=0)
    assert clean.mean(dim=0).norm() < 0.02
    assert clean.T.cov().sub(0.5 * torch.eye(2)).abs().max() < 0.02


def test_the_critic_learns_the_distance_to_the_circle(critic: nn.Sequential, disc: Tensor) -> None:
    values, distance = critic(disc)[:, 0], CIRCLE.distance(disc)
    assert torch.corrcoef(torch.stack([values, distance]))[0, 1] >= 0.95
    slope = (
        (values - values.mean()) @ (distance - distance.mean()) / (distance - distance.mean()).square().sum()
    )
    assert 0.8 < slope < 1.3  # a distance, not merely a function of it


def test_its_gradient_has_length_one_off_the_circle(critic: nn.Sequential, disc: Tensor) -> None:
    off = disc[CIRCLE.distance(disc) > 0.05]
    length = gradient_length(critic, off)
    assert 0.8 < length.mean() < 1.2
    assert length.std() < 0.15


def test_descending_it_brings_noisy_points_to_the_circle(critic: nn.Sequential) -> None:
    points = CIRCLE.noisy(500, torch.Generator().manual_seed(3))
    before = CIRCLE.distance(points).mean()
    for _ in range(100):
        points = points.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(critic(points).sum(), points)
        points = points - 0.01 * gradient
    assert CIRCLE.distance(points.detach()).mean() < 0.2 * before
