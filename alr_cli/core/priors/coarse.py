"""D_c(y) = y + U (D(S y) - S y),    S: means of 2 x 2 pixels, U: linear interpolation

What a denoiser changes at half the resolution. It costs a quarter of D, and D sees noise of twice the extent.
The fine noise is left to later steps of a path.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from alr_cli.core.priors.protocol import Denoises


@dataclass(frozen=True)
class Coarse:
    """A denoiser that sees pictures at half the resolution.

    Attributes:
        of: The denoiser.
    """

    of: Denoises

    def denoise(self, y: Tensor, share: float = 1.0) -> Tensor:
        """See `protocol.Denoises`."""
        small = avg_pool2d(y, 2, ceil_mode=True)
        change = self.of.denoise(small, share).sub_(small)
        size = (2 * small.shape[-2], 2 * small.shape[-1])
        fine = interpolate(change, size=size, mode="bilinear", align_corners=False)
        return y + fine[..., : y.shape[-2], : y.shape[-1]]
