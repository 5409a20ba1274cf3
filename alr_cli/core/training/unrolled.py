"""min E ||x_K - x||_rms,    x_{k+1} = x_k - mu_k (A* (A x_k - y) + w_k G(x_k)),    y = A x + sigma n

All steps of the descent for one operator A are trained as a whole: the network G and the 2 K numbers mu_k
and w_k. At the start all mu_k are 1 / ||A||^2, and all w_k are the best of some for the first crops. The
error of a crop is its root mean square, so that nearly the PSNR of each crop counts.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from alr_cli.core.named_tasks import named_task
from alr_cli.core.priors.slope import Slope
from alr_cli.core.priors.unrolled import UnrolledNetwork, UnrolledPrior
from alr_cli.core.training.calibration import psnr
from alr_cli.core.training.denoising import CropSource, DenoisingRecipe, weighted_rms
from alr_cli.core.training.learner import Learner, LearnerTraining, pace
from alr_cli.core.training.stepwise import Progress

WEIGHTS = tuple(4.0**-power for power in range(4))  # that are tried at the start; much less teaches G nothing


@dataclass(frozen=True)
class UnrolledRecipe:
    """How an unrolled descent is trained.

    Attributes:
        task: The task, see task_names.py.
        iterations: Number of training steps.
        unroll: K.
        batch_size: Crops per training step.
        patch: Side of the crops in pixels.
        lr, lr_ends: Step size of Muon for G, and of Adam for its first and last layer.
        lr_numbers: Step size of Adam for the logarithms of mu_k and w_k.
        warm_up, fall: Number of training steps of a linear increase at the beginning, and a linear decrease
            to zero at the end.
        ema: Decay of the moving average, which is the result.
        sigma_low, sigma_high: Noise levels on [0,1] are uniform in this range.
        bfloat16: Run all layers except the first in bfloat16.
        seed: Random seed.
    """

    task: str
    iterations: int = 2_000
    unroll: int = 6
    batch_size: int = 4
    patch: int = 64
    lr: float = 2e-3
    lr_ends: float = 1e-4
    lr_numbers: float = 0.02
    warm_up: int = 50
    fall: int = 500
    ema: float = 0.99
    sigma_low: float = 0.01
    sigma_high: float = 0.01
    bfloat16: bool = False
    seed: int = 0

    @property
    def crops(self) -> DenoisingRecipe:
        """How crops are drawn. Their noise is not used, because it belongs to the observation."""
        return DenoisingRecipe(batch_size=self.batch_size, patch=self.patch, uneven=0.0)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class UnrolledTrainer(LearnerTraining[UnrolledRecipe]):
    """Training of an unrolled descent, with its state."""

    def __init__(self, start: Slope, recipe: UnrolledRecipe, source: CropSource) -> None:
        """Args:
        start: The initial G, which is not changed.
        recipe: How it is trained.
        source: The source of crops.
        """
        super().__init__(recipe, source.device, draws_on=source.device)
        self.source, self.task = source, named_task(recipe.task)
        network = UnrolledNetwork(start, recipe.unroll).to(self.device)
        self.learner = Learner(network, recipe.lr, recipe.lr_ends, recipe.ema, self.device, recipe.lr_numbers)
        self.learners = {"": self.learner}
        self._choose_numbers()

    def step(self) -> Progress:
        """One training step on fresh crops."""
        factor = pace(self.recipe, self.step_count)
        loss = self._error(*self._draw(self.generator))
        loss.backward()  # type: ignore[no-untyped-call]
        self.learner.update(factor, self.step_count)
        self.step_count += 1
        return Progress(self.step_count, self.recipe.lr * factor, {"loss": float(loss.detach())})

    def trained(self) -> UnrolledPrior:
        """The prior as it would be shipped now. lambda is 2 / C, which leaves the weights as they are."""
        recipe, network = self.recipe, self.learner.trained()
        share = 2 / network.gradient.architecture.channels
        levels = (recipe.sigma_low, recipe.sigma_high)
        return UnrolledPrior(network, recipe.task, levels, lambda sigma: share)

    @torch.no_grad()
    def quality(self, clean: Tensor, noise: Tensor, sigma: float) -> tuple[float, float]:
        """The mean PSNR in dB of the start and of the result of the descent, for clean crops (B, C, H, W)
        whose observations have this noise (B, C, H, W) of standard deviation 1.

        The sides of the crops are reduced to multiples of the stride.
        """
        network = self.learner.trained()
        stride = network.gradient.architecture.stride
        rows, columns = (side // stride * stride for side in clean.shape[-2:])
        clean, noise = clean[..., :rows, :columns], noise[..., :rows, :columns]
        y, truth = self.task.observe(clean), self.task.frame(clean)
        problem = self.task.problem(y + sigma * noise[..., : y.shape[-2], : y.shape[-1]], 0, sigma)
        found = problem.crop(problem.start), network.restored(problem, self._dtype)
        before, after = (float(psnr(x, truth).mean()) for x in found)
        return before, after

    def _draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Clean crops (B, C, p, p) and their observations."""
        recipe = self.recipe
        clean = self.source.draw(recipe.crops, generator).clean
        level = torch.rand(len(clean), 1, 1, 1, generator=generator, device=self.device)
        sigma = recipe.sigma_low + (recipe.sigma_high - recipe.sigma_low) * level
        y = self.task.observe(clean)
        return clean, y + sigma * torch.randn(y.shape, generator=generator, device=self.device)

    def _error(self, clean: Tensor, y: Tensor) -> Tensor:
        restored = self.learner.network.restored(self.task.problem(y, 0, 0.0), self._dtype)
        return weighted_rms(restored - self.task.frame(clean), torch.ones_like(y[:, :1, :1, :1]))

    @property
    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.recipe.bfloat16 else torch.float32

    @torch.no_grad()
    def _choose_numbers(self) -> None:
        """The initial mu_k and w_k."""
        network = self.learner.network
        clean, y = self._draw(torch.Generator(self.device).manual_seed(self.recipe.seed))
        norm = self.task.problem(y, 0, 0.0).operator.norm
        network.log_sizes.fill_(-2 * math.log(norm))
        errors = {}
        for weight in WEIGHTS:
            network.log_weights.fill_(math.log(weight * norm**2))
            errors[weight] = float(self._error(clean, y))
        best = min(errors, key=lambda weight: errors[weight] if errors[weight] >= 0 else math.inf)
        network.log_weights.fill_(math.log(best * norm**2))
        for name in ("log_sizes", "log_weights"):
            self.learner.average[name].copy_(getattr(network, name))
