"""Drawn noise has the levels and correlations of its model."""

import numpy as np
import pytest
import torch

from alr_cli.core.noise.field import NoiseField
from alr_cli.core.noise.model import KNOTS, NoiseModel
from tests.core.noise.test_model import a_model
from tests.core.toys import seeded


def covariance(noise: torch.Tensor, a: int, b: int, dy: int, dx: int) -> float:
    height, width = noise.shape[-2:]
    return float((noise[:, a, : height - dy, : width - dx] * noise[:, b, dy:, dx:]).mean())


@pytest.mark.parametrize("side", [15, 24])
@pytest.mark.parametrize("channels", [1, 3])
def test_fields_have_the_correlation_asked_for(channels: int, side: int) -> None:
    model = a_model(channels)
    noise = NoiseField([model]).unit((2500, channels, side, side), seeded())
    assert abs(float(noise.mean())) < 0.02
    for a, b in {(0, 0), (channels - 1, channels - 1), (0, channels - 1)}:
        for dy, dx in [(0, 0), (0, 1), (1, 0), (2, 3), (6, 0)]:
            expected = model.correlation[a, b, dy, dx]
            assert covariance(noise, a, b, dy, dx) == pytest.approx(expected, abs=0.03)


def test_opposite_borders_are_independent() -> None:
    noise = NoiseField([a_model(1)]).unit((5000, 1, 15, 15), seeded(1))
    assert abs(float((noise[..., 0] * noise[..., -1]).mean())) < 0.02


@pytest.mark.parametrize("scale", [1.0, 2.5])
def test_the_level_follows_the_brightness_of_each_channel(scale: float) -> None:
    model = a_model()
    clean = torch.linspace(0, 1, 16).reshape(1, 1, 1, 16).expand(4000, 3, 16, 16).contiguous()
    noisy, sigma = NoiseField([model]).add(clean, scale * model.nominal, seeded(2))
    expected = scale * model.sigma_at(clean[0].permute(1, 2, 0).numpy()).transpose(2, 0, 1)
    np.testing.assert_allclose(sigma[0], expected, rtol=1e-5)
    measured = (noisy - clean).std(dim=(0, 2))
    np.testing.assert_allclose(measured, expected[:, 0], rtol=0.04)


def test_every_picture_has_a_scale_and_a_model_of_its_own() -> None:
    rising = NoiseModel(np.linspace(0, 1, KNOTS)[None], NoiseModel.white(1, 1).correlation)
    clean = torch.full((400, 1, 15, 15), 0.75)
    nominal = torch.where(torch.arange(400) < 200, 0.01, 0.03)
    noisy, sigma = NoiseField([NoiseModel.white(1, 1), rising]).add(clean, nominal, seeded(3))
    levels = sigma[:, 0, 0, 0]
    values, counts = torch.unique((levels / nominal).round(decimals=3), return_counts=True)
    assert values.tolist() == pytest.approx([1.0, 0.75 / rising.nominal], abs=1e-3)
    assert counts.min() > 140
    measured = (noisy - clean).std(dim=(1, 2, 3))
    np.testing.assert_allclose(measured, levels, rtol=0.25)


def test_the_generator_alone_decides() -> None:
    field, clean = NoiseField([a_model(), a_model(scale=2)]), torch.rand(5, 3, 15, 15, generator=seeded(4))
    torch.manual_seed(1)
    first = field.add(clean, 0.1, seeded(5))[0]
    torch.manual_seed(2)
    assert torch.equal(field.add(clean, 0.1, seeded(5))[0], first)
    assert not torch.equal(field.add(clean, 0.1, seeded(6))[0], first)


def test_white_noise_is_as_before() -> None:
    clean = torch.full((300, 3, 15, 15), 0.4)
    noisy, _ = NoiseField([NoiseModel.white(0.1, 3)]).add(clean, 0.1, seeded(7))
    noise = noisy - clean
    assert float(noise.std()) == pytest.approx(0.1, rel=0.01)
    assert abs(covariance(noise, 0, 0, 0, 1)) < 0.03 * 0.01
    assert abs(covariance(noise, 0, 1, 0, 0)) < 0.03 * 0.01


def test_a_level_of_zero_leaves_the_picture_alone() -> None:
    clean = torch.rand(2, 1, 9, 9, generator=seeded(8))
    assert torch.equal(NoiseField([a_model(1)]).add(clean, 0.0, seeded(9))[0], clean)


def test_an_empty_list_and_models_without_noise_are_refused() -> None:
    with pytest.raises(ValueError, match="no noise model"):
        NoiseField([])
    with pytest.raises(ValueError, match="without any noise"):
        NoiseField([a_model(), NoiseModel.white(0.0, 3)])
