"""y = A x + eps with A and eps decided by (setting, seed, name of the picture)    (eq. 1)

Neither the order nor the choice of pictures changes what is observed of one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alr_cli.bench.protocol import Setting
from alr_cli.core.noise.white import add_gaussian_noise, random_mask, seed_for

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Observation:
    """What a method gets, and beside it the truth for the judge alone.

    pixels: y, (H, W, C) float32, missing pixels 0.  clean: x in the frame of y, (H, W, C).  setting: how y
    came about.  kernel: (h, w) or None.  missing: (H, W), True where nothing was observed, or None.
    """

    pixels: Pixels
    clean: Pixels
    setting: Setting
    kernel: NDArray[np.float64] | None = None
    missing: NDArray[np.bool_] | None = None

    @property
    def sigma(self) -> float:
        return self.setting.sigma


def observe(clean: Pixels, name: str, setting: Setting) -> Observation:
    """Degrade a clean picture (H, W, C) on [0,1].

    A blur with the boundary "valid" shows only what is fully determined by the picture: y and its truth lose
    the kernel's radius on each side. Raises UsageError for a picture smaller than the kernel.
    """
    seed = seed_for(setting.seed, name)
    if setting.task == "deblur":
        return _blurred(clean, setting, seed)
    noisy = _noisy(clean, setting, seed)
    if setting.task == "denoise":
        return Observation(noisy, clean, setting)
    # A seed of its own: a mask drawn from the numbers of the noise would hide noise of a certain kind.
    missing = _missing((clean.shape[0], clean.shape[1]), setting, seed_for(setting.seed, f"mask of {name}"))
    return Observation(np.where(missing[..., None], np.float32(0), noisy), clean, setting, missing=missing)


def _missing(shape: tuple[int, int], setting: Setting, seed: int) -> NDArray[np.bool_]:
    if setting.missing == "text":
        from alr_cli.bench.text_masks import text_mask

        return text_mask(shape, seed)
    return random_mask(shape, setting.missing or 0.0, seed)


def _blurred(clean: Pixels, setting: Setting, seed: int) -> Observation:
    import torch

    from alr_cli.bench.blurs import read_blur
    from alr_cli.core.operators.linear import Convolution

    assert setting.kernel is not None and setting.boundary is not None
    kernel, _ = read_blur(setting.kernel)
    rows, columns = (side // 2 for side in kernel.shape)
    height, width = clean.shape[:2]
    x = torch.from_numpy(np.ascontiguousarray(clean.transpose(2, 0, 1)))[None]
    blurred = Convolution(kernel, (height, width), setting.boundary).forward(x)[0]
    y = np.ascontiguousarray(blurred.numpy().transpose(1, 2, 0))
    truth = clean[rows : height - rows, columns : width - columns] if setting.boundary == "valid" else clean
    return Observation(_noisy(y, setting, seed), truth, setting, kernel)


def _noisy(pixels: Pixels, setting: Setting, seed: int) -> Pixels:
    return add_gaussian_noise(pixels, setting.sigma, seed, clip=setting.clip)
