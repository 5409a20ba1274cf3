"""The noise below the texture of a picture, for each frequency by itself."""

import numpy as np
import pytest

from alr_cli.core.noise.estimation import ORDER, SIDE, spectra_of
from alr_cli.core.noise.floors import contrast, energies, flattest_of, floor_of, has_period, unrest

POWER = np.broadcast_to(np.exp(-ORDER / 8.0), (SIDE, SIDE))


def noise(count: int = 4000, seed: int = 0) -> np.ndarray:
    white = np.random.default_rng(seed).standard_normal((count, SIDE, SIDE))
    return (white * np.sqrt(POWER)).astype(np.float32)


def with_stripes(spectra: np.ndarray) -> np.ndarray:
    """Stripes of one direction in half of the patches, and of the other direction in the rest."""
    half = len(spectra) // 2
    result = spectra.copy()
    result[:half, :, :3] *= 30
    result[half:, :3, :] *= 30
    return result


@pytest.mark.parametrize("textured", [False, True])
def test_the_spectrum_is_found_although_no_patch_is_without_texture(textured: bool) -> None:
    spectra = with_stripes(noise()) if textured else noise()
    ratio = floor_of(spectra)[ORDER > 1] / POWER[ORDER > 1]
    corner = floor_of(spectra)[3:, 3:] / POWER[3:, 3:]
    assert np.median(corner) == pytest.approx(1, abs=0.2)
    assert np.median(ratio) == pytest.approx(1, abs=0.2)


def test_patches_of_noise_alone_are_calm() -> None:
    spectra = noise()
    assert unrest(energies(spectra, POWER)) <= 0
    assert energies(spectra, POWER).mean() == pytest.approx(1, abs=0.05)
    assert contrast(energies(spectra, POWER)) < 2


def test_an_eighth_of_calm_patches_is_enough() -> None:
    spectra = noise()
    spectra[: 7 * len(spectra) // 8] *= 5
    assert unrest(energies(spectra, POWER)) <= 0
    assert contrast(energies(spectra, POWER)) > 10


def test_texture_is_not_calm() -> None:
    spectra = noise()
    spectra *= np.exp(np.random.default_rng(1).standard_normal((len(spectra), 1, 1))).astype(np.float32)
    assert unrest(energies(spectra, floor_of(spectra))) > 0.3


def test_patches_of_nothing_but_zeros_leave_a_positive_spectrum() -> None:
    zeros = np.zeros((500, SIDE, SIDE), np.float32)
    for power in (floor_of(zeros), flattest_of(zeros, 0.02)):
        assert (power > 0).all()
        assert np.isfinite(energies(zeros, power)).all()


def test_where_the_level_differs_between_places_the_flattest_patches_see_more_than_floors() -> None:
    spectra = noise()
    spectra *= np.random.default_rng(1).uniform(0.3, 1.7, (len(spectra), SIDE, SIDE)).astype(np.float32)
    assert flattest_of(spectra, 0.03).mean() > floor_of(spectra, 0.03).mean()


def screen(period: float, angle: float) -> np.ndarray:
    """Spectra (n, u, v) of a halftone screen, seen at all places."""
    along, across = (
        np.cos(np.radians(angle)) * 2 * np.pi / period,
        np.sin(np.radians(angle)) * 2 * np.pi / period,
    )
    y, x = np.indices((80, 80))
    dots = np.cos(along * x + across * y) + np.cos(along * y - across * x)
    places = np.lib.stride_tricks.sliding_window_view(dots, (SIDE, SIDE)).reshape(-1, SIDE, SIDE)
    return spectra_of(places[:, None].astype(np.float32))[:, 0]


@pytest.mark.parametrize(("period", "angle"), [(3, 15), (4, 45), (5, 75), (6, 30)])
def test_a_halftone_screen_has_a_period_although_all_its_patches_are_alike(
    period: float, angle: float
) -> None:
    dots = screen(period, angle)
    spectra = dots / dots.std() + noise(len(dots))
    assert unrest(energies(spectra, floor_of(spectra))) <= 0
    assert has_period(flattest_of(spectra, 0.02))


@pytest.mark.parametrize("seed", range(3))
def test_noise_and_banding_have_no_period(seed: int) -> None:
    spectra = noise(seed=seed)
    assert not has_period(flattest_of(spectra, 0.02))
    spectra[:, :, 0] *= 5
    assert not has_period(flattest_of(spectra, 0.02))
