"""Denoising at half the resolution."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from alr_cli.core.priors.coarse import Coarse


@dataclass(frozen=True)
class Shrinks:
    """A denoiser that removes a tenth of the picture, and remembers the shapes that it has seen."""

    seen: list[torch.Size]

    def denoise(self, y: Tensor, share: float = 1.0) -> Tensor:
        self.seen.append(y.shape)
        return y * (1 - 0.1 * share)


@pytest.mark.parametrize("shape", [(8, 12), (9, 12), (7, 5), (1, 1)])
def test_the_denoiser_sees_half_of_the_resolution(shape: tuple[int, int]) -> None:
    y, seen = torch.rand(2, 3, *shape, generator=torch.Generator().manual_seed(0)), []
    x = Coarse(Shrinks(seen)).denoise(y)
    assert seen == [torch.Size((2, 3, (shape[0] + 1) // 2, (shape[1] + 1) // 2))]
    assert x.shape == y.shape


def test_a_constant_picture_is_changed_as_by_the_denoiser_itself() -> None:
    y = torch.full((1, 1, 9, 7), 0.5)
    torch.testing.assert_close(Coarse(Shrinks([])).denoise(y, 0.5), y * 0.95)


def test_details_finer_than_two_pixels_are_kept() -> None:
    y = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    fine = y - avg_pool2d(y, 2).repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(Coarse(Shrinks([])).denoise(fine), fine)
