"""x_n = A^+ (A x + e): clean pictures, and what is reconstructed from their measurements without a prior

These are the two sides between which a critic of whole pictures is trained (Lunz, Oktem and Schoenlieb 2018,
sec. 3). A is the ray transform and A^+ filtered backprojection, or both are the identity, which is denoising.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from alr_cli.core.noise.sinogram import estimate_noise
from alr_cli.core.operators.geometry import Geometry
from alr_cli.core.operators.ray import RayTransform
from alr_cli.core.priors.global_critic import GlobalArchitecture, GlobalCritic, GlobalPrior
from alr_cli.core.priors.local import unfitted
from alr_cli.core.tomography import Floats, Scanning, usual_range
from alr_cli.core.training.adversarial import AdversarialTrainer, Batch, BatchSource, Recipe
from alr_cli.core.training.calibration import LambdaCurve
from alr_cli.core.training.patches import turned
from alr_cli.core.training.stepwise import prefixed, stored

_SOURCE = "source."  # of the names of its tensors in a state


def half_turn(side: int, angles: int) -> Geometry:
    """Parallel rays from so many angles. The detectors cover the diagonal, and a little more than one lies on
    each pixel of it."""
    diagonal = side * math.sqrt(2)
    detectors = math.ceil(diagonal) + 1
    middles = tuple(math.pi * (k + 0.5) / angles for k in range(angles))
    return Geometry((side, side), middles, detectors, diagonal / detectors)


class Sides(BatchSource, Protocol):
    """A source of clean and of measured pictures.

    Attributes:
        scanned: Whether the measurements are scans, for which lambda is known.
        strength: lambda of scans relative to 2 sigma.
    """

    @property
    def scanned(self) -> bool: ...
    @property
    def strength(self) -> float: ...


@runtime_checkable
class Follows(Protocol):
    """A source whose minibatches depend on the critic that is trained, and on those before."""

    def follow(self, critic: GlobalCritic) -> None:
        """Use this critic from now on, as it changes."""
        ...

    def state(self) -> dict[str, Tensor]:
        """What the next minibatches depend on, besides the critic and the generator."""
        ...

    def restore_state(self, state: Mapping[str, Tensor]) -> None:
        """The inverse of `state`. Raises KeyError or ValueError if it does not fit."""
        ...


@dataclass(frozen=True)
class Reconstructions:
    """A source of minibatches, see `adversarial.BatchSource`.

    Both sides show the same pictures, each in one of the eight orientations. The expectation of the criterion
    is that of independent sides, and its variance is much smaller.

    With a scan, the measured side shows a share t of the artefacts, x + t (A^+ (A x + e) - x), with t uniform
    in the logarithm. A descent begins at all of the artefacts and ends near none, and the critic should know
    the way. `Recipe.normalise` makes all shares count equally.

    Attributes:
        pictures: (n, C, N, N) on [0,1].
        recipe: Has the noise levels, per pixel.
        scan: The scan; None for denoising.
        least: The smallest t; 1 as published.
        strength: See `Sides`.
    """

    pictures: Tensor
    recipe: Recipe
    scan: Scanning | None = None
    least: float = 1.0
    strength: float = 1.0

    @property
    def scanned(self) -> bool:
        """See `Sides`."""
        return self.scan is not None

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        clean, y, sigma = self.measured(count, generator)
        if self.scan is None:
            return Batch(y, clean, sigma.flatten() * math.sqrt(y[0].numel()))
        artefacts = self.scan.start(y, "ram-lak") - clean
        artefacts *= levels((self.least, 1.0), count, generator)
        return Batch(clean + artefacts, clean, artefacts.flatten(1).norm(dim=1))

    def measured(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (B, C, N, N), their measurements, and the noise levels of these, (B, 1, 1, 1)."""
        chosen = torch.randint(len(self.pictures), (count,), generator=generator)
        clean = turned(self.pictures[chosen], generator)
        sigma = levels((self.recipe.sigma_low, self.recipe.sigma_high), count, generator)
        y = clean if self.scan is None else self.scan.observe(clean)
        return clean, y + sigma * torch.randn(y.shape, generator=generator), sigma


