"""`alr train --recipe potential`: the energy of a U-Net, of which one gradient step denoises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alr_cli.cli.options.training import RecipeOptions
from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.cropped import (
    ENDS,
    SIDE,
    CroppedSession,
    check,
    check_side,
    prepare_device,
    read_folders,
)
from alr_cli.cli.train.inputs import TrainingData, describe
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.cli.train.starts import first_unet
from alr_cli.core.priors.potential import PotentialPrior
from alr_cli.core.training.calibration import psnr
from alr_cli.core.training.denoising import CropSource, DenoisingRecipe
from alr_cli.core.training.two_stages import TwoStageTrainer

WIDTH, BATCH, ITERATIONS, EMA = 64, 8, 20_000, 0.999
LEVELS = 1 / 255, 102 / 255  # default range of noise levels
FALL = 0.25  # share of the steps in which the step size falls


class PotentialSession(CroppedSession):
    """A training session that reports the PSNR of what the current stage trains."""

    potential: TwoStageTrainer

    def validate(self, bar: TrainingBar) -> None:
        low, high = self.pictures.levels
        clean, noise = self.validation.clean, self.validation.noise
        step, scores = self.trainer.step_count, dict[str, float]()
        for sigma in (low, (low * high) ** 0.5, high):
            restored = self.potential.denoised(clean + sigma * noise, sigma)
            scores[f"{sigma:.3g}"] = float(psnr(restored, clean).mean())
        middle = list(scores.values())[1]
        bar.validated(middle)
        self.report.event({"event": "validation", "step": step, "psnr": scores})
        told = ", ".join(f"{value:.2f} dB at sigma {sigma}" for sigma, value in scores.items())
        self.report.say(f"step {step}: {told} on the validation crops")


def prepare(asked: Asked) -> PotentialSession:
    """Read the folder and return a session at step 0. Raises UsageError or InputError."""
    check(asked.data, "a potential")
    low, high = asked.levels(LEVELS)
    start, side = first_unet(asked, WIDTH), asked.kind.size or SIDE
    check_side(side, start.architecture.stride)
    clean, validation = read_folders(asked.data, asked.channels, side, asked.report)
    device, bfloat16 = prepare_device(asked.run)
    recipe = replace(_recipe(asked.recipe, side, (low, high)), bfloat16=bfloat16)
    source, init = CropSource([clean.pictures], side, device), asked.kind.init
    trainer = TwoStageTrainer(start, recipe, source, (low, high), plain=init is None)
    pictures = TrainingData(clean, None, (low, high), validation)
    description: dict[str, Any] = {
        "architecture": {"kind": PotentialPrior.kind, **start.architecture.as_dict()},
        "recipe": {**recipe.as_dict(), "start": init},
        "data": describe(pictures, asked.data),
    }
    session = PotentialSession(trainer, description, pictures, asked.checkpoint, asked.run, asked.report)
    session.potential, session.pixels = trainer, recipe.batch_size * side**2
    return session


def _recipe(options: RecipeOptions, side: int, levels: tuple[float, float]) -> DenoisingRecipe:
    """Three kinds of crops: half of the range of levels for most, above it for some, little noise for
    others."""
    iterations, lr, (low, high) = options.iterations or ITERATIONS, options.lr, levels
    usual = DenoisingRecipe()
    return DenoisingRecipe(
        iterations=iterations,
        batch_size=options.batch_size or BATCH,
        patch=side,
        lr=lr or usual.lr,
        lr_ends=ENDS * (lr or usual.lr),
        warm_up=min(usual.warm_up, iterations // 10),
        fall=round(FALL * iterations),
        ema=options.ema or EMA,
        sigma_low=low,
        sigma_high=max(low, high / 2),
        sigma_rare=high,
        sigma_faint=max(low, high / 10),
        seed=options.seed,
    )
