"""The shipped weights: every critic loads, is small, has a card with its hash, and restores a picture."""

from typing import get_args

import numpy as np
import pytest
import skimage
import torch

from alr_cli.bench.studies.drawn_noise import gaussian
from alr_cli.bench.tomography import GEOMETRY, SIDE, sinogram
from alr_cli.core.defaults import Formulation
from alr_cli.core.defects.drawing import MEASURED, damaged
from alr_cli.core.defects.finding import Finder
from alr_cli.core.defects.scores import Scores
from alr_cli.core.noise.field import NoiseField
from alr_cli.core.noise.white import add_gaussian_noise
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.synthesis import HasLatents
from alr_cli.core.tasks import Denoising, Upscaling, observed
from alr_cli.core.tomography import Reconstructor
from alr_cli.errors import WeightsError
from alr_cli.files import interpolation
from alr_cli.files.weights import (
    LEVEL_FINDER,
    default_name,
    load_detector,
    load_level_finder,
    load_weights,
    read_metadata,
    shipped_folder,
    shipped_names,
)
from tests.core.noise.test_model import a_model
from tests.core.operators.scans import ellipse

WIDE = ["color-wide", "color-free", "ct-tuned", "gray-wide"]
GRADIENTS = ["color-reg"]
SCANS = ["ct-global", "ct-unet"]  # for slices of 128 x 128 pixels
DETECTORS = ["defects"]  # which are no priors
LEVELS = [LEVEL_FINDER]


def psnr(estimate: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((np.clip(estimate, 0, 1) - truth) ** 2)))


def test_the_default_critics_are_shipped() -> None:
    defaults = {default_name(channels, held) for channels in (1, 3) for held in (False, True)}
    defaults |= {default_name(channels, wide=True) for channels in (1, 3)}
    assert defaults | {"color-paper", "gray-paper"} <= set(shipped_names())


FLOWS = ["faces32-flow"]


@pytest.mark.parametrize("name", shipped_names())
def test_every_critic_is_small_and_its_card_carries_its_hash(name: str) -> None:
    most = (
        3_000_000
        if name in (*FLOWS, *WIDE, *SCANS, *DETECTORS)
        else 5_000_000
        if name in GRADIENTS
        else 1_000_000
    )
    assert (shipped_folder() / f"{name}.safetensors").stat().st_size < most
    # each of which verifies the hash
    if name in LEVELS:
        load_level_finder()
    else:
        (load_detector if name in DETECTORS else load_weights)(name)
    assert read_metadata(name)["sha256"] in (shipped_folder() / f"{name}.md").read_text()


HOLES = ["color-holes", "gray-holes"]
QUICK = ["color-tuned", "gray-tuned", *WIDE]


WHITE = [name for name in shipped_names() if name not in (*HOLES, *FLOWS, *SCANS, *DETECTORS, *LEVELS)]
OF_ALL_LEVELS = [(name, sigma, gain) for name in QUICK for sigma, gain in ((0.05, 4.0), (0.2, 8.0))]


@pytest.mark.parametrize(("name", "sigma", "gain"), [*((name, 0.1, 6.0) for name in WHITE), *OF_ALL_LEVELS])
def test_every_critic_denoises_a_photograph(name: str, sigma: float, gain: float) -> None:
    weights = load_weights(name)
    clean = skimage.data.chelsea()[80:176, 120:216].astype(np.float32) / 255
    if weights.channels == 1:
        clean = clean.mean(axis=2, keepdims=True)
    noisy = add_gaussian_noise(clean, sigma, seed=0)
    restored = Restorer(weights, Settings(device="cpu")).denoise(noisy, sigma).pixels
    assert psnr(restored, clean) > psnr(noisy, clean) + gain


