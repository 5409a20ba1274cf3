"""A ReLU critic with rounded corners."""

import pytest
import torch

from alr_cli.core.rounding import smoothed
from tests.core.toys import a_critic


@pytest.mark.parametrize("sharpness", [5.0, 20.0, 80.0])
def test_smoothing_rounds_the_corners_of_a_relu_critic(sharpness: float) -> None:
    critic = a_critic(3, width=8, depth=3, activation="relu")
    x = torch.rand(2, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    rounded = smoothed(critic, sharpness)
    assert rounded.architecture.activation == "silu"
    assert float((rounded(x) - critic(x)).detach().abs().max()) < 3 / sharpness
    assert smoothed(rounded) is rounded
