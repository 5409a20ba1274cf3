"""theta <- Adam(grad_theta sum_j D_j(theta)), K times on fresh minibatches    (Algorithm 1)

A `Trainer` holds everything that a run consists of: critic, optimiser, random generator, step counter.
`state` and `restore_state` are exact: 200 steps equal 100 steps, a kill, a resume and 100 more steps, bit for
bit on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from alr_cli.core.noise.field import NoiseField
from alr_cli.core.priors.critic import Architecture, Critic, CriticPrior, scored
from alr_cli.core.priors.local import unfitted
from alr_cli.core.priors.protocol import StoredPrior
from alr_cli.core.training.criteria import wgan_gp
from alr_cli.core.training.patches import PatchSource
from alr_cli.core.training.stepwise import (
    Progress,
    Stepwise,
    adam_state,
    prefixed,
    restore_adam,
    stored,
)
from alr_cli.core.training.workers import Workers


@dataclass(frozen=True)
class Recipe:
    """How a critic is trained. The defaults are those of the paper (sec. 3.2 and 4.2).

    Attributes:
        iterations: K.
        batch_size: m.
        lr, lr_final: Adam's step size, which decays exponentially.
        mu: Weight of the gradient penalty.
        one_sided: Use Lunz's penalty.
        sigma_low, sigma_high: Range of the levels of synthetic noise on [0,1].
        log_sigma: Draw the levels uniformly in the logarithm.
        normalise: Divide the difference of each pair by the norm of its noise.
        ema: Decay of the moving average of the weights; 0 for none.
        bfloat16: Run the convolutions in bfloat16, which is twice as fast where it is native.
        seed: Random seed.
    """

    iterations: int = 100_000
    batch_size: int = 32
    lr: float = 1e-3
    lr_final: float = 1e-4
    mu: float = 5.0
    one_sided: bool = False
    sigma_low: float = 0.05
    sigma_high: float = 0.30
    log_sigma: bool = False
    normalise: bool = False
    ema: float = 0.0
    bfloat16: bool = False
    seed: int = 0

    def lr_at(self, step: int) -> float:
        """The step size at step 0 ... iterations - 1."""
        return float(self.lr * (self.lr_final / self.lr) ** (step / max(1, self.iterations - 1)))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        """The inverse of `as_dict`. Missing values take their defaults.

        An unknown name raises ValueError, because a program that does not know a setting cannot continue a
        run exactly.
        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ValueError(f"unknown settings in the recipe: {', '.join(unknown)}")
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Batch:
    """A minibatch.

    Attributes:
        noisy, clean: (m, C, p, p), unpaired.
        length: (m,), the expected norm of the noise of each patch, if known.
    """

    noisy: Tensor
    clean: Tensor
    length: Tensor | None


class BatchSource(Protocol):
    """A source of minibatches: synthetic noise, or two sets of pictures (matching.py)."""

    def batch(self, count: int, generator: torch.Generator) -> Batch: ...


@dataclass(frozen=True)
class SyntheticNoise:
    """Clean patches, and patches from the same or another set with noise of a random level (sec. 4.2).

    `field` draws the noise; None for white noise.
    """

    clean: PatchSource
    other: PatchSource
    recipe: Recipe
    field: NoiseField | None = None

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        clean, noisy = self.clean.sample(count, generator), self.other.sample(count, generator)
        low, high = self.recipe.sigma_low, self.recipe.sigma_high
        u = torch.rand(count, generator=generator)
        sigma = (
            torch.exp(math.log(low) + u * math.log(high / low))
            if self.recipe.log_sigma
            else low + u * (high - low)
        )
        if self.field is not None:
            noisy, level = self.field.add(noisy, sigma, generator)
            return Batch(noisy, clean, level.flatten(1).norm(dim=1))
        noise = torch.randn(noisy.shape, generator=generator)
        length = sigma * math.sqrt(noisy[0].numel())
        return Batch(noisy + sigma.reshape(-1, 1, 1, 1) * noise, clean, length)


