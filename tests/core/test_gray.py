"""Gray pictures in three channels: equal, nearly equal or tinted ones share their noise."""

import numpy as np
import pytest

import alr_cli as alr
from alr_cli.core import gray
from alr_cli.core.gray import shares_noise, white_level, without_copies
from alr_cli.core.metrics import psnr
from alr_cli.core.noise.white import add_gaussian_noise
from tests.core.noise.test_estimation import photograph

CLEAN = photograph()[:96, :112, 1:2]
NOISY = add_gaussian_noise(CLEAN, 0.1, seed=1)
EIGHT = np.rint(255 * NOISY.clip(0, 1)) / 255
TINT = np.array([1.0, 0.9, 0.7], np.float32)


def one_level_apart(gray: np.ndarray) -> np.ndarray:
    return np.concatenate([gray, gray + 1 / 255, gray], axis=2)


LIKE_GRAY = {
    "equal": NOISY.repeat(3, axis=2),
    "one level apart": one_level_apart(NOISY),
    "sepia": NOISY * TINT,
    "sepia, rounded": np.rint(255 * EIGHT * TINT) / 255,
    "a little noise of each channel": NOISY + add_gaussian_noise(np.zeros((96, 112, 3)), 0.004, seed=2),
}
COLOURED = {
    "independent noise": add_gaussian_noise(CLEAN.repeat(3, axis=2), 0.1, seed=3),
    "a colour photograph": add_gaussian_noise(photograph()[:96, :112], 0.1, seed=3),
}


@pytest.mark.parametrize("name", LIKE_GRAY | COLOURED)
def test_the_level_of_noise_that_channels_share_is_found(name: str) -> None:
    pixels = (LIKE_GRAY | COLOURED)[name].astype(np.float32)
    level = 0.1 * float(np.sqrt(np.mean(TINT**2))) if "sepia" in name else 0.1
    assert white_level(pixels) == pytest.approx(level, rel=0.15)
    assert shares_noise(pixels, level) == (name in LIKE_GRAY)


@pytest.mark.parametrize("name", LIKE_GRAY)
@pytest.mark.parametrize("weights", ["color-tuned", "color-wide"])
def test_shared_noise_is_removed_by_a_prior_of_colours(name: str, weights: str) -> None:
    pixels = LIKE_GRAY[name].astype(np.float32)
    clean = CLEAN * TINT if "sepia" in name else CLEAN.repeat(3, axis=2)
    restored = alr.denoise(pixels, 0.1, weights=weights).pixels
    assert (psnr(clean, restored) or 0.0) > 26.5


def test_only_equal_channels_are_copies() -> None:
    assert without_copies(LIKE_GRAY["equal"]).shape == (96, 112, 1)
    assert without_copies(LIKE_GRAY["one level apart"]).shape == (96, 112, 3)
    assert without_copies(NOISY).shape == (96, 112, 1)


@pytest.mark.parametrize("hidden", [False, True])
def test_large_pictures_are_judged_band_by_band(hidden: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = COLOURED["a colour photograph"].astype(np.float32)
    pixels[3, 5] = np.nan
    mask = np.zeros(pixels.shape[:2], bool)
    mask[10:40, 20:90] = hidden
    expected = np.cov(pixels[np.isfinite(pixels).all(axis=2) & ~mask].T, bias=True)
    for at_once in (10**9, 1000, 1):
        monkeypatch.setattr(gray, "_AT_ONCE", at_once)
        assert gray._covariance(pixels, mask) == pytest.approx(expected, abs=1e-9)
    assert gray._covariance(pixels, np.ones_like(mask)) is None
