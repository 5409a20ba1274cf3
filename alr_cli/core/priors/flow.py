"""R(x) = ||f(x)||^2, f a normalizing flow    (Oberlin and Verm 2021, eq. 4)

It is for pictures of one size. If |det df/dx| = 1, R is -2 log p(x) up to a constant. `volume` adds the
log-determinant, which makes this true for every flow. The same flow can generate a picture from a latent; see
core/synthesis.py.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from alr_cli.core.priors.critic import WithoutDraws
from alr_cli.core.priors.glow import Glow, GlowArchitecture
from alr_cli.core.priors.protocol import Arithmetic, LambdaOfSigma
from alr_cli.core.problems import Problem
from alr_cli.errors import WeightsError


class FlowRegularizer:
    """||f(x)||^2 - 2 volume log |det df/dx|, with its gradient.

    `volume` is 1 for -2 log p(x) up to a constant, and 0 for the norm of the latent alone.
    """

    def __init__(self, flow: Glow, volume: float = 1.0) -> None:
        self.flow = flow.eval().requires_grad_(False)
        self.channels = flow.architecture.channels
        self.size = flow.architecture.size
        self.margin = 0
        self.volume = volume

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x: (B, C, size, size) -> (R (B,), dR/dx like x). Raises WeightsError for another size."""
        self._check(x)
        leaf = x.detach().requires_grad_(True)
        with torch.enable_grad():
            z, log_det = self.flow(leaf)
            value = z.square().sum(dim=1) - 2 * self.volume * log_det
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
        return value.detach(), gradient.contiguous()

    def latent(self, x: Tensor) -> Tensor:
        """z = f(x): (B, C, size, size) -> (B, D)."""
        self._check(x)
        with torch.no_grad():
            return self.flow(x)[0]  # type: ignore[no-any-return]

    def picture(self, z: Tensor) -> Tensor:
        """x = f^-1(z), differentiable: (B, D) -> (B, C, size, size)."""
        return self.flow.inverse(z)

    def _check(self, x: Tensor) -> None:
        size = self.size
        if tuple(x.shape[-2:]) != (size, size):
            raise WeightsError(
                f"this flow is for pictures of {size} x {size} pixels, and this one has {x.shape[-1]} x "
                f"{x.shape[-2]} including the surroundings of a blur: choose other weights with -w, or "
                "--boundary reflect for a blur"
            )


@dataclass(frozen=True)
class FlowPrior:
    """A flow, which is the same for every noise level. volume: see `FlowRegularizer`."""

    network: Glow
    sigma_range: tuple[float, float]
    lam: LambdaOfSigma
    volume: float = 1.0
    kind = "flow"
    margin = 0

    @property
    def channels(self) -> int:
        return self.network.architecture.channels

    @property
    def description(self) -> dict[str, Any]:
        return {"kind": self.kind, "volume": self.volume, **self.network.architecture.as_dict()}

    @classmethod
    def described(
        cls, architecture: Mapping[str, Any], sigma_range: tuple[float, float], lam: LambdaOfSigma
    ) -> FlowPrior:
        """See `protocol.StoredPrior`."""
        fields = dict(architecture)
        volume = float(fields.pop("volume", 1.0))
        if not 0 <= volume <= 1:
            raise ValueError(f"unusable flow of volume {volume}")
        with torch.device("meta"), WithoutDraws():
            return cls(Glow(GlowArchitecture(**fields)), sigma_range, lam, volume)

    def at(self, sigma: float, arithmetic: Arithmetic = Arithmetic()) -> FlowRegularizer:  # noqa: B008 - immutable
        """R, which does not depend on the noise.

        It always runs in float32, because f has no accurate inverse in bfloat16.
        """
        return FlowRegularizer(self.network, self.volume)

    def gain(self, problem: Problem) -> float:
        """1, because the density does not depend on what happened to the picture."""
        return 1.0

    def to(self, device: torch.device) -> FlowPrior:
        return FlowPrior(copy.deepcopy(self.network).to(device), self.sigma_range, self.lam, self.volume)
