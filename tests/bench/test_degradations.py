from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import convolve2d

from alr_cli.bench.degradations import missing_of, observe
from alr_cli.bench.protocol import Setting
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.errors import UsageError
from tests.bench.scenes import DEBLUR, DENOISE, INPAINT, cartoon

SETTINGS = [DENOISE, DEBLUR, replace(INPAINT, sigma=0.05)]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_an_observation_depends_only_on_seed_and_name(setting: Setting) -> None:
    clean = cartoon()
    first = observe(clean, "a.png", setting)
    observe(clean, "b.png", setting)
    again = observe(clean, "a.png", setting)
    assert np.array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, observe(clean, "b.png", setting).pixels)
    assert not np.array_equal(first.pixels, observe(clean, "a.png", replace(setting, seed=1)).pixels)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_observation_and_truth_have_one_shape(setting: Setting, channels: int) -> None:
    observation = observe(cartoon(channels=channels), "a.png", setting)
    assert observation.pixels.shape == observation.clean.shape
    assert observation.pixels.dtype == observation.clean.dtype == np.float32


def test_noise_has_its_level_and_is_clipped_only_when_asked() -> None:
    clean = cartoon()
    free, clipped = (observe(clean, "a", Setting("denoise", 0.2, clip)).pixels for clip in (False, True))
    assert np.std(free - clean) == pytest.approx(0.2, rel=0.03)
    assert free.min() < 0 and free.max() > 1
    assert np.array_equal(clipped, np.clip(free, 0, 1))


def test_a_valid_blur_is_the_convolution_and_its_truth_the_inner_part() -> None:
    clean = cartoon(channels=1)
    observation = observe(clean, "a", replace(DEBLUR, sigma=0.0))
    expected = convolve2d(clean[..., 0], parse_kernel("gaussian:5:1.5"), mode="valid")
    assert observation.pixels[..., 0] == pytest.approx(expected, abs=1e-6)
    assert np.array_equal(observation.clean, clean[2:-2, 2:-2])


@pytest.mark.parametrize("boundary", ["replicate", "reflect", "circular"])
def test_other_blurs_keep_the_frame(boundary: str) -> None:
    clean = cartoon()
    observation = observe(clean, "a", replace(DEBLUR, boundary=boundary))
    assert np.array_equal(observation.clean, clean)


def test_missing_pixels_are_black_and_have_the_given_share() -> None:
    observation = observe(cartoon(), "a", INPAINT)
    missing = missing_of(observation)
    assert missing.mean() == pytest.approx(0.5, abs=0.05)
    assert not observation.pixels[missing].any()
    assert np.array_equal(observation.pixels[~missing], observation.clean[~missing])


def test_the_mask_does_not_depend_on_the_noise() -> None:
    clean = np.full((200, 200, 1), 0.5, np.float32)
    observation = observe(clean, "a", replace(INPAINT, sigma=0.1))
    noise = observe(clean, "a", DENOISE).pixels - clean
    missing = missing_of(observation)
    kept = noise[~missing]
    assert abs(kept.mean()) < 0.003  # four standard errors
    assert kept.std() == pytest.approx(0.1, rel=0.03)


def test_a_picture_smaller_than_the_kernel_is_refused() -> None:
    with pytest.raises(UsageError, match="smaller kernel"):
        observe(cartoon(4, 4), "a", DEBLUR)
