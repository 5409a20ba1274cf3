"""EPLL and its mixture of patches."""

from pathlib import Path

import numpy as np
import pytest

from alr_cli.bench.degradations import observe
from alr_cli.bench.methods import mixture as mixtures
from alr_cli.bench.methods.baselines import BASELINES
from alr_cli.bench.methods.epll import Components, coefficients, restore_plane
from alr_cli.bench.methods.mixture import (
    Mixture,
    basis,
    first_guess,
    fitted_path,
    improve,
    load,
    mixture_path,
    sample,
    save,
)
from alr_cli.core.metrics import psnr
from alr_cli.errors import InputError
from tests.bench.scenes import DENOISE, cartoon

SIZE = 63


def covariance(seed: int, scale: float = 0.02) -> np.ndarray:
    factor = np.random.default_rng(seed).standard_normal((SIZE, SIZE)) * np.geomspace(1, 1e-2, SIZE)
    return (scale * factor @ factor.T / SIZE + 1e-6 * np.eye(SIZE)).astype(np.float32)


MIXTURE = Mixture(np.array([0.7, 0.3], np.float32), np.stack([covariance(1), covariance(2, 0.2)]))


def draw(mixture: Mixture, count: int, noise: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(3)
    which = generator.choice(len(mixture.weights), count, p=mixture.weights / mixture.weights.sum())
    factors = np.linalg.cholesky(mixture.covariances.astype(np.float64))
    clean = np.einsum("nij,nj->ni", factors[which], generator.standard_normal((count, SIZE)))
    return (clean + noise * generator.standard_normal(clean.shape)).astype(np.float32)


def test_the_basis_is_orthonormal_and_blind_to_the_mean() -> None:
    assert basis().T @ basis() == pytest.approx(np.eye(SIZE), abs=1e-6)
    assert basis().sum(axis=0) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("noise", [1e-4, 1e-2])
def test_the_most_probable_component_is_that_of_the_densities(noise: float) -> None:
    patches = draw(MIXTURE, 200, noise**0.5)
    densities = []
    for weight, each in zip(MIXTURE.weights, MIXTURE.covariances.astype(np.float64), strict=True):
        noisy = each + noise * np.eye(SIZE)
        energy = np.einsum("ni,ij,nj->n", patches, np.linalg.inv(noisy), patches)
        densities.append(np.log(weight) - 0.5 * (np.linalg.slogdet(noisy)[1] + energy))
    chosen = Components.of(MIXTURE, noise).choose(patches)
    assert (chosen == np.argmax(densities, axis=0)).mean() > 0.97


@pytest.mark.parametrize("noise", [1e-4, 1e-2])
def test_the_estimate_is_a_wiener_filter(noise: float) -> None:
    patches = draw(MIXTURE, 50, noise**0.5)
    chosen = np.arange(50) % 2
    expected = np.empty_like(patches)
    for component, each in enumerate(MIXTURE.covariances.astype(np.float64)):
        wiener = each @ np.linalg.inv(each + noise * np.eye(SIZE))
        expected[chosen == component] = patches[chosen == component] @ wiener.T
    estimate = Components.of(MIXTURE, noise).estimate(patches, chosen)
    assert np.linalg.norm(estimate - expected) < 1e-3 * np.linalg.norm(expected)


@pytest.mark.parametrize("shape", [(20, 30), (3, 5), (8, 8)])
def test_patches_put_together_again_are_the_picture(shape: tuple[int, int]) -> None:
    plane = np.random.default_rng(0).random(shape, np.float32)
    patches = coefficients(plane)
    assert len(patches.shapes) == (shape[0] + 7) * (shape[1] + 7)
    assert patches.average() == pytest.approx(plane, abs=1e-5)


def test_fitting_finds_the_mixture_that_patches_were_drawn_from() -> None:
    patches = draw(MIXTURE, 4000)
    guess = first_guess(patches, 2)
    before, likelihood = improve(guess, patches, 1)
    fitted, later = improve(before, patches, 8)
    assert later > likelihood
    order = np.argsort([np.trace(each) for each in fitted.covariances])
    assert fitted.weights[order] == pytest.approx(MIXTURE.weights, abs=0.05)
    for found, true in zip(fitted.covariances[order], MIXTURE.covariances, strict=True):
        assert np.linalg.norm(found - true) < 0.2 * np.linalg.norm(true)


def test_samples_come_from_all_pictures_and_follow_the_seed() -> None:
    pictures = [cartoon(40, 50, 1)[..., 0], np.full((9, 9), 0.5, np.float32)]
    patches = sample(pictures, 101)
    assert patches.shape == (101, SIZE) and patches.dtype == np.float32
    assert np.array_equal(patches, sample(pictures, 101))
    assert not np.array_equal(patches, sample(pictures, 101, seed=1))
    assert np.abs(patches[50:]).max() < 1e-6 < np.abs(patches[:50]).max()


@pytest.fixture
def fitted(benchmark_alone: Path) -> Mixture:
    """A small mixture of patches of the cartoon, stored where the method looks for it."""
    patches = sample([cartoon(96, 96, 1)[..., 0], cartoon(60, 80, 1)[..., 0]], 3000)
    mixture, _ = improve(first_guess(patches, 6), patches, 5)
    save(mixture, fitted_path())
    return mixture


@pytest.mark.parametrize("channels", [1, 3])
def test_it_denoises_by_many_decibels(fitted: Mixture, channels: int) -> None:
    observation = observe(cartoon(40, 48, channels), "a", DENOISE)
    restored = BASELINES["epll"](observation)
    before, after = (psnr(observation.clean, pixels) for pixels in (observation.pixels, restored))
    assert before is not None and after is not None and after > before + 8
    assert restored.shape == observation.clean.shape and restored.dtype == np.float32


def test_it_leaves_a_flat_picture_flat(fitted: Mixture) -> None:
    assert restore_plane(np.full((20, 20), 0.4, np.float32), 0.1, fitted) == pytest.approx(0.4, abs=1e-4)


def test_a_mixture_is_stored_and_read_back(fitted: Mixture) -> None:
    again = load(mixture_path())
    assert np.array_equal(again.weights, fitted.weights)
    for found, true in zip(again.covariances, fitted.covariances, strict=True):
        variances, vectors = np.linalg.eigh(true.astype(np.float64))
        kept = np.einsum("ij,ik,kj->j", vectors, found, vectors)
        assert kept == pytest.approx(variances, rel=0.02, abs=1e-6)


def test_the_shipped_mixture_is_the_default(benchmark_alone: Path) -> None:
    assert not fitted_path().exists()
    mixture = load(mixture_path())
    assert mixture_path().stat().st_size < 1e6 and len(mixture.weights) == mixtures.COMPONENTS
    restored = restore_plane(observe(cartoon(40, 48, 1), "a", DENOISE).pixels[..., 0], DENOISE.sigma, mixture)
    assert psnr(cartoon(40, 48, 1)[..., 0], restored) > 28


@pytest.mark.parametrize("content", [None, b"", b"PK nonsense"])
def test_a_missing_or_damaged_mixture_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mixture.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match="make epll-mixture"):
        load(path)


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", weights=np.ones(2), factors=np.ones((2, 5)))
    with pytest.raises(InputError, match="shape"):
        load(tmp_path / "m.npz")


def test_fitting_continues_from_an_earlier_fit(
    benchmark_alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.conftest import write_picture

    for name, value in (("PATCHES", 500), ("COMPONENTS", 3)):
        monkeypatch.setattr(mixtures, name, value)
    noise = np.random.default_rng(0).normal(0, 0.03, (64, 64, 3)).astype(np.float32)
    write_picture(tmp_path / "data" / "a.png", cartoon(64, 64) + noise)

    def likelihoods(iterations: int) -> list[float]:
        mixtures.main(tmp_path / "data", iterations)
        return [float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()]

    (begun,) = likelihoods(1)
    *_, fitted = likelihoods(6)
    (further,) = likelihoods(1)
    assert begun + 0.5 < fitted and further == pytest.approx(fitted, abs=0.1)