@pytest.mark.parametrize("name", QUICK)
def test_more_strength_is_smoother_and_still_without_noise(name: str) -> None:
    weights = load_weights(name)
    clean = skimage.data.chelsea()[80:144, 120:184].astype(np.float32) / 255
    if weights.channels == 1:
        clean = clean.mean(axis=2, keepdims=True)
    noisy = add_gaussian_noise(clean, 0.1, seed=0)
    restorer = Restorer(weights, Settings(device="cpu"))
    restored = [
        restorer.denoise(noisy, 0.1, strength=strength).pixels for strength in (0.5, 0.8, 1, 1.4, 2, 4)
    ]
    variation = [float(np.abs(np.diff(each, axis=0)).mean()) for each in restored]
    assert variation == sorted(variation, reverse=True)
    assert psnr(restored[4], clean) > psnr(restored[2], clean) - 3


EXPERTS = ["color-tuned", "gray-tuned", "color-unpaired", "gray-unpaired"]


@pytest.mark.parametrize(
    ("name", "sigma"), [*((name, 0.1) for name in EXPERTS), ("color-tuned", 0.03), ("gray-tuned", 0.2)]
)
def test_ten_times_the_usual_iterations_change_little(name: str, sigma: float) -> None:
    weights = load_weights(name)
    clean = skimage.data.chelsea()[96:160, 136:200].astype(np.float32) / 255
    clean = clean if weights.channels == 3 else clean.mean(axis=2, keepdims=True)
    noisy = add_gaussian_noise(clean, sigma, seed=0)
    usual = Restorer(weights, Settings(device="cpu")).denoise(noisy, sigma)
    many = Restorer(weights, Settings(device="cpu", max_iter=10 * usual.iterations)).denoise(noisy, sigma)
    assert abs(psnr(usual.pixels, clean) - psnr(many.pixels, clean)) < 0.1


@pytest.mark.parametrize("name", [*EXPERTS, *WIDE])
def test_without_noise_all_8_bits_are_preserved(name: str) -> None:
    weights = load_weights(name)
    clean = skimage.data.chelsea()[80:144, 120:184].astype(np.float32) / 255
    clean = clean if weights.channels == 3 else clean.mean(axis=2, keepdims=True)
    restored = Restorer(weights, Settings(device="cpu")).denoise(clean, 1e-5).pixels
    assert float(np.abs(restored - clean).max()) < 0.5 / 255


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.2])
def test_the_wide_energy_is_better_on_long_edges(name: str, sigma: float) -> None:
    channels = load_weights(name).channels
    clean = skimage.data.coffee()[60:188, 90:218].astype(np.float32) / 255
    clean = clean.mean(axis=2, keepdims=True) if channels == 1 else clean
    noisy = clean + np.random.default_rng(0).normal(0, sigma, clean.shape).astype(np.float32)
    wide, experts = (
        Restorer(load_weights(weights), Settings(device="cpu")).denoise(noisy, sigma).pixels
        for weights in (name, default_name(channels))
    )
    assert psnr(wide, clean) > psnr(experts, clean) + 0.2


@pytest.mark.parametrize("name", WIDE)
@pytest.mark.parametrize(("precision", "levels"), [("float32", 0.25), ("bfloat16", 1.0)])
def test_blocks_of_the_wide_energy_are_invisible(name: str, precision: str, levels: float) -> None:
    weights = load_weights(name)
    clean = skimage.data.coffee()[:136, :150, : weights.channels].astype(np.float32) / 255
    noisy = add_gaussian_noise(clean, 0.1, seed=0)
    whole, blocks = (  # of one orientation, which is enough
        Restorer(weights, Settings(device="cpu", tile=tile, precision=precision, fast=True))
        .denoise(noisy, 0.1)
        .pixels
        for tile in (0, 64)
    )
    assert float(np.abs(whole - blocks).max()) < levels / 255


@pytest.mark.parametrize("channels", [1, 3])
def test_critics_for_holes_fill_them_better_than_those_for_noise(channels: int) -> None:
    clean = skimage.data.coffee()[92:156, 122:186].astype(np.float32) / 255
    clean = clean if channels == 3 else clean.mean(axis=2, keepdims=True)
    missing = np.random.default_rng(1).random(clean.shape[:2]) < 0.8
    y = np.where(missing[..., None], np.float32(0), clean)
    special, usual = (
        Restorer(load_weights(default_name(channels, held)), Settings(device="cpu"))
        .inpaint(y, missing, 0.0)
        .pixels
        for held in (True, False)
    )
    assert psnr(special, clean) > psnr(usual, clean) + 0.1


