"""The spectrum of correlated noise, compared with noise drawn from the model."""

import numpy as np
import pytest
import torch

from alr_cli.core.noise.field import NoiseField
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.opponent_colours import opponent_matrix
from alr_cli.core.noise.spectrum import LEAST, luma_share, on_cosines, on_torus
from alr_cli.core.numerics.cosines import cosine_transform
from tests.core.noise.test_model import a_model
from tests.core.toys import seeded


@pytest.mark.parametrize("channels", [1, 3])
def test_white_noise_is_alike_at_all_frequencies(channels: int) -> None:
    model = NoiseModel.white(0.1, channels)
    torch.testing.assert_close(on_cosines(model, (6, 8)), torch.ones(channels, 6, 8))
    torch.testing.assert_close(on_torus(model, (6, 8)), torch.ones(channels, 6, 5))


def test_it_is_the_mean_power_of_drawn_noise() -> None:
    model, size = a_model(), 32
    noise = NoiseField([model]).unit((400, 3, size, size), seeded())
    seen = (
        cosine_transform(torch.einsum("oc,bchw->bohw", torch.from_numpy(opponent_matrix(3)).float(), noise))
        .square()
        .mean(0)
    )
    coarse = seen.reshape(3, 8, 4, 8, 4).mean(dim=(2, 4))
    expected = on_cosines(model, (size, size)).reshape(3, 8, 4, 8, 4).mean(dim=(2, 4))
    strong = expected > 0.3
    np.testing.assert_allclose(expected[strong], coarse[strong], rtol=0.35)


def test_it_has_mean_one_and_is_positive() -> None:
    density = on_cosines(a_model(), (64, 64))
    assert float(density.mean()) == pytest.approx(1, abs=0.1)
    assert float(density.min()) >= LEAST * 0.999


def test_equal_channels_have_all_noise_in_gray() -> None:
    correlation = NoiseModel.white(1.0, 3).correlation.copy()
    correlation[..., 0, 0] = 1.0
    assert luma_share(NoiseModel(np.full((3, 17), 0.1), correlation)) == pytest.approx(3)
    assert luma_share(NoiseModel.white(0.1, 3)) == pytest.approx(1)
