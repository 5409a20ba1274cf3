"""The detector: symmetric, stored with its kind, and for pictures of all sizes and channels."""

import numpy as np
import pytest
import torch

from alr_cli.core.defects.detector import Detector
from alr_cli.core.defects.finding import Finder
from alr_cli.core.priors.orientations import ROTATIONS, turned
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.errors import UsageError

SMALL = UNetArchitecture(3, (8, 12), (1, 1))


def small() -> Detector:
    return Detector(UNet(SMALL, torch.Generator().manual_seed(0)))


def test_four_orientations_make_odds_that_turn_with_the_picture() -> None:
    x = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    odds = small().odds(x)
    assert odds.shape == (1, 24, 24)
    for side in ROTATIONS:
        torch.testing.assert_close(small().odds(turned(x, side)), turned(odds, side))
    assert not torch.allclose(small().odds(turned(x, 1), (0,)), turned(small().odds(x, (0,)), 1))


def test_it_is_described_by_its_kind() -> None:
    description = small().description
    assert description["kind"] == "detector"
    again = Detector.described(description)
    assert again.description == description
    with pytest.raises(ValueError, match="no detector"):
        Detector.described({**description, "kind": "potential"})
    with pytest.raises(ValueError, match="colour"):
        Detector(UNet(UNetArchitecture(1, (8,), (1,)), torch.Generator()))


@pytest.mark.parametrize("shape", [(16, 16, 1), (17, 40, 3), (33, 18, 1)])
@pytest.mark.parametrize("fast", [False, True])
def test_pictures_of_any_size_and_channels_are_searched(shape: tuple[int, int, int], fast: bool) -> None:
    pixels = np.random.default_rng(0).random(shape).astype(np.float32)
    mask = Finder(small(), 3.0, fast, device="cpu").mask(2 * pixels)
    assert mask.shape == shape[:2] and mask.dtype == bool
    if shape[2] == 1:
        colour = np.repeat(pixels, 3, axis=2)
        assert np.array_equal(Finder(small(), 3.0, fast, device="cpu").mask(2 * colour), mask)


def test_a_tiny_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="20 x 15 pixels are too few"):
        Finder(small()).mask(np.zeros((15, 20, 3), np.float32))
