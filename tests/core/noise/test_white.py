"""sigma estimated from pictures with known noise, and reproducible degradations."""

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from skimage.util import img_as_float32

from alr_cli.core.noise.white import add_gaussian_noise, estimate_sigma, random_mask, seed_for

Pixels = NDArray[np.float32]

COLOUR = ["astronaut", "coffee", "rocket"]
GRAY = ["camera", "coins", "moon", "page"]


@cache
def picture(name: str) -> Pixels:
    pixels = img_as_float32(getattr(skimage.data, name)())
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels[..., :3]
    pixels.setflags(write=False)
    return pixels


def noisy(name: str, sigma: float, clip: bool = False) -> Pixels:
    return add_gaussian_noise(picture(name), sigma, seed_for(0, name), clip)


def flat(level: float, sigma: float, clip: bool = False, shape: tuple[int, ...] = (128, 128, 3)) -> Pixels:
    return add_gaussian_noise(np.full(shape, level, np.float32), sigma, 0, clip)


def in_8_bits(pixels: Pixels) -> Pixels:
    return (np.round(pixels.clip(0, 1) * 255) / 255).astype(np.float32)


@pytest.mark.parametrize("sigma", [0.01, 0.05, 0.3])
@pytest.mark.parametrize("name", COLOUR + GRAY)
def test_sigma_is_found_within_8_percent(name: str, sigma: float) -> None:
    assert estimate_sigma(noisy(name, sigma)) == pytest.approx(sigma, rel=0.08)


@pytest.mark.parametrize("degrade", [np.asarray, in_8_bits], ids=["float", "8 bits"])
@pytest.mark.parametrize("sigma", [0.02, 0.3])
@pytest.mark.parametrize("name", COLOUR + GRAY)
def test_sigma_of_clipped_noise_is_found_within_10_percent(
    name: str, sigma: float, degrade: Callable[[Pixels], Pixels]
) -> None:
    assert estimate_sigma(degrade(noisy(name, sigma, clip=True))) == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("name", COLOUR + GRAY)
def test_a_clean_picture_has_little_noise(name: str) -> None:
    assert 0 <= estimate_sigma(picture(name)) < 0.005


