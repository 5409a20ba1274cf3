"""A trained prior and what is known of it: what a weights file is, once it has been read"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alr_cli.core.priors.protocol import StoredPrior


@dataclass(frozen=True)
class Weights:
    """A prior ready to use.

    metadata: what its file says: training recipe, data, scores.  sha256: of its tensors.  name: as shipped,
    or the name of the file.
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
        """The noise levels it was made for."""
        return self.prior.sigma_range

    def lam(self, sigma: float) -> float:
        """lambda(sigma), fitted (see training/calibration.py)."""
        return self.prior.lam(sigma)
