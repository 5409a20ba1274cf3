"""Texture is not a camera's noise, even where it was taken for noise."""

import numpy as np
import pytest

from alr_cli.core.noise.kind import sigma_of_kind, spectrum
from alr_cli.core.noise.model import LAGS, NoiseModel
from tests.core.noise.test_model import a_model


def alike(correlation: float, channels: int = 3) -> NoiseModel:
    """Of level 0.02, with neighbours that correlate so much."""
    lags = np.arange(LAGS)
    space = correlation ** np.add.outer(lags, lags)
    colours = np.full((channels, channels), 0.4) + 0.6 * np.eye(channels)
    return NoiseModel(np.full((channels, 17), 0.02), colours[..., None, None] * space)


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_noise_of_the_kind_is_believed(channels: int, scale: float) -> None:
    kind = a_model(channels)
    assert sigma_of_kind(kind.scaled(scale), kind) == pytest.approx(scale * kind.nominal)


def test_the_smoother_it_is_the_less_of_it_is_noise_of_the_kind() -> None:
    found = [sigma_of_kind(alike(correlation), alike(0.5)) for correlation in (0.5, 0.6, 0.7, 0.8, 0.9)]
    assert found[0] == pytest.approx(0.02)
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.008


def test_never_more_than_was_estimated() -> None:
    assert sigma_of_kind(alike(0.1), alike(0.5)) == pytest.approx(0.02)


def test_the_spectrum_of_white_noise_is_flat() -> None:
    white = NoiseModel.white(0.1, 3)
    np.testing.assert_allclose(spectrum(white), 0.1**2 / 3, rtol=1e-9)


def test_the_spectrum_is_the_variance_of_the_cosines() -> None:
    import torch
    from scipy.fft import dctn

    from alr_cli.core.noise.field import NoiseField

    model = alike(0.5, channels=1)
    fields = NoiseField([model]).unit((4000, 1, 16, 16), torch.Generator().manual_seed(0)).numpy()
    cosines = dctn(fields[:, 0] * 0.02, axes=(1, 2), norm="ortho")
    np.testing.assert_allclose(cosines.var(axis=0), spectrum(model), rtol=0.15)
