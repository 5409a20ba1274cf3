"""A descent must not amplify rounding: another number of threads or another tile is the same picture."""

from dataclasses import replace

import numpy as np
import pytest

from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.core.restore import Restorer
from alr_cli.core.settings import Settings
from alr_cli.core.tasks import Deblurring, Denoising, Task, observed
from alr_cli.files.weights import load_weights
from tests.core.noise.test_estimation import photograph

TASKS: dict[str, tuple[str, Task, float]] = {
    "box, wide": ("color-wide", Deblurring(parse_kernel("box:5")), 0.02),
    "box": ("color-tuned", Deblurring(parse_kernel("box:5")), 0.02),
    "motion": ("color-tuned", Deblurring(parse_kernel("motion:9:30")), 0.01),
    "denoise": ("color-tuned", Denoising(), 0.1),
}


@pytest.mark.parametrize("name", TASKS)
def test_what_is_rounded_moves_nothing_by_a_level_of_8_bits(name: str) -> None:
    weights, task, sigma = TASKS[name]
    clean = observed(task, photograph()[60:96, 80:120])
    rng = np.random.default_rng(1)
    y = (clean + sigma * rng.standard_normal(clean.shape)).astype(np.float32)
    rounded = (y + 1e-7 * rng.standard_normal(y.shape)).astype(np.float32)
    settings = Settings(device="cpu", precision="float32")
    restorers = (Restorer(load_weights(weights), each) for each in (settings, replace(settings, tile=32)))
    one, two = (
        restorer.restore(pixels, task, sigma).pixels
        for restorer, pixels in zip(restorers, (y, rounded), strict=True)
    )
    assert np.abs(one - two).max() < 1 / 255