class AdversarialTrainer(Stepwise[Recipe]):
    """Algorithm 1 with its state, for any critic."""

    def __init__(
        self,
        begin: Callable[[torch.Generator], nn.Module],
        recipe: Recipe,
        source: BatchSource,
        device: str | torch.device = "cpu",
        workers: Workers | None = None,
    ) -> None:
        """`begin` draws a critic. `workers` are the processes that train together, each with its own
        minibatches of `batch_size`."""
        super().__init__(recipe, device, workers)
        self.source = source
        critic = begin(self.generator).to(self.device)
        if self.workers.rank > 0:  # the same critic in all processes, but different patches
            self.generator.manual_seed(recipe.seed + (self.workers.rank << 32))
        self.critic = critic.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = (
            {k: v.detach().clone() for k, v in self.critic.state_dict().items()} if recipe.ema else {}
        )
        self.optimiser = torch.optim.Adam(self.critic.parameters(), lr=recipe.lr, betas=(0.9, 0.999))

    def step(self) -> Progress:
        """One iteration of Algorithm 1."""
        recipe = self.recipe
        lr = recipe.lr_at(self.step_count)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        batch = self.source.batch(recipe.batch_size, self.generator)
        alpha = torch.rand(recipe.batch_size, generator=self.generator)
        criterion = wgan_gp(
            self._score,
            batch.noisy.to(self.device),
            batch.clean.to(self.device),
            alpha.to(self.device),
            recipe.mu,
            recipe.one_sided,
            batch.length.to(self.device) if recipe.normalise and batch.length is not None else None,
        )
        self.optimiser.zero_grad(set_to_none=True)
        (-criterion.objective).backward()  # type: ignore[no-untyped-call]
        self.workers.average(self.critic.parameters())
        self.optimiser.step()
        self._update_average()
        self.step_count += 1
        values = torch.stack([criterion.objective, criterion.wasserstein, criterion.gradient_norm]).tolist()
        measures = dict(zip(("objective", "wasserstein", "gradient_norm"), values, strict=True))
        return Progress(self.step_count, lr, measures)

    def _score(self, patches: Tensor) -> Tensor:
        return scored(self.critic, patches, self.recipe.bfloat16)

    @property
    def levels(self) -> tuple[float, float]:
        """The range of noise levels."""
        return self.recipe.sigma_low, self.recipe.sigma_high

    def trained(self) -> StoredPrior:
        """A copy of the prior as it would be shipped now, without lambda. It is the moving average if there
        is one."""
        raise NotImplementedError

    def _update_average(self) -> None:
        # At first the average follows quickly, so that it does not remember the random start.
        decay = min(self.recipe.ema, (1 + self.step_count) / (10 + self.step_count))
        with torch.no_grad():
            for name, value in self.critic.state_dict().items() if self.average else ():
                self.average[name].lerp_(value, 1 - decay)

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore_state` needs, as named tensors on the CPU. All workers must call this
        together."""
        state = {f"critic.{k}": v for k, v in self.critic.state_dict().items()}
        state |= {f"average.{k}": v for k, v in self.average.items()}
        state |= adam_state(self.optimiser)
        for rank, generator in enumerate(self.workers.gather(self.generator.get_state())):
            state[_generator_of(rank)] = generator
        state["step"] = torch.tensor(self.step_count)
        return stored(state)

    def restore_state(self, state: dict[str, Tensor]) -> None:
        """Continue exactly where `state` was taken.

        Raises KeyError, ValueError or RuntimeError if it does not fit. The trainer cannot be used after that.
        """
        self.critic.load_state_dict(prefixed(state, "critic."))
        average = prefixed(state, "average.")
        if average.keys() != self.average.keys():
            raise ValueError("the moving averages are not those of this recipe")
        for name, value in average.items():
            self.average[name].copy_(value)
        restore_adam(self.optimiser, state)
        count = sum(name.startswith("generator") for name in state)
        if count != self.workers.size:
            raise ValueError(f"{count} processes trained together, and now there are {self.workers.size}")
        self.generator.set_state(state[_generator_of(self.workers.rank)].byte())
        self.step_count = int(state["step"])


class Trainer(AdversarialTrainer):
    """Algorithm 1 of the paper, for a critic of patches."""

    def __init__(
        self,
        architecture: Architecture,
        recipe: Recipe,
        source: BatchSource,
        device: str | torch.device = "cpu",
        workers: Workers | None = None,
    ) -> None:
        self.architecture = architecture
        super().__init__(lambda random: Critic(architecture, random), recipe, source, device, workers)

    def trained(self) -> CriticPrior:
        critic = Critic(self.architecture)
        critic.load_state_dict(self.average or self.critic.state_dict())
        return CriticPrior(critic.to(self.device).eval(), self.levels, unfitted)


def _generator_of(rank: int) -> str:
    return f"generator.{rank}" if rank else "generator"
