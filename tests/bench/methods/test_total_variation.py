from dataclasses import replace

import numpy as np
import pytest
from skimage.restoration import denoise_tv_chambolle

from alr_cli.bench.degradations import missing_of, observe
from alr_cli.bench.methods import total_variation
from alr_cli.bench.protocol import Setting
from alr_cli.core.metrics import psnr
from tests.bench.scenes import DEBLUR, DENOISE, INPAINT, cartoon


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
def test_the_result_for_a_periodic_picture_shifts_with_it(shift: tuple[int, int]) -> None:
    observation = observe(cartoon(channels=1), "a", replace(DEBLUR, boundary="circular"))
    moved = replace(observation, pixels=np.roll(observation.pixels, shift, (0, 1)))
    here, there = (total_variation.restore(each, 0.001) for each in (observation, moved))
    apart = np.sqrt(np.mean((there - np.roll(here, shift, (0, 1))) ** 2))
    assert apart < 1e-3  # the descent ends a little elsewhere; with a border it would be 0.012


def test_observed_pixels_without_noise_are_kept() -> None:
    observation = observe(cartoon(), "a", INPAINT)
    restored = total_variation.restore(observation, 0.01)
    known = ~missing_of(observation)
    assert np.array_equal(restored[known], observation.pixels[known])


def test_clipped_pixels_keep_their_contrast() -> None:
    """White and black keep their contrast. The squared error would pull them towards gray."""
    clean = np.where(cartoon(channels=1) > 0.3, np.float32(1), np.float32(0))
    observation = observe(clean, "a", replace(DENOISE, sigma=0.3, clip=True))
    restored = total_variation.tv(observation)
    assert restored[clean == 1].mean() > 0.97 > observation.pixels[clean == 1].mean()
    assert restored[clean == 0].mean() < 0.03 < observation.pixels[clean == 0].mean()
