"""max_f E |F W (A x - y)|^2 / sigma^2: the structure in what a restored picture leaves unexplained

F is the Fourier transform of overlapping 16 x 16 patches and W a Hann window. If A is the true operator, the
residual is noise of which the restoration has explained a part, so that no frequency has more power than the
noise. A wrong kernel leaves edges and rings, which have much more power at a few frequencies, even where the
mean over all frequencies is that of the noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SIDE = 16
MOST = 4000  # patches of each channel
FEWEST = 64
RANK = 4  # which of the largest powers counts, because the very largest varies by chance
_LEAST, _CHANCE = (
    1.25,
    8.0,
)  # measured with true and wrong kernels on validation pictures (docs/guides/blur.md)


@dataclass(frozen=True)
class Structure:
    """The structure of a residual.

    Attributes:
        power: The largest power at a frequency, relative to that of the noise.
        patches: The number of patches over which the power was averaged.
    """

    power: float
    patches: int

    @property
    def certain(self) -> bool:
        """Whether noise alone would not have so much power by chance."""
        return self.power > max(_LEAST, 1 + _CHANCE / math.sqrt(self.patches))


def structure_of(residual: Tensor, sigma: float) -> Structure | None:
    """The structure of a residual.

    The noise counts as at least as strong as the median over the frequencies, so that a sigma which is too
    small does not make structure of white noise.

    Args:
        residual: A x - y, (B, C, H, W).
        sigma: The standard deviation of the noise, above 0.

    Returns:
        The structure, or None if there are fewer than 64 patches.
    """
    height, width = residual.shape[-2:]
    if height < SIDE or width < SIDE:
        return None
    stride = max(SIDE // 2, int((height * width / MOST) ** 0.5))
    patches = residual.float().unfold(-2, SIDE, stride).unfold(-2, SIDE, stride).reshape(-1, SIDE, SIDE)
    if len(patches) < FEWEST:
        return None
    window = torch.hann_window(SIDE, device=residual.device)
    window = window / window.square().mean().sqrt()
    spectrum = torch.fft.fft2(patches * window[:, None] * window, norm="ortho").abs().square().mean(0)
    powers = spectrum.flatten().sort(descending=True).values / sigma**2
    return Structure(float(powers[RANK - 1] / powers.median().clamp_min(1.0)), len(patches))
