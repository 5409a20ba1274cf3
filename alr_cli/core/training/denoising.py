"""min_theta E ||D_sigma(x + n) - x||_rms / sqrt(sigma)    where    D_sigma = x - J^T r_sigma(x)  (unet.py)

This is the gradient-step loss of Hurault, Leclaire and Papadakis (2022); J^T r is the gradient of ||r||^2 /
2. Training the plain denoiser x - r_sigma(x) first costs half as much per pixel, and from the resulting
U-Net, D_sigma needs little more training. The error of a crop is its root mean square, so that nearly the
PSNR of each crop counts. The weight makes all noise levels count equally.

The step size (learner.py) is constant except for a warm-up and a linear decrease to zero at the end, so that
a run can be continued from before the decrease.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from alr_cli.core.priors.unet import UNet
from alr_cli.core.training.learner import Learner, LearnerTraining, pace
from alr_cli.core.training.patches import PatchSource, turned
from alr_cli.core.training.stepwise import Progress


@dataclass(frozen=True)
class DenoisingRecipe:
    """How a potential is trained.

    Attributes:
        iterations: Number of steps.
        batch_size: Crops per step.
        patch: Side of the crops in pixels.
        gradient: Use the gradient-step loss; otherwise x - r_sigma is trained.
        lr, lr_ends: Step size of Muon, and of Adam for the first and last layer.
        warm_up, fall: Number of steps of a linear increase at the beginning and a linear decrease to zero at
            the end.
        ema: Decay of the moving average of the weights, which is the result.
        sigma_low: Lowest noise level on [0,1].
        sigma_high: Noise levels are uniform up to this level.
        sigma_rare, rare: For the share `rare` of the crops they are uniform from there up to `sigma_rare`.
        sigma_faint, faint: For the share `faint` they are uniform up to `sigma_faint`.
        uneven: Share of the crops whose noise increases from one side to the other.
        bfloat16: Run all layers except the first in bfloat16.
        seed: Random seed.
    """

    iterations: int = 20_000
    batch_size: int = 8
    patch: int = 64
    gradient: bool = True
    lr: float = 6e-3
    lr_ends: float = 3e-4
    warm_up: int = 200
    fall: int = 5_000
    ema: float = 0.999
    sigma_low: float = 1 / 255
    sigma_high: float = 50 / 255
    sigma_rare: float = 102 / 255
    rare: float = 0.15
    sigma_faint: float = 10 / 255
    faint: float = 0.2
    uneven: float = 0.25
    bfloat16: bool = False
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Pair:
    """A batch of clean crops and their noise.

    Attributes:
        clean: (B, C, p, p) on [0,1].
        noise: With the shape of `clean` and standard deviation `level`.
        sigma: (B, 1, 1, 1).
        level: (B, 1, p, p), one on average.
    """

    clean: Tensor
    noise: Tensor
    sigma: Tensor
    level: Tensor


class PairSource(Protocol):
    """A source of batches."""

    @property
    def device(self) -> torch.device: ...
    def draw(self, recipe: DenoisingRecipe, generator: torch.Generator) -> Pair: ...


class CropSource:
    """Crops of pictures, in all eight orientations, with noise.

    Args:
        folders: uint8 pictures (H, W, C). All folders are equally likely, then all pictures of a folder, then
            all positions.
        patch: Side of the crops in pixels.
        device: Where the pixels are stored and the noise is drawn.
    """

    def __init__(
        self, folders: Sequence[Sequence[np.ndarray]], patch: int, device: str | torch.device = "cpu"
    ) -> None:
        self.device = torch.device(device)
        self._patches = PatchSource([picture for folder in folders for picture in folder], patch)
        self._patches.table = self._patches.table.to(self.device)
        sizes = [len(folder) for folder in folders if len(folder)]
        self._chances = torch.cat([torch.full((size,), 1 / size) for size in sizes]).to(self.device)
        self._shapes = torch.stack([self._patches.rows, self._patches.columns], 1).to(self.device)
        self.patch = patch

    def draw(self, recipe: DenoisingRecipe, generator: torch.Generator) -> Pair:
        """The crops of one step. The generator must be on the device."""
        count = recipe.batch_size
        chosen = torch.multinomial(self._chances, count, replacement=True, generator=generator)
        where = torch.rand(count, 2, generator=generator, device=self.device)
        rows, columns = (where * self._shapes[chosen]).long().unbind(1)
        clean = turned(self._patches.take(chosen, rows, columns), generator)
        sigma = self.levels(recipe, generator).reshape(-1, 1, 1, 1)
        level = self._uneven(recipe, generator)
        noise = torch.randn(clean.shape, generator=generator, device=self.device) * level
        return Pair(clean, noise, sigma, level)

    def levels(self, recipe: DenoisingRecipe, generator: torch.Generator) -> Tensor:
        """sigma, (B,)."""
        level, chance = torch.rand(2, recipe.batch_size, generator=generator, device=self.device)
        rare = recipe.sigma_high + (recipe.sigma_rare - recipe.sigma_high) * level
        sigma = torch.where(chance < recipe.rare, rare, recipe.sigma_high * level)
        sigma = torch.where(chance > 1 - recipe.faint, recipe.sigma_faint * level, sigma)
        return sigma.clamp_min(recipe.sigma_low)

    def _uneven(self, recipe: DenoisingRecipe, generator: torch.Generator) -> Tensor:
        """m: ones, or a slope in any direction by up to 0.6 at two opposite corners; (B, 1, p, p)."""
        count = recipe.batch_size
        angle, height, chance = torch.rand(3, count, 1, 1, generator=generator, device=self.device)
        height = 0.6 * height * (chance < recipe.uneven)
        angle *= 2 * math.pi
        along = torch.linspace(-1, 1, self.patch, device=self.device)
        slope: Tensor = (angle.cos() * along[:, None] + angle.sin() * along) / 2**0.5
        level: Tensor = 1 + height * slope
        return level[:, None]


class DenoisingTrainer(LearnerTraining[DenoisingRecipe]):
    """Training by denoising, with its state."""

    def __init__(
        self,
        start: UNet,
        recipe: DenoisingRecipe,
        source: PairSource,
        compiled: bool = False,
    ) -> None:
        """Args:
        start: The initial network, which is not changed.
        recipe: How it is trained.
        source: The source of crops.
        compiled: Use torch.compile, which is a fifth faster after a minute of compilation.
        """
        super().__init__(recipe, source.device, draws_on=source.device)
        self.source = source
        self.learner = Learner(start, recipe.lr, recipe.lr_ends, recipe.ema, self.device)
        self.learners = {"": self.learner}
        self._error: Callable[..., Tensor] = torch.compile(self._error_of) if compiled else self._error_of

    def step(self) -> Progress:
        """One step on fresh crops."""
        factor = pace(self.recipe, self.step_count)
        pair = self.source.draw(self.recipe, self.generator)
        loss = self._error(pair.clean, pair.noise, pair.sigma, pair.level)
        loss.backward()  # type: ignore[no-untyped-call]
        self.learner.update(factor, self.step_count)
        self.step_count += 1
        return Progress(self.step_count, self.recipe.lr * factor, {"loss": float(loss.detach())})

    def _error_of(self, clean: Tensor, noise: Tensor, sigma: Tensor, level: Tensor) -> Tensor:
        """The loss, for the members of a `Pair`."""
        dtype = torch.bfloat16 if self.recipe.bfloat16 else torch.float32
        z = clean / sigma + noise
        seen, slopes = self.unet(z, level, dtype)
        if self.recipe.gradient:
            seen = self.unet.transposed(seen, slopes, dtype)
        return weighted_rms((seen - noise) * sigma, sigma)

    @property
    def unet(self) -> UNet:
        """The current network."""
        return self.learner.network

    def trained(self) -> UNet:
        """A copy of the network as it would be shipped now: the moving average."""
        return self.learner.trained()


def weighted_rms(error: Tensor, sigma: Tensor) -> Tensor:
    """The loss of the module for errors (B, C, p, p) at levels sigma (B, 1, 1, 1), averaged over crops."""
    rms: Tensor = error.square().mean((1, 2, 3)).add(1e-8).sqrt()
    return (rms / sigma.flatten().sqrt()).mean()
