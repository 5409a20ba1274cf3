"""The content of transparent pixels is unknown, and their hidden colours have no effect."""

from collections.abc import Callable

import numpy as np
import pytest

from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.white import random_mask
from alr_cli.core.tasks import Deblurring, Denoising, Inpainting, PartlySeen, Task, Upscaling
from tests.core.noise.test_model import a_model
from tests.core.restoring import FEW, KERNEL, SETTINGS, noisy, psnr, restorer, scene

ROWS, COLUMNS = np.mgrid[:24, :30]
HIDDEN = (ROWS - 12) ** 2 + (COLUMNS - 15) ** 2 > 10**2
TASKS: dict[str, tuple[Callable[[], Task], float]] = {
    "denoise": (Denoising, 0.1),
    "denoise coloured noise": (lambda: Denoising(a_model(1)), 0.1),
    "denoise uneven noise": (lambda: Denoising(NoiseModel.poisson(0.01, 0.02, 0.0, 1)), 0.1),
    "deblur": (lambda: Deblurring(KERNEL), 0.05),
    "inpaint": (lambda: Inpainting(random_mask((24, 30), 0.3, 1)), 0.05),
    "upscale": (lambda: Upscaling(2), 0.05),
}


@pytest.mark.parametrize("name", TASKS)
def test_hidden_pixels_have_no_effect_and_are_returned(name: str) -> None:
    make, sigma = TASKS[name]
    y = noisy(scene(24, 30), 0.1)
    hidden = (y, 0 * y, np.random.default_rng(0).random(y.shape).astype(np.float32))
    pictures = [np.where(HIDDEN[..., None], colours, y) for colours in hidden]
    results = [
        restorer(1, FEW).restore(picture, PartlySeen(make(), HIDDEN), sigma).pixels for picture in pictures
    ]
    if name == "upscale":
        assert all(np.array_equal(result, results[0]) for result in results)
        return
    for picture, result in zip(pictures, results, strict=True):
        assert np.array_equal(result[~HIDDEN], results[0][~HIDDEN])
        assert np.array_equal(result[HIDDEN], picture[HIDDEN])


def test_the_visible_pixels_are_nearly_as_good_as_if_all_were_known() -> None:
    clean = scene(24, 30)
    y = noisy(clean, 0.1)
    black = np.where(HIDDEN[..., None], np.float32(0), y)
    toy = restorer(1, SETTINGS)
    known, hidden, believed = (
        psnr(toy.restore(picture, task, 0.1).pixels[~HIDDEN], clean[~HIDDEN])
        for picture, task in (
            (y, Denoising()),
            (black, PartlySeen(Denoising(), HIDDEN)),
            (black, Denoising()),
        )
    )
    assert hidden > max(believed, known - 1.5)  # those who know more of the surroundings know more


def test_a_hole_in_a_part_is_filled_as_in_the_whole() -> None:
    missing = np.zeros((24, 30), bool)
    missing[12, 15] = True
    (part,) = PartlySeen(Inpainting(missing), HIDDEN).parts(0.0, 4) or ()
    box, task = part
    assert isinstance(task, PartlySeen)
    assert np.array_equal(task.hidden, HIDDEN[box])
