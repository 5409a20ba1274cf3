"""y = A x + eps, with A and eps determined by the setting, its seed and the picture's name    (eq. 1)

The observation of a picture therefore depends neither on the order nor on the choice of the other pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from alr_cli.bench import protocol
from alr_cli.bench.protocol import Setting
from alr_cli.core.noise.white import add_gaussian_noise, random_mask, seed_for

if TYPE_CHECKING:
    from alr_cli.core.tasks import Deblurring, Inpainting, Task

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Observation:
    """The input of a method, together with the clean picture that only the evaluation may see.

    Attributes:
        pixels: y, (H, W, C) float32. Missing pixels are 0.
        clean: x in the frame of y, (H, W, C).
        setting: How y was produced.
        task: A.
    """

    pixels: Pixels
    clean: Pixels
    setting: Setting
    task: Task

    @property
    def sigma(self) -> float:
        return self.setting.sigma


def kernel_of(observation: Observation) -> NDArray[np.float64]:
    """The kernel (h, w) of an observation, for deblurring methods."""
    return cast("Deblurring", observation.task).kernel


def missing_of(observation: Observation) -> NDArray[np.bool_]:
    """The mask (H, W) of an observation, for inpainting methods. True where nothing was observed."""
    return cast("Inpainting", observation.task).missing


def observe(clean: Pixels, name: str, setting: Setting) -> Observation:
    """Degrade a clean picture (H, W, C) on [0,1].

    With the boundary "valid" only those pixels are observed that the picture determines completely, so y and
    its clean picture are smaller by the kernel's radius on each side. Raises UsageError for a picture smaller
    than the kernel.
    """
    from alr_cli.core.tasks import in_frame, observed

    task = _TASKS[setting.task](clean, name, setting)
    noisy = add_gaussian_noise(
        observed(task, clean), setting.sigma, seed_for(setting.seed, name), setting.clip
    )
    return Observation(task.hide(noisy), in_frame(task, clean), setting, task)


def _denoising(clean: Pixels, name: str, setting: Setting) -> Task:
    from alr_cli.core.tasks import Denoising

    return Denoising()


def _deblurring(clean: Pixels, name: str, setting: Setting) -> Task:
    from alr_cli.bench.blurs import read_blur
    from alr_cli.core.tasks import Deblurring

    assert setting.kernel is not None and setting.boundary is not None
    return Deblurring(read_blur(setting.kernel)[0], setting.boundary)


def _inpainting(clean: Pixels, name: str, setting: Setting) -> Task:
    """The mask has a seed of its own. With the noise's seed, mask and noise would be correlated."""
    from alr_cli.bench.text_masks import text_mask
    from alr_cli.core.tasks import Inpainting

    shape, seed = (clean.shape[0], clean.shape[1]), seed_for(setting.seed, f"mask of {name}")
    if setting.missing == "text":
        return Inpainting(text_mask(shape, seed))
    return Inpainting(random_mask(shape, setting.missing or 0.0, seed))


_TASKS: dict[protocol.Task, Callable[[Pixels, str, Setting], Task]] = {
    "denoise": _denoising,
    "deblur": _deblurring,
    "inpaint": _inpainting,
}
