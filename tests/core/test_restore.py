"""The one path that every command shares: pixels in, pixels out, and what can go wrong on the way."""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from alr_cli.core import devices
from alr_cli.core.calibration import LambdaCurve
from alr_cli.core.critic import Critic
from alr_cli.core.kernels import parse_kernel
from alr_cli.core.noise import random_mask
from alr_cli.core.operators import Boundary, Convolution
from alr_cli.core.regularizer import LocalRegularizer
from alr_cli.core.restore import Restoration, Restorer, Settings, Step
from alr_cli.core.solver import Method
from alr_cli.errors import DeviceError, NonFiniteError, UsageError, WeightsError
from alr_cli.files.weights import Weights
from tests.core.toys import a_critic, smoothness_critic

SETTINGS = Settings(device="cpu", precision="float32")
FEW = replace(SETTINGS, solver="adam", max_iter=3)
LAM = 0.18  # at sigma = 0.1, in proportion elsewhere
KERNEL = parse_kernel("gaussian:7:2")


def weights(critic: Critic) -> Weights:
    """With a lambda that suits the hand-made total variation, which adds up the channels."""
    channels = critic.architecture.channels
    return Weights(critic, channels, (0.05, 0.3), LambdaCurve(((0.1, LAM / channels),)), {}, "", "toy")


def restorer(channels: int = 1, settings: Settings = SETTINGS) -> Restorer:
    return Restorer(weights(smoothness_critic(channels)), settings)


def scene(height: int, width: int, channels: int = 1) -> np.ndarray:
    """Flat patches of different shades."""
    rows, columns = np.mgrid[:height, :width]
    disc = (rows - 0.4 * height) ** 2 + (columns - 0.5 * width) ** 2 < (0.3 * min(height, width)) ** 2
    shades = 0.3 + 0.3 * disc + 0.2 * (columns > 0.7 * width)
    return np.stack([shades * (1 - 0.2 * n) for n in range(channels)], axis=2).astype(np.float32)


def noisy(clean: np.ndarray, sigma: float, seed: int = 1) -> np.ndarray:
    return clean + np.random.default_rng(seed).normal(0, sigma, clean.shape).astype(np.float32)


def psnr(estimate: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((estimate - truth) ** 2)))


# --- it restores ---


@pytest.mark.parametrize("solver", get_args(Method))
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


def test_what_is_under_the_mask_does_not_matter() -> None:
    clean, missing = scene(20, 24), random_mask((20, 24), 0.3, 1)
    results = [
        restorer(settings=FEW).inpaint(np.where(missing[..., None], np.float32(value), clean), missing, 0.1)
        for value in (0.0, 9.0, np.nan)
    ]
    assert np.array_equal(results[0].pixels, results[1].pixels)
    assert np.array_equal(results[0].pixels, results[2].pixels)


def test_it_tells_how_the_result_was_reached() -> None:
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
    assert steps[-1].energy == restoration.energy < steps[0].energy


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


# --- exactness ---


@pytest.mark.parametrize("channels", [1, 3])
def test_without_noise_denoising_returns_its_input_bit_for_bit(channels: int) -> None:
    y = noisy(scene(9, 11, channels), 0.1)
    restoration = restorer(channels).denoise(y, 0.0)
    assert np.array_equal(restoration.pixels, y)
    assert restoration.pixels is not y and not np.shares_memory(restoration.pixels, y)
    assert (restoration.stop, restoration.iterations) == ("converged", 0)


@pytest.mark.parametrize("solver", get_args(Method))
@pytest.mark.parametrize("channels", [1, 3])
def test_without_noise_inpainting_keeps_the_known_pixels_bit_for_bit(channels: int, solver: Method) -> None:
    y, missing = noisy(scene(18, 22, channels), 0.1), random_mask((18, 22), 0.4, 1)
    settings = replace(SETTINGS, solver=solver, max_iter=5)
    pixels = restorer(channels, settings).inpaint(y, missing, 0.0).pixels
    assert np.array_equal(pixels[~missing], y[~missing])
    assert (pixels[missing] != y[missing]).all()


@pytest.mark.parametrize("solver", get_args(Method))
def test_a_gray_critic_restores_the_channels_of_a_colour_picture_one_by_one(solver: Method) -> None:
    y = noisy(scene(24, 30, 3), 0.1)
    y[..., 1] = 0.4  # a channel that is finished early must not wait for, or disturb, the others
    gray = restorer(1, replace(SETTINGS, solver=solver))
    together = gray.denoise(y, 0.1)
    for channel in range(3):
        alone = gray.denoise(y[..., channel : channel + 1], 0.1)
        np.testing.assert_allclose(together.pixels[..., channel], alone.pixels[..., 0], rtol=0, atol=2e-5)


@pytest.mark.parametrize("sigma", [0.0, 0.1])
def test_a_colour_critic_cannot_see_a_gray_picture(sigma: float) -> None:
    with pytest.raises(WeightsError, match="toy sees 3 channels and the picture has 1"):
        restorer(3).denoise(scene(20, 20, 1), sigma)


