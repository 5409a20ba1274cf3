"""The restorer that all commands share."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch

from alr_cli.core.noise.white import random_mask
from alr_cli.core.operators.convolution import Boundary, Convolution
from alr_cli.core.restoration import Step
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.errors import WeightsError
from tests.core.energies import Method
from tests.core.restoring import FEW, KERNEL, LAM, SETTINGS, TASKS, noisy, psnr, restorer, scene, weights
from tests.core.toys import smoothness_critic

METHODS: list[Method] = ["adam", "gd", "nmapg"]  # fourier has a file of its own

# --- it restores ---


@pytest.mark.parametrize("solver", METHODS)
@pytest.mark.parametrize("channels", [1, 3])
def test_denoising_gains_many_decibels(channels: int, solver: Method) -> None:
    clean = scene(40, 52, channels)
    y = noisy(clean, 0.1)
    restoration = restorer(channels, replace(SETTINGS, solver=solver)).denoise(y, 0.1)
    assert restoration.pixels.shape == clean.shape and restoration.pixels.dtype == np.float32
    assert psnr(restoration.pixels, clean) > psnr(y, clean) + 7
    assert np.abs(restoration.pixels.mean() - y.mean()) < 0.01


@pytest.mark.parametrize("boundary", get_args(Boundary))
def test_deblurring_sharpens_what_was_blurred_with_the_same_boundary(boundary: Boundary) -> None:
    larger = scene(46, 58)
    clean = larger[3:-3, 3:-3]
    whole = larger if boundary == "valid" else clean
    operator = Convolution(KERNEL, whole.shape[:2], boundary)
    blurred = operator.forward(torch.from_numpy(whole.copy()).permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    y = noisy(blurred.numpy(), 0.01)
    settings = replace(SETTINGS, solver="adam", lam=0.002)
    restoration = restorer(settings=settings).deblur(y, KERNEL, 0.01, boundary)
    assert restoration.pixels.shape == clean.shape
    assert psnr(restoration.pixels, clean) > psnr(y, clean) + 3


@pytest.mark.parametrize("sigma", [0.0, 0.05])
def test_inpainting_fills_the_holes(sigma: float) -> None:
    clean = scene(40, 52, 3)
    missing = random_mask(clean.shape[:2], 0.5, 1)
    y = np.where(missing[..., None], np.float32(0.5), noisy(clean, sigma))
    restoration = restorer(3).inpaint(y, missing, sigma)
    assert psnr(restoration.pixels, clean) > psnr(y, clean) + 5
    assert psnr(restoration.pixels[missing], clean[missing]) > 25


def test_masked_values_have_no_effect() -> None:
    clean, missing = scene(20, 24), random_mask((20, 24), 0.3, 1)
    results = [
        restorer(settings=FEW).inpaint(np.where(missing[..., None], np.float32(value), clean), missing, 0.1)
        for value in (0.0, 9.0, np.nan)
    ]
    assert np.array_equal(results[0].pixels, results[1].pixels)
    assert np.array_equal(results[0].pixels, results[2].pixels)


def test_the_result_describes_its_computation() -> None:
    y = noisy(scene(20, 30), 0.1)
    settings = replace(SETTINGS, solver="gd", max_iter=4, tol=0.0, strength=0.5)
    steps: list[Step] = []
    restoration = restorer(settings=settings).denoise(y, 0.2, steps.append)
    assert (restoration.stop, restoration.iterations) == ("max_iter", 4)
    assert restoration.lam == pytest.approx(0.5 * 2 * LAM) and restoration.sigma == 0.2
    assert restoration.energy == pytest.approx(
        restoration.data_term + restoration.lam * restoration.regularizer, rel=1e-5
    )
    assert restoration.data_term == pytest.approx(np.mean((restoration.pixels - y) ** 2), rel=1e-4)
    assert (restoration.device, restoration.precision, restoration.tile) == ("cpu", "float32", 0)
    assert [step.iteration for step in steps] == [0, 1, 2, 3, 4]
    assert {step.max_iter for step in steps} == {4}
    last = steps[-1]
    assert last.energy == restoration.energy < steps[0].energy
    assert (last.data_term, last.regularizer) == (restoration.data_term, restoration.regularizer)
    assert np.array_equal(steps[0].estimate(), y)
    assert np.array_equal(last.estimate(), restoration.pixels)


def test_lambda_can_be_set_and_otherwise_follows_the_noise() -> None:
    assert restorer(settings=replace(SETTINGS, lam=0.7)).lam_for(0.1) == 0.7
    assert restorer(settings=replace(SETTINGS, strength=2.0)).lam_for(0.2) == pytest.approx(4 * LAM)
    assert restorer().lam_for(0.0) == restorer().lam_for(0.005) > 0  # a tenth of the trained range


def test_more_strength_gives_a_smoother_picture() -> None:
    y = noisy(scene(24, 24), 0.1)
    roughness = [
        restorer(settings=replace(SETTINGS, strength=strength)).denoise(y, 0.1).regularizer
        for strength in (0.1, 1.0, 10.0)
    ]
    assert roughness[0] > roughness[1] > roughness[2]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_map_of_scores_has_a_score_for_each_pixel_in_any_tiles(channels: int) -> None:
    picture = noisy(scene(20, 30, channels), 0.1)
    whole = restorer(1).scores(picture)
    assert whole.shape == (20, 30)
    for tile in (1, 7, 64):
        assert restorer(1, replace(SETTINGS, tile=tile)).scores(picture) == pytest.approx(whole, abs=1e-6)
    flat = restorer(1).scores(np.full((20, 30, channels), 0.4, np.float32))
    assert whole.mean() > flat.mean() and np.ptp(flat) < 1e-6


# --- exactness ---


@pytest.mark.parametrize("channels", [1, 3])
def test_without_noise_denoising_returns_its_input_bit_for_bit(channels: int) -> None:
    y = noisy(scene(9, 11, channels), 0.1)
    restoration = restorer(channels).denoise(y, 0.0)
    assert np.array_equal(restoration.pixels, y)
    assert restoration.pixels is not y and not np.shares_memory(restoration.pixels, y)
    assert (restoration.stop, restoration.iterations) == ("converged", 0)


@pytest.mark.parametrize("solver", METHODS)
@pytest.mark.parametrize("channels", [1, 3])
def test_without_noise_inpainting_keeps_the_known_pixels_bit_for_bit(channels: int, solver: Method) -> None:
    y, missing = noisy(scene(18, 22, channels), 0.1), random_mask((18, 22), 0.4, 1)
    settings = replace(SETTINGS, solver=solver, max_iter=5)
    pixels = restorer(channels, settings).inpaint(y, missing, 0.0).pixels
    assert np.array_equal(pixels[~missing], y[~missing])
    assert (pixels[missing] != y[missing]).all()


@pytest.mark.parametrize("solver", METHODS)
def test_a_gray_critic_restores_the_channels_of_a_colour_picture_one_by_one(solver: Method) -> None:
    y = noisy(scene(24, 30, 3), 0.1)
    y[..., 1] = 0.4  # a channel that is finished early must not wait for, or disturb, the others
    gray = restorer(1, replace(SETTINGS, solver=solver))
    together = gray.denoise(y, 0.1)
    for channel in range(3):
        alone = gray.denoise(y[..., channel : channel + 1], 0.1)
        np.testing.assert_allclose(together.pixels[..., channel], alone.pixels[..., 0], rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("channels", [1, 3])
def test_three_equal_channels_give_what_one_gives(name: str, channels: int) -> None:
    y = noisy(scene(20, 24, 1), 0.1)
    one, three = (TASKS[name](restorer(channels, FEW), copies).pixels for copies in (y, y.repeat(3, axis=2)))
    assert one.shape == (20, 24, 1)
    assert np.array_equal(three, one.repeat(3, axis=2))


@pytest.mark.parametrize("settings", [replace(SETTINGS, strength=0.0), replace(SETTINGS, lam=0.0)])
def test_without_a_prior_a_noisy_picture_comes_back_at_once(settings: Settings) -> None:
    y = noisy(scene(20, 24, 3), 0.1)
    restored = restorer(3, settings).denoise(y, 0.1)
    assert (restored.iterations, restored.stop, restored.sigma) == (0, "converged", 0.1)
    assert np.array_equal(restored.pixels, y)
    assert restorer(3).denoise(y, 0.1, strength=0.0).iterations == 0
    assert restorer(3, replace(settings, max_iter=2)).deblur(y, KERNEL, 0.1).iterations == 2


def test_a_picture_of_two_channels_is_refused() -> None:
    with pytest.raises(WeightsError, match="toy sees 3 channels and the picture has 2"):
        restorer(3).denoise(scene(20, 20, 2), 0.1)


@pytest.mark.parametrize("solver", METHODS)
@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (3, 40), (14, 15)])
def test_pictures_smaller_than_a_patch_are_restored(
    height: int, width: int, name: str, solver: Method
) -> None:
    y = noisy(scene(height, width), 0.1)
    restoration = TASKS[name](restorer(settings=replace(SETTINGS, solver=solver, max_iter=5)), y)
    assert restoration.pixels.shape == y.shape
    assert np.isfinite(restoration.pixels).all()
    assert np.abs(restoration.pixels - 0.4).max() < 1


@pytest.mark.parametrize("share", [0.0, 1.0])
@pytest.mark.parametrize("solver", METHODS)
def test_nothing_missing_and_everything_missing_are_inpainted_too(solver: Method, share: float) -> None:
    y = noisy(scene(16, 17), 0.1)
    missing = np.full((16, 17), bool(share))
    for sigma in (0.0, 0.1):
        pixels = (
            restorer(settings=replace(SETTINGS, solver=solver, max_iter=5)).inpaint(y, missing, sigma).pixels
        )
        assert np.isfinite(pixels).all()
        assert sigma or share or np.array_equal(pixels, y)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("tile", [7, 16, 25, 64])
def test_tiles_do_not_change_the_picture(tile: int, name: str) -> None:
    y = noisy(scene(33, 41), 0.1)
    whole = TASKS[name](restorer(settings=replace(FEW, tile=0)), y)
    tiled = TASKS[name](restorer(settings=replace(FEW, tile=tile)), y)
    assert tiled.tile == tile and whole.tile == 0
    np.testing.assert_allclose(tiled.pixels, whole.pixels, rtol=0, atol=1e-5)


def test_the_same_restoration_twice_gives_the_same_bits() -> None:
    y, one = noisy(scene(24, 30, 3), 0.1), restorer(3)
    first = one.denoise(y, 0.1).pixels
    one.denoise(y[:20], 0.2)
    assert np.array_equal(one.denoise(y, 0.1).pixels, first)


def test_the_input_stays_unchanged() -> None:
    y, missing = noisy(scene(16, 17), 0.1), random_mask((16, 17), 0.5, 1)
    before = y.copy()
    for task in TASKS.values():
        task(restorer(settings=FEW), y)
    restorer(settings=FEW).inpaint(y, missing, 0.0)
    assert np.array_equal(y, before)


def test_arrays_of_any_layout_are_read() -> None:
    y = noisy(scene(16, 17, 3), 0.1)
    one = restorer(3, FEW)
    expected = one.denoise(y, 0.1).pixels
    flipped = np.ascontiguousarray(y[::-1])[::-1]  # negative strides
    assert np.array_equal(one.denoise(flipped, 0.1).pixels, expected)
    assert np.array_equal(one.denoise(np.asfortranarray(y), 0.1).pixels, expected)
    read_only = y.copy()
    read_only.flags.writeable = False
    assert np.array_equal(one.denoise(read_only, 0.1).pixels, expected)
    assert np.array_equal(one.denoise(read_only, 0.0).pixels, y)


def test_two_restorers_share_weights_without_disturbing_each_other() -> None:
    shared = weights(smoothness_critic())
    before = {name: value.clone() for name, value in shared.prior.network.state_dict().items()}
    shared.prior.network.requires_grad_(True)
    Restorer(shared, FEW).denoise(noisy(scene(16, 16), 0.1), 0.1)
    assert all(torch.equal(value, before[name]) for name, value in shared.prior.network.state_dict().items())
    assert all(value.requires_grad for value in shared.prior.network.parameters())


@pytest.mark.parametrize("max_iter", [0, 1])
def test_few_iterations_are_accepted(max_iter: int) -> None:
    y = noisy(scene(16, 16), 0.1)
    restoration = restorer(settings=replace(SETTINGS, max_iter=max_iter)).denoise(y, 0.1)
    assert restoration.iterations == max_iter
    assert np.array_equal(restoration.pixels, y) == (max_iter == 0)


def test_bfloat16_restores_nearly_the_same_picture() -> None:
    clean = scene(32, 36)
    y = noisy(clean, 0.1)
    low = restorer(settings=replace(SETTINGS, precision="bfloat16")).denoise(y, 0.1)
    full = restorer().denoise(y, 0.1)
    assert low.precision == "bfloat16"
    assert abs(psnr(low.pixels, clean) - psnr(full.pixels, clean)) < 0.3
