"""x_n = A^+ (A x + e): clean pictures, and what is reconstructed from their measurements without a prior

These are the two sides between which a critic of whole pictures is trained (Lunz, Oktem and Schoenlieb 2018,
sec. 3). A is the ray transform and A^+ filtered backprojection, or both are the identity, which is denoising.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from alr_cli.core.operators.geometry import Geometry
from alr_cli.core.operators.ray import RayTransform
from alr_cli.core.priors.global_critic import GlobalArchitecture, GlobalCritic, GlobalPrior
from alr_cli.core.priors.local import unfitted
from alr_cli.core.tomography import Scanning
from alr_cli.core.training.adversarial import AdversarialTrainer, Batch, Recipe
from alr_cli.core.training.calibration import LambdaCurve


def half_turn(side: int, angles: int) -> Geometry:
    """Parallel rays from so many angles, and as many detectors as the diagonal needs."""
    detectors = math.ceil(side * math.sqrt(2)) + 1
    return Geometry((side, side), tuple(math.pi * k / angles for k in range(angles)), detectors)


@dataclass(frozen=True)
class Reconstructions:
    """A source of minibatches, see `adversarial.BatchSource`. The clean and the measured pictures are drawn
    independently.

    Attributes:
        pictures: (n, C, N, N) on [0,1].
        recipe: Has the noise levels, per pixel.
        scan: The scan; None for denoising.
    """

    pictures: Tensor
    recipe: Recipe
    scan: Scanning | None = None

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        clean, other = (
            self.pictures[torch.randint(len(self.pictures), (count,), generator=generator)] for _ in range(2)
        )
        share = torch.rand(count, 1, 1, 1, generator=generator)
        sigma = self.recipe.sigma_low * (self.recipe.sigma_high / self.recipe.sigma_low) ** share
        y = other if self.scan is None else self.scan.observe(other)
        y = y + sigma * torch.randn(y.shape, generator=generator)
        return Batch(y if self.scan is None else self.scan.start(y, "ram-lak"), clean, None)


def scan_of(side: int, angles: int) -> Scanning:
    """The scan in the units of a prior: see tomography.py."""
    return Scanning(RayTransform(half_turn(side, angles)).per_pixel())


class GlobalTrainer(AdversarialTrainer):
    """Algorithm 1 of Lunz, Oktem and Schoenlieb for a critic of whole pictures."""

    def __init__(
        self,
        architecture: GlobalArchitecture,
        recipe: Recipe,
        source: Reconstructions,
        device: str | torch.device = "cpu",
    ) -> None:
        self.architecture = architecture
        self.scanned = source.scan is not None
        super().__init__(lambda random: GlobalCritic(architecture, random), recipe, source, device)

    @property
    def curve(self) -> LambdaCurve | None:
        """lambda = 2 sigma, which is their 2 E||A* e|| (see global_critic.py). None for denoising, for which
        it is fitted."""
        if not self.scanned:
            return None
        return LambdaCurve(tuple((sigma, 2 * sigma) for sigma in dict.fromkeys(self.levels)))

    def trained(self) -> GlobalPrior:
        critic = GlobalCritic(self.architecture)
        critic.load_state_dict(self.average or self.critic.state_dict())
        return GlobalPrior(critic.to(self.device).eval(), self.levels, unfitted)
