"""`alr train --recipe post`: a U-Net that removes the artefacts of filtered backprojection."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from alr_cli.cli.options.training import RecipeOptions
from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.cropped import ENDS, check, check_side, prepare_device
from alr_cli.cli.train.inputs import describe
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.cli.train.scanned import LEVELS, SIDE, ScannedSession, read_squares
from alr_cli.cli.train.starts import first_unet
from alr_cli.core.training.calibration import psnr
from alr_cli.core.training.denoising import DenoisingRecipe
from alr_cli.core.training.postprocessing import Backprojections, PostProcessorTrainer
from alr_cli.core.training.reconstructions import scan_of
from alr_cli.errors import UsageError

WIDTH, BATCH, ITERATIONS, EMA = 32, 4, 4000, 0.995
FALL = 0.5  # share of the steps in which the step size falls
ONE = 1  # slice, which is enough for validation


class PostProcessorSession(ScannedSession):
    """A training session that reports the PSNR of slices of the validation folder."""

    post: PostProcessorTrainer
    source: Backprojections
    slices: Tensor

    def validate(self, bar: TrainingBar) -> None:
        prior, scores = self.post.trained(), dict[str, float]()
        for sigma in dict.fromkeys(self.pictures.levels):
            random = torch.Generator().manual_seed(0)
            rough = self.source.measured(self.slices, torch.full((1, 1, 1, 1), sigma), random)
            scores[f"{sigma:.3g}"] = float(psnr(prior.at(sigma).denoise(rough), self.slices).mean())
        bar.validated(min(scores.values()))
        step = self.trainer.step_count
        self.report.event({"event": "validation", "step": step, "psnr": scores})
        told = ", ".join(f"{value:.2f} dB at sigma {sigma}" for sigma, value in scores.items())
        self.report.say(f"step {step}: {told} on the validation slices")


def prepare(asked: Asked) -> PostProcessorSession:
    """Read the folders and return a session at step 0. Raises UsageError, InputError or WeightsError."""
    check(asked.data, "post")
    angles = asked.kind.angles
    if angles is None or not asked.critic.gray:
        raise UsageError("post is for gray slices from scans: give --gray and --geometry parallel:ANGLES")
    side, levels = asked.kind.size or SIDE, asked.levels(LEVELS)
    start = first_unet(asked, WIDTH)
    check_side(side, start.architecture.stride)
    data = asked.data
    squares = read_squares(data.clean_dir, data, 1, side, asked.report)
    held = squares if data.val_dir is None else read_squares(data.val_dir, data, 1, side, asked.report, ONE)
    device, bfloat16 = prepare_device(asked.run)
    recipe = _recipe(asked.recipe, side, levels, bfloat16)
    source = Backprojections(squares.pixels.to(device), scan_of(side, angles))
    trainer = PostProcessorTrainer(start, recipe, source)
    used = squares.used(levels)
    description: dict[str, Any] = {
        "architecture": trainer.trained().description,
        "recipe": {**recipe.as_dict(), "geometry": asked.kind.geometry, "start": asked.kind.init},
        "data": describe(used, data),
    }
    session = PostProcessorSession(trainer, description, used, asked.checkpoint, asked.run, asked.report)
    session.post, session.source, session.slices = trainer, source, held.pixels.to(device)
    return session


def _recipe(
    options: RecipeOptions, side: int, levels: tuple[float, float], bfloat16: bool
) -> DenoisingRecipe:
    iterations, usual = options.iterations or ITERATIONS, DenoisingRecipe()
    lr = options.lr or usual.lr
    return DenoisingRecipe(
        iterations=iterations,
        batch_size=options.batch_size or BATCH,
        patch=side,
        gradient=False,
        lr=lr,
        lr_ends=ENDS * lr,
        warm_up=min(usual.warm_up, iterations // 10),
        fall=round(FALL * iterations),
        ema=options.ema or EMA,
        sigma_low=levels[0],
        sigma_high=levels[1],
        bfloat16=bfloat16,
        seed=options.seed,
    )