@pytest.mark.parametrize("level", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_constant_picture_has_no_noise(level: float, channels: int) -> None:
    assert estimate_sigma(np.full((40, 50, channels), level, np.float32)) == 0


def test_a_drawing_has_no_noise() -> None:
    y, x = np.mgrid[:200, :300]
    drawing = ((x // 60 + y // 50) % 2).astype(np.float32)[..., None] * np.float32([0.9, 0.2, 0.4])
    assert estimate_sigma(drawing) == 0
    assert estimate_sigma(picture("horse")) == 0


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("level", [0.1, 0.3, 0.5, 0.8, 0.95])
def test_the_variance_lost_by_clipping_is_restored(level: float, sigma: float) -> None:
    clipped = flat(level, sigma, clip=True)
    assert estimate_sigma(clipped) == pytest.approx(sigma, rel=0.1)


def test_noise_that_was_not_clipped_is_not_corrected() -> None:
    beyond = flat(0.1, 0.2)
    assert beyond.min() < -0.3
    assert estimate_sigma(beyond) == pytest.approx(0.2, rel=0.02)


@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_a_frame_without_noise_does_not_lower_the_estimate(level: float) -> None:
    inside = noisy("chelsea", 0.05)
    framed = np.full((400, 551, 3), level, np.float32)
    framed[50:350, 50:501] = inside
    assert estimate_sigma(framed) == pytest.approx(0.05, rel=0.05)


def test_masked_pixels_have_no_effect() -> None:
    pixels = noisy("coffee", 0.05).copy()
    mask = np.zeros(pixels.shape[:2], bool)
    mask[50:200, 100:400] = True
    pixels[mask] = 0.5
    first = estimate_sigma(pixels, mask)
    assert first == pytest.approx(0.05, rel=0.05)
    pixels[mask] = np.random.default_rng(0).random((mask.sum(), 3))
    assert estimate_sigma(pixels, mask) == first
    pixels[mask] = np.nan
    assert estimate_sigma(pixels, mask) == estimate_sigma(pixels) == first


@pytest.mark.parametrize("missing", [0.1, 0.3, 0.5, 0.8])
def test_a_picture_with_random_gaps_is_read_between_them(missing: float) -> None:
    pixels = noisy("chelsea", 0.1)
    assert estimate_sigma(pixels, random_mask((300, 451), missing, 1)) == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("shape", [(9, 9), (2, 200), (200, 2), (40, 5), (16, 16), (33, 6), (64, 64)], ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_small_pictures_are_read_with_smaller_patches(shape: tuple[int, int], channels: int) -> None:
    assert estimate_sigma(flat(0.5, 0.1, shape=(*shape, channels))) == pytest.approx(0.1, rel=0.2)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (1, 500), (500, 1), (2, 64)], ids=str)
def test_a_picture_with_too_few_pixels_gives_nan(shape: tuple[int, int]) -> None:
    assert np.isnan(estimate_sigma(flat(0.5, 0.1, shape=(*shape, 3))))


def test_a_picture_without_usable_pixels_gives_nan() -> None:
    pixels = flat(0.5, 0.1)
    assert np.isnan(estimate_sigma(pixels, np.ones((128, 128), bool)))
    assert np.isnan(estimate_sigma(np.full_like(pixels, np.nan)))


def test_a_large_picture_is_sampled() -> None:
    assert estimate_sigma(flat(0.5, 0.03, shape=(2000, 2100, 1))) == pytest.approx(0.03, rel=0.02)


@pytest.mark.parametrize("scale", [1e-30, 1e4, 1e38])
def test_floats_of_any_size_are_read_without_a_warning(scale: float) -> None:
    pixels = flat(0.5, 0.1) * np.float32(scale)
    assert estimate_sigma(pixels) == pytest.approx(0.1 * scale, rel=0.03)


def test_the_estimate_repeats_and_leaves_the_picture_alone() -> None:
    pixels = noisy("coffee", 0.1, clip=True)
    before = pixels.copy()
    assert estimate_sigma(pixels) == estimate_sigma(pixels)
    assert estimate_sigma(pixels.astype(np.float64)) == estimate_sigma(pixels)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("sigma", [0.01, 0.1, 0.4])
def test_noise_is_gaussian_of_that_sigma_and_independent_in_every_channel(sigma: float) -> None:
    clean = np.full((200, 300, 3), 0.5, np.float32)
    noise = (add_gaussian_noise(clean, sigma, 1) - clean).reshape(-1, 3).astype(np.float64) / sigma
    assert np.abs(noise.mean(axis=0)).max() < 0.02
    np.testing.assert_allclose(np.cov(noise.T), np.eye(3), atol=0.02)
    assert (noise**4).mean() == pytest.approx(3, abs=0.1)


def test_noise_depends_on_the_seed_alone() -> None:
    clean = picture("coffee")
    first = add_gaussian_noise(clean, 0.1, 7)
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, add_gaussian_noise(clean, 0.1, 7))
    assert (first != add_gaussian_noise(clean, 0.1, 8)).any()
    twice = add_gaussian_noise(clean, 0.2, 7)
    np.testing.assert_allclose(twice - clean, 2 * (first - clean), atol=1e-6)


def test_noise_may_be_clipped_and_sigma_0_adds_none() -> None:
    clean = picture("coffee")
    unclipped = add_gaussian_noise(clean, 0.3, 1)
    assert unclipped.min() < 0 and unclipped.max() > 1
    np.testing.assert_array_equal(add_gaussian_noise(clean, 0.3, 1, clip=True), unclipped.clip(0, 1))
    np.testing.assert_array_equal(add_gaussian_noise(clean, 0.0, 1), clean)


@pytest.mark.parametrize("missing", [0.0, 0.1, 0.5, 0.999, 1.0])
def test_a_random_mask_has_exactly_that_many_gaps(missing: float) -> None:
    mask = random_mask((50, 81), missing, 3)
    assert mask.dtype == bool and mask.shape == (50, 81)
    assert mask.sum() == round(missing * 50 * 81)
    np.testing.assert_array_equal(mask, random_mask((50, 81), missing, 3))


def test_a_random_mask_is_spread_evenly_and_grows_with_the_share() -> None:
    half, more = random_mask((100, 100), 0.5, 0), random_mask((100, 100), 0.7, 0)
    assert (half != random_mask((100, 100), 0.5, 1)).mean() > 0.4
    assert not (half & ~more).any()
    assert np.abs(half.reshape(10, 10, 10, 10).mean(axis=(1, 3)) - 0.5).max() < 0.25


def test_a_seed_depends_on_seed_and_name_alone_for_ever() -> None:
    # Published numbers rest on these: another value means other noise in every benchmark.
    assert seed_for(0, "noisy.png") == 5450535634021968405
    names: list[Any] = [(seed, name) for seed in (0, 1, 10, -1) for name in ("a", "b", "0 a", "", "ä")]
    assert len({seed_for(seed, name) for seed, name in names}) == len(names)
    assert all(0 <= seed_for(seed, name) < 2**64 for seed, name in names)


def test_estimating_imports_no_torch() -> None:
    code = "import sys, alr_cli.core.noise.white; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
