"""A U-Net with lambda(sigma), as weights files store it; derived classes say what it computes."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Self

import torch

from alr_cli.core.priors.blocks import HALO
from alr_cli.core.priors.protocol import LambdaOfSigma
from alr_cli.core.priors.unet import UNet, UNetArchitecture


class UNetPrior:
    """The stored part of a prior whose only network is a U-Net. See `protocol.StoredPrior`."""

    kind: str
    margin = 0
    reach = HALO

    def __init__(self, unet: UNet, sigma_range: tuple[float, float], lam: LambdaOfSigma) -> None:
        self.network = unet
        self.sigma_range = sigma_range
        self._lam = lam

    @property
    def channels(self) -> int:
        return self.network.architecture.channels

    @property
    def description(self) -> dict[str, Any]:
        """The architecture and its kind."""
        return {"kind": self.kind, **self.network.architecture.as_dict()}

    @classmethod
    def described(
        cls, architecture: Mapping[str, Any], sigma_range: tuple[float, float], lam: LambdaOfSigma
    ) -> Self:
        """The inverse of `description`; the numbers are loaded later. Raises TypeError or ValueError."""
        with torch.device("meta"):
            return cls(UNet(UNetArchitecture(**architecture)), sigma_range, lam)

    def to(self, device: torch.device) -> Self:
        """A copy on that device."""
        return type(self)(deepcopy(self.network).to(device), self.sigma_range, self._lam)

    def lam(self, sigma: float) -> float:
        return self._lam(sigma)
