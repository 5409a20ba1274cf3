"""The structure of what a restored picture leaves unexplained."""

import numpy as np
import pytest
import skimage
import torch
from scipy.signal import fftconvolve

from alr_cli.core.noise.white import add_gaussian_noise
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.core.residuals import structure_of
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.tasks import Deblurring
from alr_cli.files.weights import load_weights
from tests.core.toys import seeded

SIGMA = 0.01


@pytest.mark.parametrize("sides", [(64, 64), (128, 96), (700, 500)])
@pytest.mark.parametrize("channels", [1, 3])
def test_white_noise_has_none(sides: tuple[int, int], channels: int) -> None:
    structure = structure_of(SIGMA * torch.randn(1, channels, *sides, generator=seeded()), SIGMA)
    assert structure is None or not structure.certain


def test_white_noise_of_another_level_has_none() -> None:
    structure = structure_of(3 * SIGMA * torch.randn(1, 1, 128, 128, generator=seeded()), SIGMA)
    assert structure is not None
    assert not structure.certain


def test_rings_weaker_than_the_noise_are_seen() -> None:
    rings = 0.5 * SIGMA * torch.sin(torch.arange(128) * 2.0)
    structure = structure_of(SIGMA * torch.randn(1, 1, 128, 128, generator=seeded()) + rings, SIGMA)
    assert structure is not None
    assert structure.certain


@pytest.mark.parametrize("sides", [(15, 200), (40, 40)])
def test_a_small_picture_cannot_be_judged(sides: tuple[int, int]) -> None:
    assert structure_of(torch.randn(1, 1, *sides, generator=seeded()), 1.0) is None


@pytest.mark.parametrize(
    ("true", "assumed", "seen"),
    [
        ("disk:2.5", "disk:2.5", False),
        ("motion:9:30", "motion:9:30", False),
        ("disk:2.5", "gaussian:7:3", True),
        ("motion:9:30", "motion:9:60", True),
    ],
)
def test_a_wrong_kernel_leaves_structure(true: str, assumed: str, seen: bool) -> None:
    clean = skimage.data.camera()[90:238, 150:298].astype(np.float32) / 255
    blurred = fftconvolve(clean, parse_kernel(true), mode="same")[10:-10, 10:-10, None]
    y = add_gaussian_noise(blurred.astype(np.float32), SIGMA, seed=0)
    restorer = Restorer(load_weights("gray-tuned"), Settings())
    structure = restorer.restore(y, Deblurring(parse_kernel(assumed)), SIGMA).structure
    assert structure is not None
    assert structure.certain == seen
