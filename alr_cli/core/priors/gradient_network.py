"""G(x), the gradient of an unknown phi, and D_s(z) = arg min_x 1/2 ||x - z||^2 + s^2 phi(x), two networks

The proximal map and the gradient of the same phi satisfy s^2 G(D_s(z)) = z - D_s(z) for every z and s, and
this is how both are trained (training/joint.py; the ReG network of Fermanian, Le Pendu and Guillemot 2022).
With U-Nets U and V,

    D_s(z) = z - s U(z / s, 1),    G(x) = V(x / c, 1) / c

G has no noise level. Its scale c is fixed. Nothing makes the Jacobian of G symmetric, so that there is in
general no phi, and no energy. The variant G = grad phi with phi(x) = 1/2 ||V(x / c, 1)||^2 has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from alr_cli.core.priors.blocks import HALO, Residual, automatic_tile
from alr_cli.core.priors.glimpses import InTurn
from alr_cli.core.priors.potential import Potential
from alr_cli.core.priors.protocol import Arithmetic, LambdaOfSigma
from alr_cli.core.priors.slope import Slope
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.problems import Problem

SCALE = 0.1  # c, the middle of the noise levels in training
_BEHIND = 0.2  # weight of D in other problems than denoising
_LESS = 0.75  # that of G, relative to it


class GradientNetwork(nn.Module):
    """The two U-Nets.

    Attributes:
        denoiser: U.
        gradient: V.
        explicit: Whether G is the gradient of phi = 1/2 ||V||^2, instead of V itself.
    """

    def __init__(self, denoiser: UNet, gradient: UNet, explicit: bool = False) -> None:
        super().__init__()
        if denoiser.architecture.channels != gradient.architecture.channels:
            raise ValueError("the two networks see different numbers of channels")
        self.denoiser, self.gradient, self.explicit = denoiser, gradient, explicit


class RegularizingGradient:
    """R = s^2 phi at the level s = sigma, a regularizer of which the gradient and the proximal map are known.

    `sigma` may be 0. The denoiser was trained for levels from `least` on.
    """

    margin = 0

    def __init__(self, network: GradientNetwork, sigma: float, least: float, arithmetic: Arithmetic) -> None:
        self.channels = network.gradient.architecture.channels
        self.sigma = sigma
        self._network, self._least, self._arithmetic = network, least, arithmetic
        share = (sigma / SCALE) ** 2
        self._potential = Potential(network.gradient, SCALE, share, arithmetic) if network.explicit else None
        self._free, self._share = Residual(network.gradient, SCALE, arithmetic), share

    def value_and_grad(self, x: Tensor) -> tuple[Tensor | None, Tensor]:
        """x: (B, C, H, W) -> (s^2 phi (B,) if it is known, s^2 G(x))."""
        if self._potential is not None:
            return self._potential.value_and_grad(x)
        return None, self._free(x).mul_(self._share)

    def prox(self, x: Tensor, step: float) -> Tensor:
        """D at the level s sqrt(step). See `protocol.HasProx`.

        Below the smallest level in training, the picture moves in proportion to the squared level.
        """
        level = self.sigma * float(step**0.5)
        seen = Residual(self._network.denoiser, max(level, self._least), self._arithmetic)(x)
        share = min(1.0, level / self._least)
        return x - share * share * seen

    def denoise(self, y: Tensor, share: float = 1.0) -> Tensor:
        """The proximal map of share R. See `protocol.Denoises`."""
        return self.prox(y, share)

    def at(self, sigma: float) -> RegularizingGradient:
        """The same regularizer at another level. See `protocol.Anneals`."""
        return RegularizingGradient(self._network, sigma, self._least, self._arithmetic)

    def gradient_weight(self, problem: Problem) -> float:
        """1 for denoising, as in the equation of G and D. For other operators less of G is better, see
        docs/guides/gradient.md."""
        return 1.0 if problem.near else _LESS

    def glimpses(self, frame: tuple[int, int] | None) -> InTurn:
        """See `protocol.HasGlimpses`: another orientation at every evaluation."""
        return InTurn(self)


class GradientPrior:
    """G and D for every noise level, as a prior that weights files can store."""

    kind = "gradient"
    margin = 0
    reach = HALO

    def __init__(
        self, network: GradientNetwork, sigma_range: tuple[float, float], lam: LambdaOfSigma
    ) -> None:
        self.network = network
        self.sigma_range = sigma_range
        self._lam = lam

    @property
    def channels(self) -> int:
        return self.network.gradient.architecture.channels

    @property
    def description(self) -> dict[str, Any]:
        """The architecture of both networks, and the kind."""
        parts = {"denoiser": self.network.denoiser, "gradient": self.network.gradient}
        described = {name: unet.architecture.as_dict() for name, unet in parts.items()}
        whole = {"kind": self.kind, "channels": self.channels, "explicit": self.network.explicit}
        return {**whole, **described}

    @classmethod
    def described(
        cls, architecture: Mapping[str, Any], sigma_range: tuple[float, float], lam: LambdaOfSigma
    ) -> GradientPrior:
        """The inverse of `description`; the numbers are loaded later. Raises TypeError or ValueError."""
        parts = dict(architecture)
        channels, explicit = parts.pop("channels"), parts.pop("explicit")
        if set(parts) != {"denoiser", "gradient"} or not isinstance(explicit, bool):
            raise ValueError("a gradient network consists of a denoiser and a gradient")
        with torch.device("meta"):
            unets = {name: UNet(UNetArchitecture(**fields)) for name, fields in parts.items()}
        prior = cls(GradientNetwork(**unets, explicit=explicit), sigma_range, lam)
        if prior.channels != channels:
            raise ValueError(f"the networks see {prior.channels} channels, not {channels}")
        return prior

    @property
    def slope(self) -> Slope:
        """c^2 G. See `slope.HasSlope`."""
        return Slope(self.network.gradient, self.network.explicit, SCALE)

    def to(self, device: torch.device) -> GradientPrior:
        """A copy on that device."""
        return GradientPrior(deepcopy(self.network).to(device), self.sigma_range, self._lam)

    def at(self, sigma: float, arithmetic: Arithmetic = Arithmetic()) -> RegularizingGradient:  # noqa: B008 - immutable
        """R = sigma^2 phi."""
        return RegularizingGradient(self.network, sigma, self.sigma_range[0], arithmetic)

    def lam(self, sigma: float) -> float:
        return self._lam(sigma)

    def gain(self, problem: Problem) -> float:
        """1 for denoising. For other operators less of D is better, as for the D of a potential; G has
        `gradient_weight` beside it."""
        return 1.0 if problem.near else _BEHIND

    def tile(self, shape: tuple[int, ...], device: torch.device, precision: torch.dtype) -> int:
        """See `protocol.HasTiles`."""
        return automatic_tile(shape)
