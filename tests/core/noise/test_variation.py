"""How much of the variation in flat places is noise."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from alr_cli.core.noise.estimation import SIDE
from alr_cli.core.noise.opponent_colours import opponent_matrix
from alr_cli.core.noise.variation import Parts, Variation
from tests.core.noise.test_estimation import shades

GRAY, COLOUR = 6 / 255, 1.4 / 255


def rounded(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(np.rint(255 * pixels.clip(0, 1)) / 255, np.float32)


def camera_noise(shape: tuple[int, int], blurs: tuple[float, float]) -> np.ndarray:
    """Noise (H, W, 3) whose gray part and colours are blurred by these numbers of pixels."""
    rng = np.random.default_rng(0)
    parts = [gaussian_filter(rng.standard_normal(shape), blur) for blur in (blurs[0], blurs[1], blurs[1])]
    unit = [level * part / part.std() for level, part in zip((GRAY, COLOUR, COLOUR), parts, strict=True)]
    return np.stack(unit, axis=-1) @ opponent_matrix(3)


def gray_ramp() -> np.ndarray:
    return shades(channels=1) * np.ones(3, np.float32)


def variation(pixels: np.ndarray) -> Variation:
    seen = Variation.of(rounded(pixels), None)
    assert seen is not None
    return seen


def test_strong_noise_in_gray_keeps_its_level_if_cameras_smoothed_that_in_colour() -> None:
    scene = gray_ramp()
    seen = variation(scene + camera_noise(scene.shape[:2], (0.5, 1.5)))
    assert seen.parts.fineness > 2
    assert np.median(seen.noise().levels[0]) == pytest.approx(GRAY, rel=0.15)


def test_gray_as_coarse_as_the_colours_has_hardly_more_than_what_is_below_texture() -> None:
    scene = gray_ramp()
    seen = variation(scene + camera_noise(scene.shape[:2], (1.0, 1.0)))
    assert seen.parts.fineness < 1.2
    ratio = np.median(seen.noise().levels[0]) / np.median(seen.below_texture().levels[0])
    assert seen.calm_in_gray is not None
    assert np.median(seen.calm_in_gray.levels[0]) == pytest.approx(GRAY, rel=0.15)
    assert ratio < 1.25


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_noise_in_a_few_flat_places_is_calm_at_its_level(share: float) -> None:
    """Elsewhere there is texture of all strengths, as in most photographs."""
    scene = gray_ramp()
    noise = camera_noise(scene.shape[:2], (0.5, 1.5))
    strength = np.exp(np.random.default_rng(1).uniform(0, 3, (scene.shape[0] // 16, 1, 1)))
    strength[: round(share * len(strength))] = 1
    texture = np.random.default_rng(2).permutation(strength).repeat(16, axis=0)
    rough = gaussian_filter(np.random.default_rng(3).standard_normal(scene.shape[:2]), 1.0)[..., None] / 20
    seen = variation(scene + noise + (texture - 1) * rough[: len(texture)] / 4)
    assert seen.calm_level == pytest.approx(GRAY / np.sqrt(3), rel=0.25)


def test_coloured_texture_adds_nothing_to_the_stronger_colour() -> None:
    """A facade has two colours, which differ most along one opponent colour and vary slowly."""
    scene = gray_ramp()
    noise = camera_noise(scene.shape[:2], (0.7, 0.7))
    stains = gaussian_filter(np.random.default_rng(5).standard_normal(scene.shape[:2]), 3.0)
    stains *= 6 * COLOUR / stains.std()
    seen = variation(scene + noise + stains[..., None] * opponent_matrix(3)[1])
    plain, coloured = np.median(seen.parts.levels, axis=1)[1:]
    assert plain > 1.5 * coloured
    below = np.median(seen.below_texture().levels, axis=1)
    assert below[1:] == pytest.approx(COLOUR, rel=0.2)


def half_calm(unevenness: float) -> Variation:
    """Nothing but noise at two of four brightnesses, and noise of different levels at the others."""
    rng = np.random.default_rng(0)
    spectra = 0.005 * rng.standard_normal((4000, 3, SIDE, SIDE))
    spectra[1000:3000] *= np.exp(unevenness * rng.standard_normal((2000, 1, 1, 1)))
    brightness = np.linspace(0.1, 0.9, 4000)
    colours = 0.001 * np.ones((2, 12))
    parts = Parts(
        np.linspace(0.1, 0.9, 12), np.vstack([np.full(12, 0.005), colours]), np.ones((3, SIDE, SIDE))
    )
    return Variation(spectra.astype(np.float32), brightness, parts)


@pytest.mark.parametrize(("unevenness", "calm"), [(0.0, True), (0.18, True), (1.0, False)])
def test_a_picture_is_calm_if_half_of_the_brightnesses_are_and_the_others_nearly(
    unevenness: float, calm: bool
) -> None:
    assert (half_calm(unevenness).calm_in_gray is not None) == calm


def test_a_halftone_print_is_not_calm() -> None:
    y, x = np.indices(gray_ramp().shape[:2])
    dots = (np.cos(1.2 * x + 0.7 * y) + np.cos(1.2 * y - 0.7 * x))[..., None] * 3 / 255
    noise = camera_noise(dots.shape[:2], (0.5, 1.5)) / 4
    assert variation(gray_ramp() + noise).calm_in_gray is not None
    assert variation(gray_ramp() + noise + dots).calm_in_gray is None


def test_noise_in_colour_has_little_spread_and_coloured_texture_much() -> None:
    scene = gray_ramp()
    noise = camera_noise(scene.shape[:2], (0.5, 1.5))
    assert variation(scene + noise).spread_in_colour < 1.35
    strength = np.exp(np.random.default_rng(4).uniform(-1.5, 1.5, (8, 8)))
    texture = noise * np.kron(strength, np.ones((32, 32)))[..., None]
    assert variation(scene + texture).spread_in_colour > 1.55


def test_strong_noise_all_over_is_told_from_gravel_by_its_colours() -> None:
    scene = gray_ramp()
    noise = 1.7 * camera_noise(scene.shape[:2], (0.5, 1.5))
    seen = variation(scene + noise)
    assert seen.calm_in_gray is not None
    assert np.median(seen.noise().levels[0]) == pytest.approx(1.7 * GRAY, rel=0.15)
    assert variation(scene + noise.mean(axis=2, keepdims=True)).calm_in_gray is None


def test_texture_at_some_brightnesses_adds_nothing_to_strong_noise_in_gray() -> None:
    scene, level = gray_ramp(), 0.05
    noise = gaussian_filter(np.random.default_rng(0).standard_normal(scene.shape[:2]), 0.8)[..., None]
    textured = np.where(scene > 0.5, 2.0, 1.0)
    seen = Variation.of(rounded(scene + level / noise.std() * textured * noise), None)
    assert seen is not None
    assert seen.parts.levels[0].max() > 1.6 * level * 3**0.5
    assert seen.strong_gray().levels[0] == pytest.approx(level * 3**0.5, rel=0.2)
