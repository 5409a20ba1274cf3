import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from alr_cli.bench.degradations import observe
from alr_cli.bench.methods import tuned
from alr_cli.bench.methods.baselines import BASELINES
from alr_cli.bench.methods.coloured_block_matching import coloured_bm3d
from alr_cli.bench.methods.deconvolution import richardson_lucy_with, wiener_with
from alr_cli.bench.protocol import METHODS, Setting
from alr_cli.core.metrics import psnr
from tests.bench.scenes import DEBLUR, DENOISE, INPAINT, cartoon
from tests.core.noise.test_estimation import with_noise
from tests.core.noise.test_model import a_model

SETTINGS = {"denoise": DENOISE, "deblur": DEBLUR, "inpaint": INPAINT}
CASES = [
    (method.name, SETTINGS[task])
    for method in METHODS
    for task in method.tasks
    if method.package != "bm3d" and method.name not in ("ours", "epll")  # it needs a mixture: test_epll.py
]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("method", "setting"), CASES, ids=str)
def test_every_baseline_improves_what_was_observed(method: str, setting: Setting, channels: int) -> None:
    observation = observe(cartoon(24, 28, channels), "a", setting)
    restored = BASELINES[method](observation)
    assert restored.shape == observation.clean.shape and restored.dtype == np.float32
    before, after = (psnr(observation.clean, pixels) for pixels in (observation.pixels, restored))
    assert before is not None and after is not None
    assert after > before + 1


@pytest.mark.parametrize(
    ("boundary", "balance", "gain"), [("valid", 1e-2, 1.5), ("reflect", 1e-2, 1.5), ("circular", 1e-4, 5.0)]
)
def test_wiener_works_best_for_circular_blurs(boundary: str, balance: float, gain: float) -> None:
    observation = observe(cartoon(), "a", replace(DEBLUR, boundary=boundary, sigma=1e-3))
    before = psnr(observation.clean, observation.pixels)
    after = psnr(observation.clean, wiener_with(observation, balance))
    assert before is not None and after is not None
    assert after > before + gain


def test_bm3d_that_knows_the_spectrum_is_better_than_with_the_level_alone() -> None:
    pytest.importorskip("bm3d")
    scene = cartoon(64, 64, 3)
    model = a_model()
    noisy = with_noise(scene, model).astype(np.float32)
    white = model.uncorrelated()
    known, assumed = (psnr(scene, coloured_bm3d(noisy, each)) for each in (model, white))
    assert known is not None and assumed is not None
    assert known > assumed + 0.5


@pytest.mark.parametrize("sigma", [0.0, 0.004])
def test_a_weight_is_never_zero_however_small_the_noise(sigma: float) -> None:
    observation = observe(cartoon(), "a", replace(DEBLUR, sigma=sigma))
    assert tuned.value("tv", observation) == tuned.CURVES["tv deblur color"](tuned.LEAST_SIGMA) > 0


def test_richardson_lucy_needs_no_more_than_the_noise_allows() -> None:
    observation = observe(cartoon(), "a", replace(DEBLUR, sigma=0.05))
    scores = [psnr(observation.clean, richardson_lucy_with(observation, n)) for n in (1, 6, 200)]
    assert all(score is not None for score in scores)
    assert scores[1] > max(scores[0], scores[2])  # type: ignore[type-var, operator]


@pytest.mark.parametrize("shape", [(2, 3, 3), (5, 4, 1), (40, 9, 3)])
@pytest.mark.parametrize("method", ["nlm", "wavelets", "chambolle", "tv"])
def test_pictures_of_any_size_are_denoised(method: str, shape: tuple[int, int, int]) -> None:
    observation = observe(cartoon(*shape), "a", DENOISE)
    assert BASELINES[method](observation).shape == shape


@pytest.mark.parametrize("name", tuned.CURVES)
def test_tuned_weights_rise_with_the_noise_and_iterations_fall(name: str) -> None:
    weights = [weight for _, weight in tuned.CURVES[name].points]
    assert weights == sorted(weights, reverse=name.startswith("richardson-lucy"))


@pytest.mark.parametrize(("channels", "calls"), [(1, ["plane"]), (3, ["colour"])])
def test_cbm3d_takes_a_colour_picture_at_once_and_a_gray_one_as_a_plane(
    channels: int, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _fake_bm3d(monkeypatch)
    observation = observe(cartoon(channels=channels), "a", DENOISE)
    assert np.array_equal(BASELINES["cbm3d"](observation), observation.pixels)
    assert seen == [(call, 0.1) for call in calls]


def test_bm3d_goes_channel_by_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = _fake_bm3d(monkeypatch)
    observation = observe(cartoon(), "a", DENOISE)
    assert np.array_equal(BASELINES["bm3d"](observation), observation.pixels)
    assert seen == [("plane", 0.1)] * 3


def _fake_bm3d(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, float]]:
    """A package bm3d whose functions return their input and record their calls."""
    seen: list[tuple[str, float]] = []

    def plane(z: np.ndarray, sigma: float) -> np.ndarray:
        assert z.ndim == 2
        seen.append(("plane", sigma))
        return z

    def colour(z: np.ndarray, sigma: float) -> np.ndarray:
        assert z.ndim == 3
        seen.append(("colour", sigma))
        return z

    module: Any = SimpleNamespace(bm3d=plane, bm3d_rgb=colour)
    monkeypatch.setitem(sys.modules, "bm3d", module)
    return seen
