"""Sampling: every patch of every picture has the same probability and is unchanged."""

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from alr_cli.core.training.patches import PatchSource, as_float
from tests.core.toys import seeded

SHAPES = [(5, 6), (4, 9), (3, 3), (7, 3)]
PATCH = 3


def numbered(channels: int = 1, dtype: type = np.uint8) -> list[np.ndarray]:
    """Small pictures of different sizes in which every pixel has its own value."""
    pictures, first = [], 0
    for height, width in SHAPES:
        values = np.arange(first, first + height * width).reshape(height, width, 1)
        # The other channels in other orders, so that exchanged channels would be noticed.
        planes = np.concatenate([values, 255 - values, values ^ 170][:channels], axis=2)
        pictures.append(planes.astype(dtype) if dtype is np.uint8 else (planes / 255).astype(dtype))
        first += height * width
    return pictures


def all_patches(pictures: list[np.ndarray], patch: int) -> list[np.ndarray]:
    """All patches by slicing, (C, p, p) float32 each."""
    return [
        as_float(picture[row : row + patch, column : column + patch]).transpose(2, 0, 1)
        for picture in pictures
        for row in range(picture.shape[0] - patch + 1)
        for column in range(picture.shape[1] - patch + 1)
    ]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("patch", [1, 2, 3])
def test_samples_are_exactly_the_patches_of_the_pictures(patch: int, channels: int, dtype: type) -> None:
    pictures = numbered(channels, dtype)
    source = PatchSource(pictures, patch)
    expected = {array.tobytes() for array in all_patches(pictures, patch)}
    assert len(source) == len(expected)
    samples = source.sample(60 * len(source), seeded(1))
    assert samples.dtype == torch.float32 and samples.shape[1:] == (channels, patch, patch)
    assert samples.is_contiguous() or dtype is np.uint8
    assert {np.ascontiguousarray(sample).tobytes() for sample in samples.numpy()} == expected


def test_every_patch_is_equally_likely() -> None:
    source = PatchSource(numbered(), PATCH)
    expected_number = 400
    samples = source.sample(expected_number * len(source), seeded(2))
    corner = (samples[:, 0, 0, 0] * 255).round().long()  # tells which patch it is
    counts = torch.bincount(corner)
    counts = counts[counts > 0].double()
    assert len(counts) == len(source) == 3 * 4 + 2 * 7 + 1 + 5
    statistic = ((counts - expected_number).square() / expected_number).sum()
    assert statistic < chi2.ppf(0.999, len(source) - 1)


def test_the_generator_alone_decides() -> None:
    source = PatchSource(numbered(), PATCH)
    torch.manual_seed(1)
    first = source.sample(50, seeded(3))
    torch.manual_seed(2)
    generator = seeded(3)
    assert torch.equal(source.sample(50, generator), first)
    assert not torch.equal(source.sample(50, generator), first)


def test_a_mixture_of_types_becomes_float() -> None:
    mixed = [*numbered()[:2], *numbered(dtype=np.float32)[2:]]
    samples = PatchSource(mixed, PATCH).sample(200, seeded(4))
    expected = PatchSource(numbered(), PATCH).sample(200, seeded(4))
    torch.testing.assert_close(samples, expected, rtol=0, atol=1e-7)


def test_samples_do_not_share_memory_with_the_pictures() -> None:
    source = PatchSource(numbered(dtype=np.float32), PATCH)
    before = source.sample(20, seeded(5))
    source.sample(20, seeded(5)).zero_()
    assert torch.equal(source.sample(20, seeded(5)), before)


@pytest.mark.parametrize(
    ("pictures", "sentence"),
    [
        ([], "no pictures"),
        ([np.zeros((15, 14, 1), np.uint8)], "at least 15 x 15"),
        ([np.zeros((40, 40, 1), np.uint8), np.zeros((14, 40, 1), np.uint8)], "at least 15 x 15"),
        ([np.zeros((20, 20, 1), np.uint8), np.zeros((20, 20, 3), np.uint8)], "channels"),
    ],
)
def test_pictures_that_cannot_be_sampled_are_refused(pictures: list[np.ndarray], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PatchSource(pictures, 15)
