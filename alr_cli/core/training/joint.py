"""min E [ delta |D_s(z) - x| + lam |s^2 G(D_s(z)) - (z - D_s(z))| ],    z = x + s0 n

The second term vanishes if D is the proximal map of s^2 phi and G = grad phi (Fermanian, Le Pendu and
Guillemot 2022). It holds for any z, so that s and s0 are drawn independently in every second step. There,
delta is 0, because D must be told the true level to remove noise. In the other steps s = s0 and delta = 1.
Both terms train D, unless it is fixed. Before that, the first steps train D alone.

|e| is the root mean square of a crop divided by the square root of the larger of the two levels. It is the
error that trains potentials, too (denoising.py), and all levels count equally. The original used the mean of
|e| and of e^2, in which strong noise counts most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from alr_cli.core.priors.gradient_network import SCALE, GradientNetwork, GradientPrior
from alr_cli.core.training.denoising import CropSource, DenoisingRecipe, weighted_rms
from alr_cli.core.training.learner import Learner, LearnerTraining
from alr_cli.core.training.stepwise import Progress


@dataclass(frozen=True)
class JointRecipe:
    """How a gradient network is trained.

    Attributes:
        iterations: Number of steps.
        plain: Number of steps at the beginning that train D alone.
        batch_size: Crops per step.
        patch: Side of the crops in pixels.
        weight: lam.
        update: Whether D is trained jointly; otherwise it is fixed after the first steps.
        lr, lr_ends: Step size of Muon for G, and of Adam for its first and last layer.
        share: Step sizes of D relative to those of G.
        warm_up, fall: Number of steps of a linear increase at the beginning of both stages, and a linear
            decrease to zero at the end.
        ema: Decay of the moving average of the weights, which is the result.
        sigma_low, sigma_high: Noise levels on [0,1]. They are uniform up to `sigma_high`.
        sigma_faint, faint: For the share `faint` they are uniform up to `sigma_faint`.
        bfloat16: Run all layers except the first in bfloat16.
        seed: Random seed.
    """

    iterations: int = 12_000
    plain: int = 1_500
    batch_size: int = 8
    patch: int = 64
    weight: float = 0.3
    update: bool = True
    lr: float = 4e-3
    lr_ends: float = 2e-4
    share: float = 0.25
    warm_up: int = 200
    fall: int = 6_000
    ema: float = 0.999
    sigma_low: float = 1 / 255
    sigma_high: float = 50 / 255
    sigma_faint: float = 10 / 255
    faint: float = 0.2
    bfloat16: bool = False
    seed: int = 0

    def lr_factor(self, step: int) -> float:
        """The factor of all step sizes at step 0 ... iterations - 1."""
        of_stage = step if step < self.plain else step - self.plain
        return min(1.0, (of_stage + 1) / max(1, self.warm_up), (self.iterations - step) / max(1, self.fall))

    @property
    def crops(self) -> DenoisingRecipe:
        """How crops and their levels are drawn."""
        return DenoisingRecipe(
            batch_size=self.batch_size,
            patch=self.patch,
            sigma_low=self.sigma_low,
            sigma_high=self.sigma_high,
            sigma_faint=self.sigma_faint,
            faint=self.faint,
            rare=0.0,
            uneven=0.0,
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class JointTrainer(LearnerTraining[JointRecipe]):
    """Training of D and G, with its state."""

    def __init__(
        self,
        start: GradientNetwork,
        recipe: JointRecipe,
        source: CropSource,
        compiled: bool = False,
    ) -> None:
        """Args:
        start: The initial networks, which are not changed.
        recipe: How they are trained.
        source: The source of crops.
        compiled: Use torch.compile, which is a fifth faster after a minute of compilation.
        """
        super().__init__(recipe, source.device, draws_on=source.device)
        self.source = source
        self.explicit = start.explicit
        lr, lr_ends, ema = recipe.lr, recipe.lr_ends, recipe.ema
        self.of_gradient = Learner(start.gradient, lr, lr_ends, ema, self.device)
        self.of_denoiser = Learner(
            start.denoiser, recipe.share * lr, recipe.share * lr_ends, ema, self.device
        )
        self.learners = {"gradient.": self.of_gradient, "denoiser.": self.of_denoiser}
        self._plain: Callable[..., Tensor] = self._plain_error
        self._both: Callable[..., tuple[Tensor, Tensor]] = self._errors
        if compiled:
            self._plain, self._both = torch.compile(self._plain_error), torch.compile(self._errors)

    @property
    def plain(self) -> bool:
        """Whether D is trained alone."""
        return self.step_count < self.recipe.plain

    def step(self) -> Progress:
        """One step on fresh crops."""
        step, recipe = self.step_count, self.recipe
        factor = recipe.lr_factor(step)
        measures = self._alone(factor) if self.plain else self._jointly(factor)
        self.step_count += 1
        return Progress(self.step_count, recipe.lr * factor, measures)

    def _alone(self, factor: float) -> dict[str, float]:
        pair = self.source.draw(self.recipe.crops, self.generator)
        loss = self._plain(pair.clean, pair.noise, pair.sigma)
        loss.backward()  # type: ignore[no-untyped-call]
        self.of_denoiser.update(factor / self.recipe.share, self.step_count)
        return {"loss": float(loss.detach())}

    def _jointly(self, factor: float) -> dict[str, float]:
        recipe, crops = self.recipe, self.recipe.crops
        pair = self.source.draw(crops, self.generator)
        of_joint = self.step_count - recipe.plain
        delta, sigma = 1.0 - of_joint % 2, pair.sigma
        if not delta:
            sigma = self.source.levels(crops, self.generator).reshape(-1, 1, 1, 1)
        denoising, match = self._both(pair.clean, pair.noise, pair.sigma, sigma)
        (delta * denoising + recipe.weight * match).backward()  # type: ignore[no-untyped-call]
        self.of_gradient.update(factor, of_joint)
        if recipe.update:
            self.of_denoiser.update(factor, self.step_count)
        else:
            self.of_denoiser.network.zero_grad(set_to_none=True)
        return {"loss": float(match.detach())}

    def _plain_error(self, clean: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
        """The first term alone."""
        seen, _ = self.of_denoiser.network(clean / sigma + noise, torch.ones_like(clean[:, :1]), self._dtype)
        return weighted_rms((seen - noise) * sigma, sigma)

    def _errors(self, clean: Tensor, noise: Tensor, true: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """Both terms, for crops with noise of the levels `true` (B, 1, 1, 1) and the levels `sigma` of D."""
        z, ones, dtype = clean + true * noise, torch.ones_like(clean[:, :1]), self._dtype
        seen, _ = self.of_denoiser.network(z / sigma, ones, dtype)
        x = z - sigma * seen
        if not self.recipe.update:
            x = x.detach()
        slope, slopes = self.of_gradient.network(x / SCALE, ones, dtype)
        if self.explicit:
            slope = self.of_gradient.network.transposed(slope, slopes, dtype)
        larger = torch.maximum(true, sigma)
        return weighted_rms(x - clean, larger), weighted_rms(sigma**2 / SCALE * slope - (z - x), larger)

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.recipe.bfloat16 else torch.float32

    def trained(self) -> GradientPrior:
        """The prior as it would be shipped now. lambda is 2 / C, so that R is weighted by sigma^2."""
        network = GradientNetwork(self.of_denoiser.trained(), self.of_gradient.trained(), self.explicit)
        recipe, share = self.recipe, 2 / network.gradient.architecture.channels
        return GradientPrior(network, (recipe.sigma_low, recipe.sigma_high), lambda sigma: share)