@pytest.mark.parametrize(("name", "top", "left"), [("rocket", 250, 150), ("chelsea", 100, 200)])
def test_fine_detail_is_enlarged_better_than_by_interpolation(name: str, top: int, left: int) -> None:
    picture = getattr(skimage.data, name)()[top : top + 64, left : left + 64]
    clean = picture.astype(np.float32) / 255
    small = np.round(observed(Upscaling(2), clean).clip(0, 1) * 255).astype(np.float32) / 255
    restorer = Restorer(load_weights("color-wide"), Settings(device="cpu"))
    large = restorer.restore(small, Upscaling(2), 0.0).pixels
    assert psnr(large, clean) > psnr(interpolation.bicubic(small, 64, 64), clean) + 0.5


def test_the_wide_energy_fills_a_smooth_sky_within_seven_tenths_of_a_level() -> None:
    clean = skimage.data.rocket()[60:108, 200:248].astype(np.float32) / 255
    missing = np.random.default_rng(1).random(clean.shape[:2]) < 0.5
    y = np.where(missing[..., None], np.float32(0), clean)
    found = Restorer(load_weights("color-wide"), Settings(device="cpu")).inpaint(y, missing, 0.0).pixels
    error = (found - clean)[missing]
    assert float(np.sqrt(np.mean(error**2))) < 0.7 / 255


@pytest.mark.parametrize("name", EXPERTS[:2])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_no_tile_moves_a_pixel_by_more_than_one_of_8_bits(name: str, precision: str) -> None:
    weights = load_weights(name)
    clean = skimage.data.chelsea()[60:230, 90:261].astype(np.float32) / 255
    clean = clean if weights.channels == 3 else clean.mean(axis=2, keepdims=True)
    noisy = add_gaussian_noise(clean, 0.1, seed=0)
    pictures = [
        Restorer(weights, Settings(device="cpu", tile=tile, precision=precision)).denoise(noisy, 0.1).pixels
        for tile in (0, 64, 100)
    ]
    whole, *tiled = ((255 * picture.clip(0, 1)).round() for picture in pictures)
    assert max(np.abs(picture - whole).max() for picture in tiled) <= 1


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_is_invertible_and_denoises_its_own_pictures(name: str) -> None:
    regularizer = load_weights(name).prior.at(0.1)
    assert isinstance(regularizer, HasLatents)
    size = regularizer.size
    latent = regularizer.latent(torch.zeros(1, regularizer.channels, size, size))
    z = 0.7 * torch.randn(latent.shape, generator=torch.Generator().manual_seed(1))
    made = regularizer.picture(z).detach().clamp(0, 1)
    assert float((regularizer.picture(regularizer.latent(made)) - made).abs().max()) < 1e-4
    clean = np.ascontiguousarray(made[0].numpy().transpose(1, 2, 0))
    noisy = add_gaussian_noise(clean, 0.1, seed=0)
    for formulation in get_args(Formulation):
        settings = Settings(device="cpu", formulation=formulation, max_iter=30)
        restored = Restorer(load_weights(name), settings).denoise(noisy, 0.1).pixels
        assert psnr(restored, clean) > psnr(noisy, clean) + 3


@pytest.mark.parametrize("side", [96, 97, 103])
def test_the_border_of_a_picture_of_any_size_is_denoised_like_the_rest(side: int) -> None:
    """Sides that are no multiple of the coarsest features need pixels beyond the frame."""
    flat = np.full((side, side, 3), 0.5, np.float32)
    noisy = flat + np.random.default_rng(0).normal(0, 0.2, flat.shape).astype(np.float32)
    error = np.abs(Restorer(load_weights("color-wide"), Settings()).denoise(noisy, 0.2).pixels - flat)
    assert error[-4:].mean() < 2.5 * error[8:-8, 8:-8].mean()
    assert error[:, -4:].mean() < 2.5 * error[8:-8, 8:-8].mean()


