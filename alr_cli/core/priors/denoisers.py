"""grad R(x) = x - D(x), and prox_R = D: a denoiser in the place of a regularizer

The first is regularization by denoising (RED; Romano, Elad and Milanfar 2017), the second plug and play. For
most denoisers neither is the gradient or the proximal map of any function, so that there is no energy.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from alr_cli.core.priors.protocol import Anneals, Denoises, HasProx


@dataclass(frozen=True)
class Red:
    """R with the gradient x - D(x), where D is the proximal map of another regularizer.

    Attributes:
        of: The other regularizer.
    """

    of: HasProx
    channels: int
    margin: int = 0

    def value_and_grad(self, x: Tensor) -> tuple[None, Tensor]:
        """x: (B, C, H, W) -> (None, x - D(x))."""
        return None, x - self.of.prox(x, 1.0)


@dataclass(frozen=True)
class DenoiserProx:
    """A regularizer whose denoiser takes the place of its proximal map.

    Attributes:
        of: A regularizer that denoises at any level.
    """

    of: Anneals

    def prox(self, x: Tensor, step: float) -> Tensor:
        """D at the level sigma sqrt(step). See `protocol.HasProx`."""
        return self.of.at(self.of.sigma * step**0.5).denoise(x)


@dataclass(frozen=True)
class Partly:
    """A denoiser that removes a share of what it sees.

    Attributes:
        of: The denoiser.
        share: The share.
    """

    of: Denoises
    share: float

    def denoise(self, y: Tensor, share: float = 1.0) -> Tensor:
        """See `protocol.Denoises`."""
        return self.of.denoise(y, self.share * share)
