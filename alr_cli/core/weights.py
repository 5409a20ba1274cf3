"""A trained prior together with its metadata: the content of a weights file"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alr_cli.core.priors.protocol import StoredPrior


@dataclass(frozen=True)
class Weights:
    """A prior that is ready to use.

    Attributes:
        prior: The prior.
        metadata: What its file says about the training recipe, data and scores.
        sha256: Hash of its tensors.
        name: The name of shipped weights, or the name of the file.
    """

    prior: StoredPrior
    metadata: dict[str, Any]
    sha256: str
    name: str

    @property
    def channels(self) -> int:
        return self.prior.channels

    @property
    def sigma_range(self) -> tuple[float, float]:
        """The noise levels that it was made for."""
        return self.prior.sigma_range

    def lam(self, sigma: float) -> float:
        """The fitted lambda(sigma); see training/calibration.py."""
        return self.prior.lam(sigma)
