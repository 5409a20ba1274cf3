"""The symmetries of the square, and a regularizer evaluated under all of them."""

import pytest
import torch

from alr_cli.core.priors.glimpses import Glimpse, Turning, turned, turned_back
from alr_cli.core.priors.local import LocalRegularizer
from tests.core.toys import a_critic, seeded

SIDES = range(8)


def picture(height: int = 9, width: int = 12) -> torch.Tensor:
    return torch.rand(2, 1, height, width, generator=seeded(3), dtype=torch.float64)


@pytest.mark.parametrize("side", SIDES)
def test_turning_back_undoes_turning(side: int) -> None:
    x = picture()
    assert torch.equal(turned_back(turned(x, side), side), x)


def test_the_eight_sides_are_all_different() -> None:
    x = picture(7, 7)
    sides = [turned(x, side) for side in SIDES]
    assert all(not torch.equal(sides[i], sides[j]) for i in SIDES for j in range(i))


def test_eight_evaluations_see_every_side_once_and_average_to_the_symmetric_mean() -> None:
    regularizer = LocalRegularizer(a_critic(1).double())
    x = picture(20, 23)
    turning = Turning(regularizer)
    seen = [turning.value_and_grad(x) for _ in SIDES]
    expected = [regularizer.value_and_grad(turned(x, side)) for side in SIDES]
    assert torch.allclose(sum(v for v, _ in seen), sum(v for v, _ in expected))  # type: ignore[arg-type]
    mean = sum(turned_back(g, side) for side, (_, g) in zip(SIDES, expected, strict=True))
    assert torch.allclose(sum(g for _, g in seen), mean)  # type: ignore[arg-type]


@pytest.mark.parametrize("stride", [2, 3])
def test_every_side_and_grid_is_seen_once_in_turn(stride: int) -> None:
    glimpses = [Glimpse.number(count, stride) for count in range(8 * stride**2)]
    assert len(set(glimpses)) == 8 * stride**2


@pytest.mark.parametrize("side", SIDES)
def test_a_turned_critic_sees_what_the_critic_sees_of_the_turned_picture(side: int) -> None:
    critic = a_critic(1, depth=4).double()
    x = picture(20, 23)
    expected = turned_back(critic(turned(x, side)), side)
    torch.testing.assert_close(critic.turned(side)(x), expected)


def test_all_glimpses_together_see_what_all_turned_pictures_show_on_all_grids() -> None:
    regularizer = LocalRegularizer(a_critic(1, depth=4, stride=2).double())
    x = picture(21, 25)  # 6 x 10 patches of 16 x 16 pixels: as many on each grid
    turning = Turning(regularizer)
    seen = sum(turning.value_and_grad(x)[1] for _ in range(32)) / 32
    sides = [turned_back(regularizer.value_and_grad(turned(x, side))[1], side) for side in SIDES]
    torch.testing.assert_close(seen, sum(sides) / 8)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_gradient_is_that_of_the_side_seen(stride: int) -> None:
    turning = Turning(LocalRegularizer(a_critic(1, depth=4, stride=stride).double()))
    x, step = picture(20, 23), 1e-6
    direction = torch.randn(x.shape, generator=seeded(5), dtype=torch.float64)
    for _ in range(8 * stride**2):
        start = turning.evaluations
        _, gradient = turning.value_and_grad(x)
        values = []
        for sign in (1, -1):
            turning.evaluations = start
            values.append(turning.value_and_grad(x + sign * step * direction)[0])
        slope = (values[0] - values[1]) / (2 * step)
        assert torch.allclose(slope, (gradient * direction).sum(dim=(1, 2, 3)), rtol=1e-4, atol=1e-9)