Task = Callable[[Restorer, np.ndarray], Restoration]
TASKS: dict[str, Task] = {
    "denoise": lambda restorer, y: restorer.denoise(y, 0.1),
    "deblur": lambda restorer, y: restorer.deblur(y, KERNEL, 0.05),
    "inpaint": lambda restorer, y: restorer.inpaint(y, random_mask(y.shape[:2], 0.5, 1), 0.05),
    "inpaint exactly": lambda restorer, y: restorer.inpaint(y, random_mask(y.shape[:2], 0.5, 1), 0.0),
}


@pytest.mark.parametrize("solver", get_args(Method))
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
@pytest.mark.parametrize("solver", get_args(Method))
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


def test_the_input_is_left_alone() -> None:
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
    before = {name: value.clone() for name, value in shared.critic.state_dict().items()}
    shared.critic.requires_grad_(True)
    Restorer(shared, FEW).denoise(noisy(scene(16, 16), 0.1), 0.1)
    assert all(torch.equal(value, before[name]) for name, value in shared.critic.state_dict().items())
    assert all(value.requires_grad for value in shared.critic.parameters())


# --- what goes wrong ---


def test_a_missing_device_is_an_error_and_auto_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DeviceError, match="cuda:99"):
        restorer(settings=replace(SETTINGS, device="cuda:99"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert restorer(settings=replace(SETTINGS, device="auto")).device.type == "cpu"


@pytest.mark.parametrize("change", [{"solver": "lbfgs"}, {"precision": "float16"}])
def test_settings_that_do_not_exist_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="unknown"):
        restorer(settings=replace(SETTINGS, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("solver", get_args(Method))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_go_wrong_are_an_error(value: float, solver: Method) -> None:
    broken = smoothness_critic()
    broken.layers[0].weight.data.fill_(value)
    with pytest.raises(NonFiniteError, match="non-finite"):
        Restorer(weights(broken), replace(SETTINGS, solver=solver)).denoise(scene(16, 16), 0.1)


ERRORS: list[Exception] = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory"),
]


def with_memory_for(pixels: int, error: Exception, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Blocks of more pixels raise `error`; returns the list of tiles that are tried."""
    tried: list[int] = []
    sum_and_grad = LocalRegularizer._sum_and_grad

    def limited(self: LocalRegularizer, block: Tensor) -> tuple[Tensor, Tensor]:
        if not tried or tried[-1] != self.tile:
            tried.append(self.tile)
        if block.shape[-2] * block.shape[-1] > pixels:
            raise error
        return sum_and_grad(self, block)

    monkeypatch.setattr(LocalRegularizer, "_sum_and_grad", limited)
    return tried


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("error", ERRORS, ids=["Python", "CUDA", "CPU"])
def test_when_memory_runs_out_the_tiles_are_halved(
    error: Exception, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    y = noisy(scene(130, 110), 0.1)
    expected = TASKS[name](restorer(settings=FEW), y)
    tried = with_memory_for(60 * 60, error, monkeypatch)
    found = TASKS[name](restorer(settings=FEW), y)
    assert tried[0] == 0 and len(tried) == 3 and tried[1] // 2 == tried[2] == found.tile
    np.testing.assert_allclose(found.pixels, expected.pixels, rtol=0, atol=1e-5)


@pytest.mark.parametrize("tile", [None, 0, 100])
@pytest.mark.parametrize("error", ERRORS, ids=["Python", "CUDA", "CPU"])
def test_when_even_small_tiles_do_not_fit_it_is_one_sentence(
    error: Exception, tile: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = with_memory_for(20 * 20, error, monkeypatch)
    with pytest.raises(DeviceError, match="not enough memory on cpu for 110 x 130 pixels"):
        restorer(settings=replace(FEW, tile=tile)).denoise(noisy(scene(130, 110), 0.1), 0.1)
    assert min(side for side in tried if side) >= 32


def test_memory_that_runs_out_before_the_descent_is_the_same_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def too_much(self: Restorer, pixels: np.ndarray) -> Tensor:
        return torch.empty(2**60)

    monkeypatch.setattr(Restorer, "_batch", too_much)
    for task in TASKS.values():
        with pytest.raises(DeviceError, match="not enough memory"):
            task(restorer(), scene(16, 16))


def test_other_errors_are_not_taken_for_exhausted_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = with_memory_for(0, RuntimeError("shape mismatch"), monkeypatch)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        restorer(settings=FEW).denoise(scene(80, 80), 0.1)
    assert tried == [0]


def test_a_large_picture_is_tiled_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_TILE_BYTES", 4_000_000)
    y = noisy(scene(120, 100), 0.1)
    wide = a_critic(width=16, activation="relu")
    found = Restorer(weights(wide), FEW).denoise(y, 0.1)
    assert found.tile == 64
    monkeypatch.undo()
    expected = Restorer(weights(wide), FEW).denoise(y, 0.1)
    assert expected.tile == 0
    np.testing.assert_allclose(found.pixels, expected.pixels, rtol=0, atol=1e-5)


@pytest.mark.parametrize("max_iter", [0, 1])
def test_few_iterations_are_obeyed(max_iter: int) -> None:
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
