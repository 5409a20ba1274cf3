"""Missing pixels in boxes: the same picture with less work."""

from dataclasses import replace

import numpy as np
import pytest

from alr_cli.core.noise.white import random_mask
from alr_cli.core.restoration import Step
from alr_cli.core.tasks import Inpainting
from alr_cli.core.windows import windows
from tests.core.restoring import SETTINGS, restorer, scene


def dots(height: int, width: int, *places: tuple[int, int], side: int = 3) -> np.ndarray:
    missing = np.zeros((height, width), bool)
    for row, column in places:
        missing[row : row + side, column : column + side] = True
    return missing


MASKS = {
    "one": dots(90, 120, (50, 60)),
    "at the corners": dots(90, 120, (0, 0), (87, 117)),
    "far apart": dots(90, 120, (5, 5), (60, 100), (70, 10)),
    "near": dots(90, 120, (20, 20), (32, 40)),
    "odd sizes": dots(83, 57, (81, 3), side=1),
    "boxes in boxes": dots(200, 200, (10, 10), (10, 100), (100, 10)) | np.eye(200, dtype=bool)[::-1],
    "many": random_mask((90, 120), 0.5, 0),
    "all": np.ones((20, 30), bool),
    "none": np.zeros((20, 30), bool),
}


@pytest.mark.parametrize("reach", [1, 13, 27])
@pytest.mark.parametrize("name", MASKS)
def test_boxes_contain_missing_pixels_with_margins_and_are_disjoint(name: str, reach: int) -> None:
    missing = MASKS[name]
    boxes = windows(missing, reach)
    if boxes is None:
        assert name not in ("one", "none", "odd sizes")
        return
    times = np.zeros(missing.shape, int)
    for box in boxes:
        times[box] += 1
        assert all(side.start % 4 == 0 for side in box)
    assert times.max() <= 1
    for row, column in np.argwhere(missing):
        around = (
            slice(max(0, row - reach), row + reach + 1),
            slice(max(0, column - reach), column + reach + 1),
        )
        assert times[around].all()


@pytest.mark.parametrize(("name", "channels"), [("far apart", 1), ("at the corners", 3)])
def test_parts_give_the_same_picture_as_the_whole(
    name: str, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = MASKS[name]
    y = scene(*missing.shape, channels)
    settings = replace(SETTINGS, solver="nmapg", max_iter=60, tol=0.0)
    seen: list[Step] = []
    parts = restorer(channels, settings).restore(y, Inpainting(missing), 0.0, seen.append)
    monkeypatch.setattr(Inpainting, "parts", lambda self, sigma, reach: None)
    whole = restorer(channels, settings).restore(y, Inpainting(missing), 0.0)
    assert np.abs(parts.pixels - whole.pixels).max() < 0.5 / 255
    assert np.array_equal(parts.pixels[~missing], y[~missing])
    assert [step.iteration for step in seen] == sorted(step.iteration for step in seen)
    assert seen[-1].iteration <= seen[-1].max_iter
    assert np.array_equal(seen[-1].estimate(), parts.pixels)


def test_with_noise_the_whole_picture_is_restored() -> None:
    assert Inpainting(MASKS["one"]).parts(0.05, 13) is None
