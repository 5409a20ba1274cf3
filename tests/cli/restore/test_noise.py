"""A given sigma is doubted only for a reason, and the advice helps."""

from typing import Any

import numpy as np
import pytest

from alr_cli.cli.options.noise import WHITE, NoiseChoice
from alr_cli.cli.restore.noise import NOISE_FLOOR, QUICK, noise_of
from alr_cli.core import gray
from alr_cli.core.noise import white
from alr_cli.core.noise.white import add_gaussian_noise
from tests.core.noise.test_estimation import photograph, with_noise
from tests.core.noise.test_model import a_model

AUTO = NoiseChoice()
CLEAN = photograph()
PICTURES = {
    "clean": (CLEAN, (0.01, 0.03, 0.2)),
    "white": (add_gaussian_noise(CLEAN, 0.1, seed=1), (0.01, 0.1, 0.5)),
    "correlated": (with_noise(CLEAN, a_model()), (0.01, a_model().level(CLEAN), 0.4)),
}


@pytest.mark.parametrize("choice", [AUTO, WHITE], ids=["auto", "white"])
@pytest.mark.parametrize("name", PICTURES)
def test_omitting_sigma_is_advised_only_if_it_helps(name: str, choice: Any) -> None:
    picture, sigmas = PICTURES[name]
    without = noise_of(choice, None, picture, None)
    for sigma in sigmas:
        noise = noise_of(choice, sigma, picture, None)
        assert noise.sigma == sigma
        assert noise.model is None
        if noise.doubt is not None and "omit --sigma" in noise.doubt:
            assert without.sigma is not None
            assert without.sigma > NOISE_FLOOR
            other = without.model is not None
            assert other or not 0.5 < sigma / without.sigma < 2


def test_correlated_noise_is_reported_if_its_level_is_given() -> None:
    picture, (_, level, _) = PICTURES["correlated"]
    doubt = noise_of(AUTO, level, picture, None).doubt or ""
    assert "correlated between neighbours: omit --sigma" in doubt


@pytest.mark.parametrize(("sigma", "looks"), [(0.0, []), (0.1, [QUICK]), (0.01, [QUICK, white.MOST_PATCHES])])
def test_a_quick_estimate_suffices_without_doubt(
    sigma: float, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    estimate = white.estimate_sigma

    def count(pixels: np.ndarray, mask: Any = None, most: int = white.MOST_PATCHES) -> float:
        asked.append(most)
        return estimate(pixels, mask, most)

    for module in (white, gray):  # where it is defined, and where it is used for all pictures
        monkeypatch.setattr(module, "estimate_sigma", count)
    noise_of(WHITE, sigma, PICTURES["white"][0], None)
    assert asked == looks
