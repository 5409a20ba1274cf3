"""theta_1 = arg min E ||x - r_sigma - x_clean||,    then from there theta = arg min E ||D_sigma - x_clean||

The two stages of the training of a potential (denoising.py) as one training. First the plain denoiser is
trained, which costs half as much per pixel, and then the gradient-step loss is used, with a step size that
falls to zero. The second stage starts from the network of the first, with fresh moments and other crops. If
the training starts from a potential, there is only the second stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from alr_cli.core.priors.potential import PotentialPrior
from alr_cli.core.priors.unet import UNet
from alr_cli.core.training.calibration import LambdaCurve
from alr_cli.core.training.denoising import CropSource, DenoisingRecipe, DenoisingTrainer
from alr_cli.core.training.stepwise import Progress, prefixed

_PLAIN = 0.5  # share of the steps that train the plain denoiser
_GENTLER = 0.7  # factor of the step size in the second stage


class TwoStageTrainer:
    """Both stages, with the state of the current one. It has the interface of the other trainings."""

    curve: LambdaCurve | None = None  # lambda is fitted at the end

    def __init__(
        self,
        start: UNet,
        recipe: DenoisingRecipe,
        source: CropSource,
        sigma_range: tuple[float, float],
        plain: bool = True,
    ) -> None:
        """Args:
        start: The initial network, which is not changed.
        recipe: The recipe of both stages together.
        source: The source of crops.
        sigma_range: The noise levels that the prior will be used for.
        plain: Train the plain denoiser first. False if the start is the network of a potential.
        """
        self.recipe = recipe
        self.source = source
        self.sigma_range = sigma_range
        self.plain_steps = round(_PLAIN * recipe.iterations) if plain else 0
        self._stage = DenoisingTrainer(start, self._recipe_of(0 if plain else 1), source)
        self.workers, self.device = self._stage.workers, self._stage.device

    @property
    def iterations(self) -> int:
        return self.recipe.iterations

    @property
    def step_count(self) -> int:
        return self._stage.step_count + (self.plain_steps if self.gradient else 0)

    @property
    def done(self) -> bool:
        return self.step_count >= self.iterations

    @property
    def gradient(self) -> bool:
        """Whether the second stage is running."""
        return self._stage.recipe.gradient

    def step(self) -> Progress:
        """One step of the current stage."""
        if self._stage.done and not self.gradient:
            self._stage = DenoisingTrainer(self._stage.unet, self._recipe_of(1), self.source)
        return replace(self._stage.step(), step=self.step_count)

    def denoised(self, y: Tensor, sigma: float) -> Tensor:
        """y (B, C, H, W) denoised by what the current stage trains."""
        unet = self._stage.trained()
        z = y / sigma
        with torch.no_grad():
            seen, slopes = unet(z, torch.ones_like(z[:, :1]))
            if self.gradient:
                seen = unet.transposed(seen, slopes)
        restored: Tensor = y - sigma * seen
        return restored

    def trained(self) -> PotentialPrior:
        """The prior as it would be shipped now. Its lambda is that of one gradient step."""
        unet = self._stage.trained()
        share = 2 / unet.architecture.channels
        return PotentialPrior(unet, self.sigma_range, lambda sigma: share)

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore_state` needs, as named tensors on the CPU."""
        kept = {f"stage.{name}": value for name, value in self._stage.state().items()}
        return {
            **kept,
            "gradient": torch.tensor(int(self.gradient)),
            "plain_steps": torch.tensor(self.plain_steps),
        }

    def restore_state(self, state: Mapping[str, Tensor]) -> None:
        """Continue exactly where `state` was taken.

        Raises KeyError, ValueError or RuntimeError if it does not fit. The trainer cannot be used after that.
        """
        if state["gradient"]:  # the first stage keeps its length if the training is made longer
            self.plain_steps = int(state["plain_steps"])
        stage = self._recipe_of(int(state["gradient"]))
        self._stage = DenoisingTrainer(self._stage.unet, stage, self.source)
        self._stage.restore_state(prefixed(state, "stage."))

    def _recipe_of(self, stage: int) -> DenoisingRecipe:
        whole, plain = self.recipe, self.plain_steps
        if stage == 0:
            return replace(whole, iterations=plain, gradient=False, fall=0)
        return replace(
            whole,
            iterations=whole.iterations - plain,
            lr=_GENTLER * whole.lr,
            lr_ends=_GENTLER * whole.lr_ends,
            seed=whole.seed + 1,
        )
