"""min_theta E ||D_theta(A^+ (A x + e)) - x||_rms / sqrt(s)    (D and s: priors/postprocessor.py)

Supervised post-processing (Jin, McCann, Froustey and Unser 2017): each clean slice is measured, and the U-Net
learns what its filtered backprojection shows in addition. This is the training of a plain denoiser
(denoising.py) with artefacts in the place of noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from alr_cli.core.priors.postprocessor import SHARE, PostProcessorPrior
from alr_cli.core.priors.unet import UNet
from alr_cli.core.tomography import Scanning
from alr_cli.core.training.calibration import LambdaCurve
from alr_cli.core.training.denoising import DenoisingRecipe, DenoisingTrainer, Pair
from alr_cli.core.training.patches import turned
from alr_cli.core.training.reconstructions import levels
from alr_cli.core.training.stepwise import Progress

LAM = 30.0  # weight of x - D(x) for RED; see docs/guides/tomography.md


@dataclass(frozen=True)
class Backprojections:
    """A source of slices and the errors of their backprojections, see `denoising.PairSource`.

    Attributes:
        pictures: (n, 1, N, N) on [0,1]. They are used in all eight orientations.
        scan: The scan.
    """

    pictures: Tensor
    scan: Scanning

    @property
    def device(self) -> torch.device:
        return self.pictures.device

    def draw(self, recipe: DenoisingRecipe, generator: torch.Generator) -> Pair:
        """The slices of one step. The levels are those of the noise per pixel."""
        count = recipe.batch_size
        chosen = torch.randint(len(self.pictures), (count,), generator=generator)
        clean = turned(self.pictures[chosen], generator)
        level = levels((recipe.sigma_low, recipe.sigma_high), count, generator)
        error = self.measured(clean, level, generator) - clean
        return Pair(clean, error / (SHARE * level), SHARE * level, torch.ones_like(clean))

    def measured(self, clean: Tensor, level: Tensor, generator: torch.Generator) -> Tensor:
        """The backprojections of noisy measurements of slices (B, 1, N, N), with levels (B, 1, 1, 1)."""
        y = self.scan.observe(clean)
        return self.scan.start(y + level * torch.randn(y.shape, generator=generator))


class PostProcessorTrainer:
    """Training with its state. It has the same interface as `Trainer`."""

    def __init__(self, start: UNet, recipe: DenoisingRecipe, source: Backprojections) -> None:
        """Args:
        start: The initial network, which is not changed.
        recipe: How it is trained; it must be for the plain denoiser.
        source: The source of slices.
        """
        self.recipe = recipe
        self._trainer = DenoisingTrainer(start, recipe, source)
        self.workers, self.device = self._trainer.workers, self._trainer.device

    @property
    def iterations(self) -> int:
        return self._trainer.iterations

    @property
    def step_count(self) -> int:
        return self._trainer.step_count

    @property
    def done(self) -> bool:
        return self._trainer.done

    @property
    def curve(self) -> LambdaCurve:
        """lambda for regularization by denoising, the same at every level."""
        ends = dict.fromkeys((self.recipe.sigma_low, self.recipe.sigma_high))
        return LambdaCurve(tuple((sigma, LAM) for sigma in ends))

    def step(self) -> Progress:
        return self._trainer.step()

    def trained(self) -> PostProcessorPrior:
        """A copy of the prior as it would be shipped now: the moving average."""
        range = self.recipe.sigma_low, self.recipe.sigma_high
        return PostProcessorPrior(self._trainer.trained(), range, lambda sigma: LAM)

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore_state` needs, as named tensors on the CPU."""
        return self._trainer.state()

    def restore_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue exactly where `state` was taken.

        Raises KeyError, ValueError or RuntimeError if it does not fit. The trainer cannot be used after that.
        """
        self._trainer.restore_state(state)
