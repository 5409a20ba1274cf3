"""The data term of noise that depends on brightness and is correlated between neighbours and channels."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core.coloured_noise import ColouredGaussian, ColouredNoise, coloured_noise, gain, level_of
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.noise.field import NoiseField
from alr_cli.core.noise.model import NoiseModel
from tests.core.noise.test_model import a_model
from tests.core.toys import seeded


def picture(channels: int = 3, shape: tuple[int, int] = (12, 10)) -> Tensor:
    return 0.2 + 0.6 * torch.rand(2, channels, *shape, generator=seeded(3), dtype=torch.float64)


def term(y: Tensor, model: NoiseModel, clipped: bool = False) -> ColouredGaussian:
    return ColouredGaussian.of(y, coloured_noise(y, model), clipped)


@pytest.mark.parametrize("channels", [1, 3])
def test_white_noise_of_one_level_is_the_squared_error(channels: int) -> None:
    y = picture(channels)
    z = y + 0.1 * torch.randn(y.shape, generator=seeded(4), dtype=torch.float64)
    coloured = term(y, NoiseModel.white(0.07, channels)).value_and_grad(z)
    for one, two in zip(coloured, SquaredError(y).value_and_grad(z), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("clipped", [False, True])
def test_its_gradient_is_exact(channels: int, clipped: bool) -> None:
    y = (1.4 * picture(channels) - 0.2).clamp(0, 1)
    data = term(y, a_model(channels), clipped)
    z = y + 0.2 * torch.randn(y.shape, generator=seeded(4), dtype=torch.float64)
    way = 1e-6 * torch.randn(y.shape, generator=seeded(5), dtype=torch.float64)
    rise = data.value_and_grad(z + way)[0] - data.value_and_grad(z - way)[0]
    _, gradient = data.value_and_grad(z)
    torch.testing.assert_close((2 * gradient * way).flatten(1).sum(1), rise, rtol=1e-4, atol=1e-9)


def test_a_piece_of_a_batch_is_that_piece() -> None:
    y = picture()
    data, z = term(y, a_model()), picture() + 0.1
    value, gradient = data.value_and_grad(z)
    one, of_one = data.value_and_grad(z[1:], (slice(1, 2),))
    torch.testing.assert_close(one, value[1:])
    torch.testing.assert_close(of_one, gradient[1:])


def test_noise_of_its_own_kind_has_the_expected_size() -> None:
    """(z - y)^T S^-1 (z - y) is one per number, for any colours and frequencies of the noise."""
    model = a_model()
    clean = torch.full((4, 3, 96, 96), 0.4)
    sigma = float(level_of(clean[0].numpy().transpose(1, 2, 0), model))
    noisy, level = NoiseField([model]).add(clean, sigma, seeded())
    data = ColouredGaussian.of(clean, ColouredNoise(model, level / level.square().mean().sqrt()))
    usual = float(level.square().mean())
    value, _ = data.value_and_grad(noisy)
    white, _ = SquaredError(clean).value_and_grad(noisy)
    assert float(value.mean()) / (usual * clean[0].numel()) == pytest.approx(1, abs=0.4)
    assert float(white.mean()) / (usual * clean[0].numel()) == pytest.approx(1, abs=0.1)


def test_clipped_pixels_have_no_gradient_towards_the_bound() -> None:
    y = torch.ones(1, 1, 8, 8)
    y[..., :4] = 0.0
    z = torch.where(y == 1, 1.3, -0.2)
    value, gradient = term(y, NoiseModel.white(0.1, 1), clipped=True).value_and_grad(z)
    assert float(value) == 0
    assert not gradient.any()


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("model", [NoiseModel.white(0.1, 3), a_model()], ids=["white", "correlated"])
def test_the_proximal_map_is_a_minimum(model: NoiseModel, clipped: bool) -> None:
    y = (1.4 * picture() - 0.2).clamp(0, 1) if clipped else picture()
    v = picture() + 0.3 * torch.randn(y.shape, generator=seeded(5), dtype=torch.float64)
    if clipped:  # with one step, v decides which pixels are clipped
        v = torch.where((y == 0) | (y == 1), y + (y - 0.5), v)
    data, step = term(y, model, clipped), torch.tensor([0.2, 6.0], dtype=torch.float64)
    z = data.proximal(v, step, tol=1e-9)
    slope = z - v + 0.5 * step.reshape(-1, 1, 1, 1) * data.value_and_grad(z)[1]
    assert float(slope.abs().max()) < 1e-6 * float((v - y).abs().max())


def test_an_unknown_pixel_says_nothing_about_the_others() -> None:
    y, v = picture(), picture() + 0.1
    hidden = torch.zeros(y.shape[-2:], dtype=torch.bool)
    hidden[2:5, 3:6] = True
    noise = replace(coloured_noise(y, a_model()), hidden=hidden)
    found = [
        ColouredGaussian.of(seen, noise).proximal(v, torch.ones(2, dtype=torch.float64), tol=1e-9)
        for seen in (y, torch.where(hidden, 0.9, y))
    ]
    torch.testing.assert_close(*found, rtol=0, atol=1e-6)


def test_concentrated_noise_needs_less_regularization() -> None:
    assert gain(NoiseModel.white(0.1, 3)) == pytest.approx(1, abs=1e-6)
    assert gain(a_model()) < 0.9


def test_a_model_is_converted_to_the_number_of_channels() -> None:
    gray = coloured_noise(picture(1), a_model()).model
    assert gray.channels == 1 and gray.neighbours == pytest.approx(a_model().neighbours)
    colour = coloured_noise(picture(3), a_model(1)).model
    np.testing.assert_array_equal(colour.correlation[0, 1], a_model(1).correlation[0, 0])


def test_a_model_without_noise_is_refused() -> None:
    with pytest.raises(ValueError, match="without noise"):
        coloured_noise(picture(), NoiseModel(np.zeros((3, 17)), a_model().correlation))


@pytest.mark.parametrize(
    ("model", "white"),
    [(NoiseModel.white(0.1, 3), True), (NoiseModel.poisson(0.03, 0, 0, 1), True), (a_model(), False)],
)
def test_noise_without_correlation_is_recognised(model: NoiseModel, white: bool) -> None:
    assert coloured_noise(picture(model.channels), model).white == white
