"""min_theta E [ -m log p - (1 - m) log(1 - p) + w p (sqrt(C) ||y - d(y) - x|| / s(y) + C log s(y)) ]

p = 1 / (1 + exp(-l(y))) is the probability of a defect, d what it changes, and s the deviation of what is
below (defects/detector.py). Each picture y of the training is a clean crop x with drawn defects, of which the
defective pixels m are known (defects/drawing.py). Many crops have none. Some of these show stars, wires or
letters instead (defects/look_alikes.py). Before the defects are drawn, some crops become soft or gray, and
after that some become noisy or compressed, as scans are.

The last part is the likelihood of a Laplace distribution in C channels, in which single errors count less
than in a Gaussian. It counts where the detector sees a defect, and not only where there is one. Otherwise d
would trust it, and a pixel that it takes for a defect by mistake would be changed as if it were one.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

from alr_cli.core.defects.detector import OUTPUTS, SCALE, Detector, Seen, seen_of
from alr_cli.core.defects.drawing import TRAINED, Damaged, Floats, damaged, log_uniform
from alr_cli.core.defects.look_alikes import with_look_alikes
from alr_cli.core.priors.unet import UNet
from alr_cli.core.training.denoising import CropSource, DenoisingRecipe
from alr_cli.core.training.learner import Learner, LearnerTraining, pace
from alr_cli.core.training.stepwise import Progress

_ROUNDING = 1e-5  # added to squared errors, whose root has no slope at 0
_BLOCK = 8  # pixels per side of the blocks of JPEG


@dataclass(frozen=True)
class DefectRecipe:
    """How a detector is trained.

    Attributes:
        iterations: Number of steps.
        batch_size: Crops per step.
        patch: Side of the crops in pixels.
        lr, lr_ends: Step size of Muon, and of Adam for the first and last layer.
        warm_up, fall: Number of steps of a linear increase at the beginning and a linear decrease to zero at
            the end.
        ema: Decay of the moving average of the weights, which is the result.
        clean, look_alike: Shares of the crops without defects, and of those with look-alikes.
        fewest, most: Defects on a million pixels of the other crops, drawn log-uniformly.
        soft, gray, noisy, compressed: Shares of the crops that become so.
        blurs: Standard deviations of the blurs in pixels.
        noises: Standard deviations of the noise on [0,1], drawn log-uniformly.
        steps: Steps to which the cosines of compressed blocks are rounded, on [0,1], drawn log-uniformly.
        below: w.
        bfloat16: Run all layers except the first in bfloat16.
        seed: Random seed.
    """

    iterations: int = 6_000
    batch_size: int = 6
    patch: int = 112
    lr: float = 2e-3
    lr_ends: float = 4e-4
    warm_up: int = 50
    fall: int = 4_800
    ema: float = 0.998
    clean: float = 0.3
    look_alike: float = 0.12
    fewest: float = 80.0
    most: float = 3_000.0
    soft: float = 0.2
    gray: float = 0.2
    noisy: float = 0.25
    compressed: float = 0.1
    blurs: tuple[float, float] = (0.4, 1.3)
    noises: tuple[float, float] = (0.003, 0.03)
    steps: tuple[float, float] = (0.02, 0.2)
    below: float = 0.5
    bfloat16: bool = False
    seed: int = 0

    @property
    def crops(self) -> DenoisingRecipe:
        """How crops are drawn. Their noise is not used."""
        return DenoisingRecipe(batch_size=self.batch_size, patch=self.patch, uneven=0.0)

    def as_dict(self) -> dict[str, Any]:
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


class DefectTrainer(LearnerTraining[DefectRecipe]):
    """Training of a detector, with its state."""

    def __init__(self, start: UNet, recipe: DefectRecipe, source: CropSource) -> None:
        """Args:
        start: The initial network, which is not changed.
        recipe: How it is trained.
        source: The source of clean crops.
        """
        super().__init__(recipe, source.device, draws_on=source.device)
        self.source = source
        self.learner = Learner(start, recipe.lr, recipe.lr_ends, recipe.ema, self.device)
        self.learners = {"": self.learner}

    def step(self) -> Progress:
        """One step on fresh crops."""
        factor = pace(self.recipe, self.step_count)
        loss = self._error(*self._draw())
        loss.backward()  # type: ignore[no-untyped-call]
        self.learner.update(factor, self.step_count)
        self.step_count += 1
        return Progress(self.step_count, self.recipe.lr * factor, {"loss": float(loss.detach())})

    def trained(self) -> Detector:
        """A copy of the detector as it would be shipped now: the moving average."""
        return Detector(self.learner.trained())

    def _draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures y and x (B, 3, p, p), and the defective pixels (B, p, p), 0 or 1."""
        clean = self.source.draw(self.recipe.crops, self.generator).clean
        seed = torch.randint(1 << 62, (), generator=self.generator, device=self.device)
        rng = np.random.default_rng(int(seed))
        seen = [scanned(crop, self.recipe, rng) for crop in clean.permute(0, 2, 3, 1).cpu().numpy()]
        pixels, below = (
            torch.from_numpy(np.stack(each)).permute(0, 3, 1, 2).contiguous().to(self.device)
            for each in ([s.pixels for s in seen], [s.below for s in seen])
        )
        return pixels, below, torch.from_numpy(np.stack([s.defective for s in seen])).float().to(self.device)

    def _error(self, pixels: Tensor, below: Tensor, defective: Tensor) -> Tensor:
        """The loss, for what `_draw` returns."""
        dtype = torch.bfloat16 if self.recipe.bfloat16 else torch.float32
        outputs, _ = self.learner.network(pixels / SCALE, torch.ones_like(pixels[:, :1]), dtype)
        seen = seen_of(outputs)
        of_odds = functional.binary_cross_entropy_with_logits(seen.odds, defective)
        p = seen.odds.detach().sigmoid()
        return of_odds + self.recipe.below * (p * surprise(seen, pixels - below)).mean()


