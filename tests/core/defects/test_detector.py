"""The detector: symmetric, stored with its kind, and for pictures of all sizes and channels."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from alr_cli.core.defects.detector import OUTPUTS, Detector
from alr_cli.core.defects.finding import ALIKE, Finder
from alr_cli.core.priors.orientations import IN_TURN, turned
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.errors import UsageError

SMALL = UNetArchitecture(3, (8, 12), (1, 1), OUTPUTS)


def small() -> Detector:
    return Detector(UNet(SMALL, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("part", ["odds", "change", "deviation"])
def test_what_eight_orientations_show_turns_with_the_picture(part: str) -> None:
    def look(x: torch.Tensor, sides: Sequence[int] = IN_TURN) -> torch.Tensor:
        return getattr(small().look(x, sides), part)

    x = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1))
    seen = look(x)
    assert seen.shape == ((1, 3, 24, 24) if part == "change" else (1, 24, 24))
    for side in IN_TURN:
        torch.testing.assert_close(look(turned(x, side)), turned(seen, side))
    assert not torch.allclose(look(turned(x, 1), (0,)), turned(look(x, (0,)), 1))


def test_it_is_described_by_its_kind() -> None:
    description = small().description
    assert description["kind"] == "detector"
    again = Detector.described(description)
    assert again.description == description
    with pytest.raises(ValueError, match="no detector"):
        Detector.described({**description, "kind": "potential"})
    with pytest.raises(ValueError, match="colour"):
        Detector(UNet(UNetArchitecture(1, (8,), (1,)), torch.Generator()))
    with pytest.raises(ValueError, match="5 outputs"):
        Detector(UNet(UNetArchitecture(3, (8,), (1,)), torch.Generator()))


@pytest.mark.parametrize("shape", [(16, 16, 1), (17, 40, 3), (33, 18, 1)])
@pytest.mark.parametrize("fast", [False, True])
def test_pictures_of_any_size_and_channels_are_searched(shape: tuple[int, int, int], fast: bool) -> None:
    pixels = np.random.default_rng(0).random(shape).astype(np.float32)
    mask = Finder(small(), 3.0, fast, device="cpu").mask(2 * pixels)
    assert mask.shape == shape[:2] and mask.dtype == bool
    if shape[2] == 1:
        colour = np.repeat(pixels, 3, axis=2)
        assert np.array_equal(Finder(small(), 3.0, fast, device="cpu").mask(2 * colour), mask)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_below_defects_is_the_picture_without_their_change(channels: int) -> None:
    pixels = np.random.default_rng(0).random((24, 24, channels)).astype(np.float32)
    found = Finder(small(), device="cpu", precision="float32").find(pixels)
    colour = np.broadcast_to(pixels, (24, 24, 3)).transpose(2, 0, 1)
    seen = small().look(torch.from_numpy(np.ascontiguousarray(colour))[None])
    change = seen.change[0].numpy().transpose(1, 2, 0)
    change = change.mean(axis=2, keepdims=True) if channels == 1 else change
    np.testing.assert_allclose(found.below.pixels, pixels - change, atol=1e-6)
    np.testing.assert_allclose(found.below.deviation, ALIKE * seen.deviation[0].numpy(), rtol=1e-5)
    assert (found.below.deviation > 0).all()


def test_a_tiny_picture_is_refused() -> None:
    with pytest.raises(UsageError, match="20 x 15 pixels are too few"):
        Finder(small()).mask(np.zeros((15, 20, 3), np.float32))
