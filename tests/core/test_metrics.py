import numpy as np
import pytest

from alr_cli.core.metrics import infinite_psnr, psnr, ssim


def gray(value: float, side: int = 16) -> np.ndarray:
    return np.full((side, side, 3), value, np.float32)


@pytest.mark.parametrize(("error", "decibels"), [(0.1, 20.0), (0.01, 40.0), (-0.2, 13.9794)])
def test_psnr_of_a_constant_error_is_its_logarithm(error: float, decibels: float) -> None:
    assert psnr(gray(0.5), gray(0.5 + error)) == pytest.approx(decibels, abs=1e-3)


def test_the_estimate_is_clamped_before_it_is_measured() -> None:
    assert psnr(gray(0.9), gray(1.7)) == pytest.approx(20.0, abs=1e-3)
    assert ssim(gray(1.0), gray(1.7)) == pytest.approx(1.0)


def test_equal_pictures_have_no_psnr_and_an_ssim_of_one() -> None:
    picture = np.random.default_rng(0).random((16, 16, 3), np.float32)
    assert psnr(picture, picture) is None
    assert ssim(picture, picture) == pytest.approx(1.0)


@pytest.mark.parametrize("side", [1, 10])
def test_pictures_smaller_than_the_window_have_no_ssim(side: int) -> None:
    assert ssim(gray(0.5, side), gray(0.4, side)) is None
    assert psnr(gray(0.5, side), gray(0.4, side)) is not None


def test_ssim_falls_as_noise_rises() -> None:
    clean = np.linspace(0, 1, 32 * 32 * 1, dtype=np.float32).reshape(32, 32, 1)
    noise = np.random.default_rng(0).standard_normal(clean.shape)
    values = [ssim(clean, (clean + sigma * noise).astype(np.float32)) for sigma in (0.01, 0.05, 0.2)]
    assert values == sorted(values, reverse=True)  # type: ignore[type-var]


def test_where_psnrs_are_averaged_equal_pictures_have_infinity() -> None:
    clean = np.full((12, 12, 1), 0.5, np.float32)
    assert infinite_psnr(clean, clean) == np.inf
    assert infinite_psnr(clean, clean + np.float32(0.1)) == psnr(clean, clean + np.float32(0.1))