def surprise(seen: Seen, change: Tensor) -> Tensor:
    """-log of the likelihood of what defects changed, (B, C, H, W), up to a constant: (B, H, W)."""
    channels = change.shape[1]
    missed = (channels * (change - seen.change).square().sum(1) + _ROUNDING).sqrt()
    return missed / seen.deviation + channels * seen.deviation.log()


def first_network(start: UNet, seed: int) -> UNet:
    """The U-Net of a potential with a new last layer, so that its features are kept."""
    architecture = replace(start.architecture, outputs=OUTPUTS)
    network = UNet(architecture, torch.Generator().manual_seed(seed))
    kept = {name: value for name, value in start.state_dict().items() if name != "tail"}
    network.load_state_dict({**kept, "tail": network.tail.detach()})
    return network


@dataclass(frozen=True)
class Scanned(Damaged):
    """A picture of the training.

    Attributes:
        below: The same picture without the defects, (H, W, C).
    """

    below: Floats


def scanned(clean: Floats, recipe: DefectRecipe, rng: np.random.Generator) -> Scanned:
    """A picture (H, W, 3) of the training for a clean crop, rounded to 8 bits."""
    soft, gray, noisy, compressed = rng.random(4) < (
        recipe.soft,
        recipe.gray,
        recipe.noisy,
        recipe.compressed,
    )
    x = clean
    if soft:
        spread = rng.uniform(*recipe.blurs)
        x = np.asarray(gaussian_filter(x, (spread, spread, 0)))
    if gray:  # before anything is drawn, because nothing in a gray scan has a colour
        x = x.mean(axis=2, keepdims=True)
    kind = rng.random()
    if kind < recipe.look_alike:
        x = with_look_alikes(x, rng)
    count = 0
    if kind > recipe.look_alike + recipe.clean:
        area = x.shape[0] * x.shape[1] / 1e6
        count = max(1, int(rng.poisson(area * log_uniform((recipe.fewest, recipe.most), rng))))
    found = damaged(x, count, TRAINED, rng)
    grain = _grain(x.shape, recipe, rng) if noisy else np.float32(0)
    step = log_uniform(recipe.steps, rng) if compressed else 0.0
    stored = (_stored(y + grain, step) for y in (found.pixels, x))
    pixels, below = (np.broadcast_to(y, clean.shape) for y in stored)
    return Scanned(pixels, found.defective, below)


def _grain(shape: tuple[int, ...], recipe: DefectRecipe, rng: np.random.Generator) -> Floats:
    grain = rng.normal(0, log_uniform(recipe.noises, rng), shape)
    if rng.random() < 0.5:  # the grain of film is larger than a pixel
        grain = 2 * gaussian_filter(grain, (0.7, 0.7, 0))
    return np.asarray(grain, np.float32)


def _stored(y: Floats, step: float) -> Floats:
    """A picture after 8 bits, and compression if `step` is not 0."""
    y = rounded_blocks(y, step) if step else y
    return np.asarray(np.rint(255 * y.clip(0, 1)) / 255, np.float32)


def rounded_blocks(pixels: Floats, step: float) -> Floats:
    """The pixels after their blocks lost detail as in a JPEG file: cosines are rounded to multiples of
    `step`, fine ones more. Sides are multiples of 8."""
    height, width, channels = pixels.shape
    blocks = pixels.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, channels)
    waves = np.add.outer(np.arange(_BLOCK), np.arange(_BLOCK)) / _BLOCK
    steps = (step * (0.5 + waves))[:, None, :, None]
    cosines = dctn(blocks, axes=(1, 3), norm="ortho")
    return np.asarray(idctn(np.rint(cosines / steps) * steps, axes=(1, 3), norm="ortho")).reshape(
        pixels.shape
    )
