"""Denoisers that see pictures in other orientations."""

import pytest
import torch

from alr_cli.core.priors.orientations import IN_TURN, Turned, turned, turned_back

X = torch.rand(2, 3, 5, 8, generator=torch.Generator().manual_seed(0))


class MovesRight:
    """A denoiser with a preferred direction: it takes the left neighbour of each pixel."""

    def denoise(self, y: torch.Tensor, share: float = 1.0) -> torch.Tensor:
        return y + share * (y.roll(1, -1) - y)


@pytest.mark.parametrize("side", range(8))
def test_turning_back_undoes_turning(side: int) -> None:
    torch.testing.assert_close(turned_back(turned(X, side), side), X, rtol=0, atol=0)


def test_the_eight_orientations_differ() -> None:
    square = X[..., :5]
    views = [turned(square, side) for side in IN_TURN]
    assert sorted(IN_TURN) == list(range(8))
    assert all(not torch.equal(a, b) for n, a in enumerate(views) for b in views[:n])


@pytest.mark.parametrize(
    ("side", "by", "axis"), [(0, 1, -1), (1, 1, -2), (2, -1, -1), (3, -1, -2), (4, -1, -1)]
)
@pytest.mark.parametrize("share", [0.4, 1.0])
def test_a_denoiser_sees_the_picture_turned(side: int, by: int, axis: int, share: float) -> None:
    expected = X + share * (X.roll(by, axis) - X)
    torch.testing.assert_close(Turned(MovesRight(), side).denoise(X, share), expected)