@pytest.mark.parametrize("name", ["color-tuned", "color-wide"])
def test_noise_that_neighbours_share_is_removed_better_if_it_is_known(name: str) -> None:
    clean = skimage.data.chelsea()[80:176, 120:216].astype(np.float32) / 255
    model, sigma = a_model(), 0.04
    batch = torch.from_numpy(clean.transpose(2, 0, 1).copy())[None]
    noisy = NoiseField([model]).add(batch, sigma, torch.Generator().manual_seed(0))[0]
    y = noisy[0].numpy().transpose(1, 2, 0).copy()
    restorer = Restorer(load_weights(name), Settings(device="cpu"))
    known, white = (
        psnr(restorer.restore(y, task, sigma).pixels, clean)
        for task in (Denoising(model.scaled(sigma / model.nominal)), Denoising())
    )
    assert known > max(white, psnr(y, clean)) + 0.5


@pytest.mark.parametrize("name", SCANS)
def test_a_prior_for_scans_is_nearer_to_the_truth_than_backprojection(name: str) -> None:
    clean = ellipse((SIDE, SIDE), (5.0, -8.0), (40.0, 30.0)).astype(np.float32)
    clean -= 0.6 * ellipse((SIDE, SIDE), (10.0, 0.0), (12.0, 9.0)).astype(np.float32)
    y, level = sinogram(clean, "two ellipses", 0.02)
    ours = Reconstructor("ours", Restorer(load_weights(name), Settings(device="cpu")))
    found = ours.reconstruct(y, GEOMETRY, level, 1.0)
    before = Reconstructor("fbp", window="hann").reconstruct(y, GEOMETRY, level, 1.0)
    assert psnr(found.pixels, clean) > psnr(before.pixels.clip(0), clean) + 2


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_detector_finds_dust_on_a_photograph_and_little_without_it(name: str, channels: int) -> None:
    clean = skimage.data.coffee()[60:252, 90:282].astype(np.float32) / 255
    clean = clean if channels == 3 else clean.mean(axis=2, keepdims=True)
    made = damaged(clean, 48, MEASURED, np.random.default_rng(0))
    finder = Finder(load_detector(name), device="cpu", fast=True)
    scores = Scores.of(made.defective, finder.mask(made.pixels), finder.mask(clean))
    assert scores.recall > 0.75
    assert scores.precision > 0.65 and scores.false_share < 0.0005
    assert 2 / (1 / scores.recall + 1 / scores.precision) > 0.75


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detector_leaves_stars_and_catchlights_alone(name: str) -> None:
    finder = Finder(load_detector(name), device="cpu", fast=True)
    for picture in (skimage.data.hubble_deep_field()[:256, :256], skimage.data.chelsea()[70:200, 100:330]):
        assert finder.mask(picture.astype(np.float32) / 255).mean() < 0.0005


@pytest.mark.parametrize("shared", [0.3, 1.0])
@pytest.mark.parametrize("level", [0.02, 0.05])
@pytest.mark.parametrize("name", ["coffee", "chelsea", "astronaut"])
def test_the_level_of_correlated_noise_is_seen(name: str, level: float, shared: float) -> None:
    clean = getattr(skimage.data, name)()[100:300, 80:280].astype(np.float32) / 255
    model = gaussian(level, 1.0, shared)
    field = NoiseField([model]).unit((1, 3, *clean.shape[:2]), torch.Generator().manual_seed(0))[0]
    noisy = (clean + level * field.permute(1, 2, 0).numpy()).clip(0, 1).astype(np.float32)
    seen, before = (load_level_finder().see(each) for each in (noisy, clean))
    assert seen is not None and before is not None
    ratio = seen.mean[0] / (level * np.sqrt(1 + 2 * shared))
    assert (0.65 if shared < 1 else 0.35) < ratio < 1.35  # without colour it may be texture
    assert seen.mean[1] == pytest.approx(level * np.sqrt(1 - shared), rel=0.35, abs=0.004)
    assert before.mean[0] < 0.5 * seen.mean[0]


def test_what_sees_the_level_of_noise_is_no_prior() -> None:
    with pytest.raises(WeightsError, match="no prior"):
        load_weights(LEVEL_FINDER)
