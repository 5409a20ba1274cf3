"""The network sees the level of noise in each cell of a picture."""

import numpy as np
import pytest
import torch

from alr_cli.core.noise.levels import SIDE, LevelFinder, LevelNetwork


def finder() -> LevelFinder:
    torch.manual_seed(0)
    return LevelFinder(LevelNetwork(8))


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random((*shape, 3)).astype(np.float32)


def test_each_cell_and_colour_has_a_level_and_a_certainty() -> None:
    level, certain = LevelNetwork(8)(torch.rand(2, 3, 64, 96))
    assert level.shape == certain.shape == (2, 3, 8, 12)


def test_more_contrast_is_a_higher_level() -> None:
    """Without the layers, a picture with twice the contrast has twice the level."""
    network = finder().network
    torch.nn.init.zeros_(network.head.weight)
    x = 100 * torch.rand(1, 3, 64, 64)
    once, twice = (network(factor * x)[0] for factor in (1, 2))
    torch.testing.assert_close(twice - once, torch.full_like(once, float(np.log(2))), atol=1e-3, rtol=0)


def test_a_constant_shift_of_a_channel_changes_nothing() -> None:
    x = 100 * torch.rand(1, 3, 64, 64)
    shifted = x + torch.tensor([50.0, 0.0, -20.0])[:, None, None]
    network = finder().network
    torch.testing.assert_close(network(shifted)[0], network(x)[0], atol=1e-3, rtol=0)


def test_a_description_rebuilds_the_network() -> None:
    described = LevelFinder.described(finder().description)
    described.network.load_state_dict(finder().network.state_dict())
    with pytest.raises(ValueError, match="level"):
        LevelFinder.described({"kind": "detector"})


@pytest.mark.parametrize(
    ("shape", "cells"),
    [((SIDE, SIDE), 256), ((200, 300), 6 * 256), ((40, 90), 3 * 25), ((1500, 64), 8 * 64)],
    ids=str,
)
def test_crops_cover_a_picture_evenly_and_there_are_not_too_many(shape: tuple[int, int], cells: int) -> None:
    seen = finder().see(picture(*shape))
    assert seen is not None
    assert seen.brightness.shape == (cells,) and seen.levels.shape == seen.weights.shape == (3, cells)
    np.testing.assert_allclose(seen.weights.sum(axis=1), 1)


def test_a_small_picture_tells_nothing() -> None:
    assert finder().see(picture(31, 100)) is None


def test_masked_and_missing_pixels_are_not_looked_at() -> None:
    pixels = picture(SIDE, 2 * SIDE)
    mask = np.zeros(pixels.shape[:2], bool)
    mask[5, SIDE + 5] = True
    half, other = finder().see(pixels, mask), finder().see(pixels[:, :SIDE])
    assert half is not None and other is not None
    np.testing.assert_allclose(half.levels, other.levels, atol=1e-5)
    pixels[7, 7] = np.nan
    assert finder().see(pixels, mask) is None
