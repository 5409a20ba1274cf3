from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.restoration import denoise_tv_chambolle

from alr_cli.bench.degradations import observe
from alr_cli.bench.methods import total_variation
from alr_cli.bench.methods.total_variation import TotalVariation
from alr_cli.bench.metrics import psnr
from alr_cli.bench.protocol import Setting
from tests.bench.scenes import DEBLUR, DENOISE, INPAINT, cartoon


@pytest.mark.parametrize("shape", [(1, 1, 2, 2), (2, 3, 5, 7), (1, 3, 2, 9)])
def test_the_gradient_is_the_derivative_of_the_value(shape: tuple[int, ...]) -> None:
    x = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    regularizer = TotalVariation(channels=shape[1], eps=0.1)
    _, gradient = regularizer.value_and_grad(x)
    direction = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    step = 1e-6
    above, _ = regularizer.value_and_grad(x + step * direction)
    below, _ = regularizer.value_and_grad(x - step * direction)
    slope = (gradient * direction).sum(dim=(1, 2, 3))
    assert torch.allclose((above - below) / (2 * step), slope, rtol=1e-6, atol=1e-9)


def test_flat_pictures_have_no_variation_and_a_ramp_its_slope() -> None:
    regularizer = TotalVariation(channels=1, eps=1e-6)
    flat = torch.full((1, 1, 6, 6), 0.3, dtype=torch.float64)
    value, gradient = regularizer.value_and_grad(flat)
    assert value.item() == pytest.approx(0, abs=1e-9) and not gradient.any()
    ramp = (0.1 * torch.arange(6, dtype=torch.float64)).expand(1, 1, 6, 6)
    assert regularizer.value_and_grad(ramp)[0].item() == pytest.approx(0.1, abs=1e-5)


def test_equal_channels_cost_the_root_of_their_number() -> None:
    plane = torch.rand((1, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    one, _ = TotalVariation(channels=1, eps=1e-6).value_and_grad(plane)
    three, _ = TotalVariation(channels=3, eps=1e-6).value_and_grad(plane.expand(1, 3, 8, 8))
    assert three.item() == pytest.approx(3**0.5 * one.item(), rel=1e-4)


@pytest.mark.parametrize("weight", [0.05, 0.15])
def test_our_solver_and_chambolles_projection_agree(weight: float) -> None:
    """mean((x - y)^2) + lam TV is |x - y|^2 / 2 + (lam / 2) TV: two algorithms, one minimiser."""
    observation = observe(cartoon(channels=1), "a", DENOISE)
    ours = total_variation.restore(observation, lam=2 * weight)[..., 0]
    theirs = denoise_tv_chambolle(
        observation.pixels[..., 0].astype(np.float64), weight, eps=1e-9, max_num_iter=3000
    )
    moved = np.sqrt(np.mean((theirs - observation.pixels[..., 0]) ** 2))
    apart = np.sqrt(np.mean((ours - theirs)[1:-1, 1:-1] ** 2))  # they differ beyond the frame
    assert moved > 0.7 * DENOISE.sigma
    assert apart < 0.03 * moved


@pytest.mark.parametrize(
    ("setting", "lam", "gain"),
    [
        (DENOISE, 0.1, 8.0),
        (DEBLUR, 0.001, 4.0),
        (INPAINT, 0.01, 15.0),
        (replace(INPAINT, sigma=0.05), 0.05, 15.0),
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [1, 3])
def test_cartoons_gain_many_decibels(setting: Setting, lam: float, gain: float, channels: int) -> None:
    observation = observe(cartoon(channels=channels), "a", setting)
    before = psnr(observation.clean, observation.pixels)
    after = psnr(observation.clean, total_variation.restore(observation, lam))
    assert before is not None and after is not None
    assert after > before + gain


@pytest.mark.parametrize("shift", [(0, 1), (20, 31)])
def test_a_picture_that_goes_round_has_no_first_pixel(shift: tuple[int, int]) -> None:
    observation = observe(cartoon(channels=1), "a", replace(DEBLUR, boundary="circular"))
    moved = replace(observation, pixels=np.roll(observation.pixels, shift, (0, 1)))
    here, there = (total_variation.restore(each, 0.001) for each in (observation, moved))
    apart = np.sqrt(np.mean((there - np.roll(here, shift, (0, 1))) ** 2))
    assert apart < 1e-3  # the descent ends a little elsewhere; with a border it would be 0.012


def test_observed_pixels_without_noise_are_kept() -> None:
    observation = observe(cartoon(), "a", INPAINT)
    assert observation.missing is not None
    restored = total_variation.restore(observation, 0.01)
    known = ~observation.missing
    assert np.array_equal(restored[known], observation.pixels[known])


def test_it_knows_that_clipped_pixels_were_cut_off_as_ours_does() -> None:
    """White and black keep their contrast, which the squared error would pull to gray."""
    clean = np.where(cartoon(channels=1) > 0.3, np.float32(1), np.float32(0))
    observation = observe(clean, "a", replace(DENOISE, sigma=0.3, clip=True))
    restored = total_variation.tv(observation)
    assert restored[clean == 1].mean() > 0.97 > observation.pixels[clean == 1].mean()
    assert restored[clean == 0].mean() < 0.03 < observation.pixels[clean == 0].mean()
