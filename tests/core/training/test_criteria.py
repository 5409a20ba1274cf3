"""D(theta), eq. 7, in cases that can be computed by hand: linear critics."""

import pytest
import torch
from torch import Tensor, nn

from alr_cli.core.training.criteria import gradient_length, mix, wgan_gp
from tests.core.toys import a_critic, seeded


def linear(length: float, size: int = 6) -> nn.Linear:
    """r(z) = <a, z> + 0.3 with ||a|| = length."""
    critic = nn.Linear(size, 1).double()
    direction = torch.randn(1, size, generator=seeded(1), dtype=torch.float64)
    critic.weight.data = length * direction / direction.norm()
    critic.bias.data.fill_(0.3)
    return critic


def points(seed: int) -> Tensor:
    return torch.rand(10, 6, generator=seeded(seed), dtype=torch.float64)


NOISY, CLEAN, ALPHA = points(2), points(3), points(4)[:, 0]


@pytest.mark.parametrize("mu", [0.0, 5.0])
@pytest.mark.parametrize(
    ("length", "one_sided", "excess"),
    [
        (0.2, False, -0.8),
        (1.0, False, 0.0),
        (3.0, False, 2.0),
        (0.2, True, 0.0),
        (1.0, True, 0.0),
        (3.0, True, 2.0),
    ],
)
def test_a_linear_critic_has_the_criterion_of_the_closed_form(
    length: float, one_sided: bool, excess: float, mu: float
) -> None:
    critic = linear(length)
    criterion = wgan_gp(critic, NOISY, CLEAN, ALPHA, mu, one_sided)
    difference = (critic.weight[0] * (NOISY.mean(0) - CLEAN.mean(0))).sum()
    torch.testing.assert_close(criterion.wasserstein, difference)
    torch.testing.assert_close(criterion.gradient_norm, torch.tensor(length, dtype=torch.float64))
    torch.testing.assert_close(criterion.objective, difference - mu * excess**2)


@pytest.mark.parametrize("one_sided", [False, True])
def test_the_gradient_in_theta_has_its_closed_form(one_sided: bool) -> None:
    """d/da [<a, m> - mu (||a|| - 1)^2] = m - 2 mu (||a|| - 1) a / ||a||, and 0 for the constant."""
    critic = linear(2.5)
    wgan_gp(critic, NOISY, CLEAN, ALPHA, 5.0, one_sided).objective.backward()
    direction = critic.weight.data[0] / 2.5
    expected = NOISY.mean(0) - CLEAN.mean(0) - 2 * 5.0 * 1.5 * direction
    assert critic.weight.grad is not None and critic.bias.grad is not None
    torch.testing.assert_close(critic.weight.grad[0], expected)
    torch.testing.assert_close(critic.bias.grad, torch.zeros(1, dtype=torch.float64))


def test_the_scale_divides_each_pair() -> None:
    critic, scale = linear(1.0), 1.0 + points(5)[:, 0]
    criterion = wgan_gp(critic, NOISY, CLEAN, ALPHA, 5.0, scale=scale)
    expected = ((critic(NOISY) - critic(CLEAN))[:, 0] / scale).mean()
    torch.testing.assert_close(criterion.wasserstein, expected)
    torch.testing.assert_close(criterion.objective, expected)


def test_exchanging_clean_and_noisy_changes_the_sign() -> None:
    critic = linear(1.0)
    forth, back = (wgan_gp(critic, a, b, ALPHA, 5.0).objective for a, b in ((NOISY, CLEAN), (CLEAN, NOISY)))
    torch.testing.assert_close(forth, -back)


@pytest.mark.parametrize(
    ("alpha", "expected"), [(1.0, CLEAN), (0.0, NOISY), (0.25, 0.25 * CLEAN + 0.75 * NOISY)]
)
def test_the_mixture_is_that_of_algorithm_1(alpha: float, expected: Tensor) -> None:
    torch.testing.assert_close(mix(CLEAN, NOISY, torch.full((10,), alpha, dtype=torch.float64)), expected)


def test_every_sample_has_its_own_mixing_weight() -> None:
    clean, noisy = torch.zeros(10, 3, 4, 4).double(), torch.ones(10, 3, 4, 4).double()
    torch.testing.assert_close(mix(clean, noisy, ALPHA)[:, 2, 1, 3], 1 - ALPHA)


def test_the_gradient_length_is_that_of_finite_differences() -> None:
    critic = a_critic(width=4, depth=2, dtype=torch.float64)
    z = torch.rand(3, 1, 5, 5, generator=seeded(6), dtype=torch.float64)
    length = gradient_length(critic, z)
    step, basis = 1e-6, torch.eye(25, dtype=torch.float64).reshape(25, 1, 5, 5)
    for n in range(3):
        differences = (critic(z[n] + step * basis) - critic(z[n] - step * basis)).flatten() / (2 * step)
        torch.testing.assert_close(length[n], differences.norm(), rtol=1e-6, atol=0)


def test_several_scores_a_sample_count_as_their_mean() -> None:
    critic = a_critic(width=4, depth=2, dtype=torch.float64)
    noisy, clean = (torch.rand(4, 1, 7, 6, generator=seeded(n), dtype=torch.float64) for n in (7, 8))
    alpha = ALPHA[:4]

    def mean(z: Tensor) -> Tensor:
        return critic(z).mean(dim=(1, 2, 3), keepdim=True)

    torch.testing.assert_close(
        wgan_gp(critic, noisy, clean, alpha, 5.0).objective, wgan_gp(mean, noisy, clean, alpha, 5.0).objective
    )


def test_a_dead_critic_still_has_a_finite_gradient() -> None:
    critic = nn.Sequential(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    critic[0].bias.data.fill_(-100.0)
    wgan_gp(critic, NOISY, CLEAN, ALPHA, 5.0).objective.backward()
    assert all(
        bool(torch.isfinite(value.grad).all()) for value in critic.parameters() if value.grad is not None
    )
