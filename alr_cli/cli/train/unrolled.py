"""`alr train --recipe unrolled`: a few steps of gradient descent for one task, trained as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.cropped import (
    ENDS,
    SIDE,
    CroppedSession,
    architecture_of,
    check,
    check_channels,
    check_side,
    prepare_device,
    read_folders,
)
from alr_cli.cli.train.inputs import TrainingData, describe
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.core.priors.gradient_network import SCALE
from alr_cli.core.priors.slope import HasSlope, Slope
from alr_cli.core.priors.unet import UNet
from alr_cli.core.training.denoising import CropSource
from alr_cli.core.training.unrolled import UnrolledRecipe, UnrolledTrainer
from alr_cli.errors import UsageError
from alr_cli.files.weights import load_weights, save_weights

WIDTH = 48
FALL = 0.25  # share of the training steps in which the step size falls


class UnrolledSession(CroppedSession):
    """A training session that restores the validation crops by all steps of the descent."""

    unrolled: UnrolledTrainer

    def validate(self, bar: TrainingBar) -> None:
        before, after = self._psnr()
        bar.validated(after)
        step = self.trainer.step_count
        self.report.event({"event": "validation", "step": step, "psnr": after, "psnr_of_start": before})
        self.report.say(f"step {step}: PSNR {before:.2f} -> {after:.2f} dB on the validation crops")

    def _psnr(self) -> tuple[float, float]:
        """Of the start of the descent and of its result, in dB."""
        low, high = self.pictures.levels
        clean, noise = self.validation.clean, self.validation.noise
        return self.unrolled.quality(clean, noise, (low + high) / 2)

    def _finish(self, output: Path) -> None:
        """Write the weights in half precision. lambda is 2 / C at every level, which changes no step."""
        prior, (low, high) = self.unrolled.trained(), self.pictures.levels
        before, after = self._psnr()
        metadata = {
            **self.description,
            "sigma_range": [low, high],
            "lam": [[sigma, prior.lam(sigma)] for sigma in dict.fromkeys((low, high))],
            "validation_psnr": {f"{(low + high) / 2:.3g}": after},
        }
        prior.network.half()
        digest = save_weights(output, prior, metadata)
        done = {"event": "done", "output": str(output), "sha256": digest, "psnr": after}
        self.report.event({**done, "psnr_of_start": before})
        self.report.say(f"wrote {output} for {prior.task}: use it with -w {output}")


def prepare(asked: Asked) -> UnrolledSession:
    """Read the folder and return a session at step 0. Raises UsageError, InputError or WeightsError."""
    kind, options, channels = asked.kind, asked.recipe, asked.channels
    check(asked.data, "unrolled")
    usual = UnrolledRecipe(kind.task or "")
    low, high = levels = asked.levels((usual.sigma_low, usual.sigma_high))
    side = kind.size or SIDE
    start = _start(asked)
    check_side(side, start.unet.architecture.stride)
    clean, validation = read_folders(asked.data, channels, side, asked.report)
    device, bfloat16 = prepare_device(asked.run)
    iterations, lr = options.iterations or usual.iterations, options.lr or usual.lr
    recipe = UnrolledRecipe(
        task=usual.task,
        iterations=iterations,
        unroll=kind.unroll,
        batch_size=options.batch_size or usual.batch_size,
        patch=side,
        lr=lr,
        lr_ends=ENDS * lr,
        warm_up=min(usual.warm_up, iterations // 10),
        fall=round(FALL * iterations),
        ema=options.ema or usual.ema,
        sigma_low=low,
        sigma_high=high,
        bfloat16=bfloat16,
        seed=options.seed,
    )
    trainer = UnrolledTrainer(start, recipe, CropSource([clean.pictures], side, device))
    pictures = TrainingData(clean, None, levels, validation)
    description: dict[str, Any] = {
        "architecture": trainer.trained().description,
        "recipe": {**recipe.as_dict(), "start": kind.init},
        "data": describe(pictures, asked.data),
    }
    session = UnrolledSession(trainer, description, pictures, asked.checkpoint, asked.run, asked.report)
    session.unrolled, session.pixels = trainer, recipe.batch_size * side**2
    return session


def _start(asked: Asked) -> Slope:
    """G at the beginning. Raises UsageError or WeightsError."""
    init = asked.kind.init
    if init is None:
        random = torch.Generator().manual_seed(asked.recipe.seed)
        return Slope(UNet(architecture_of(asked, WIDTH), random), False, SCALE)
    prior = load_weights(init).prior
    if not isinstance(prior, HasSlope):
        raise UsageError(f"--init {init} has no gradient network: give color-reg, color-wide or your own")
    check_channels(init, prior.channels, asked.channels)
    return prior.slope