@dataclass(frozen=True)
class MeasuredSlices:
    """A source of minibatches from scans of other objects than the clean pictures show. Both sides are drawn
    independently, each in one of the eight orientations, and all of the artefacts are on the measured side.

    Attributes:
        clean: (n, 1, N, N) on [0,1].
        measured: (m, 1, N, N), see `measured_slice`.
        strength: See `Sides`.
    """

    clean: Tensor
    measured: Tensor
    strength: float = 1.0
    scanned: ClassVar[bool] = True

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        clean, measured = (
            turned(side[torch.randint(len(side), (count,), generator=generator)], generator)
            for side in (self.clean, self.measured)
        )
        return Batch(measured, clean, None)


def measured_slice(sinogram: Floats, side: int) -> tuple[Tensor, float]:
    """Filtered backprojection (N, N) of a sinogram (angles, detectors), and its noise level per pixel.

    The angles cover half a turn, and a detector is as wide as a pixel. The slice is divided by its range.
    """
    angles, detectors = sinogram.shape
    geometry = Geometry((side, side), tuple(math.pi * k / angles for k in range(angles)), detectors)
    scan = Scanning(RayTransform(geometry).per_pixel())
    factor = scan.operator.scale / usual_range(sinogram, geometry)
    y = torch.from_numpy(sinogram * np.float32(factor))[None, None]
    return scan.start(y, "ram-lak")[0, 0], estimate_noise(sinogram) * factor


def levels(range: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    """Noise levels that are uniform in the logarithm, (count, 1, 1, 1)."""
    low, high = range
    share = torch.rand(count, 1, 1, 1, generator=generator)
    return low * (high / low) ** share


def scan_of(side: int, angles: int) -> Scanning:
    """The scan in the units of a prior: see tomography.py."""
    return Scanning(RayTransform(half_turn(side, angles)).per_pixel())


class GlobalTrainer(AdversarialTrainer):
    """Algorithm 1 of Lunz, Oktem and Schoenlieb for a critic of whole pictures."""

    def __init__(
        self,
        architecture: GlobalArchitecture,
        recipe: Recipe,
        source: Sides,
        device: str | torch.device = "cpu",
        first: GlobalCritic | None = None,
    ) -> None:
        """`first` is the critic to begin with; None draws one."""
        self.architecture = architecture
        self.scanned = source.scanned
        self.strength = source.strength

        def begin(random: torch.Generator) -> GlobalCritic:
            critic = GlobalCritic(architecture, random)
            if first is not None:
                critic.load_state_dict(first.state_dict())
            return critic

        super().__init__(begin, recipe, source, device)
        self.own = source if isinstance(source, Follows) else None
        if self.own is not None:
            self.own.follow(self.critic)

    @property
    def curve(self) -> LambdaCurve | None:
        """lambda = 2 sigma, which is their 2 E||A* e|| (see global_critic.py), times the strength. None for
        denoising, for which it is fitted."""
        if not self.scanned:
            return None
        return LambdaCurve(tuple((sigma, 2 * sigma * self.strength) for sigma in dict.fromkeys(self.levels)))

    def trained(self) -> GlobalPrior:
        critic = GlobalCritic(self.architecture)
        critic.load_state_dict(self.average or self.critic.state_dict())
        own = self.own is not None
        return GlobalPrior(critic.to(self.device).eval(), self.levels, unfitted, own)

    def state(self) -> dict[str, Tensor]:
        """See `AdversarialTrainer`."""
        of_source = {} if self.own is None else stored(self.own.state())
        return super().state() | {_SOURCE + name: value for name, value in of_source.items()}

    def restore_state(self, state: dict[str, Tensor]) -> None:
        """See `AdversarialTrainer`."""
        super().restore_state(state)
        if self.own is not None:
            self.own.restore_state(prefixed(state, _SOURCE))
