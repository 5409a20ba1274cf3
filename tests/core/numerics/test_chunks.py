"""Large pictures in pieces: nothing is left out, and nothing is used twice."""

import pytest
import torch

from alr_cli.core.numerics.chunks import bands, parts, planes


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("most", [1, 3, 8, 1000])
@pytest.mark.parametrize("size", [7, 8, 12, 31])
def test_parts_have_every_patch_once_and_see_its_pixels(size: int, most: int, stride: int) -> None:
    x, patch = torch.zeros(1, 1, 2, size), 7
    found = [*parts(x, -1, patch, stride, most)]
    numbers = [n for patches, _ in found for n in range(patches.start, patches.stop)]
    assert numbers == [*range((size - patch) // stride + 1)]
    lengths = [patches.stop - patches.start for patches, _ in found]
    assert max(lengths) <= max(1, most // stride) and max(lengths) - min(lengths) <= 1
    for patches, pixels in found:
        assert pixels.start == stride * patches.start
        assert pixels.stop == stride * (patches.stop - 1) + patch <= size


@pytest.mark.parametrize("shape", [(1, 1, 3, 4), (2, 3, 1500, 1000)])
def test_planes_and_bands_have_every_pixel_once(shape: tuple[int, ...]) -> None:
    for pieces in (planes, bands):
        x = torch.zeros(shape, dtype=torch.int8)
        for piece in pieces(x):
            x[piece] += 1
        assert bool((x == 1).all())
