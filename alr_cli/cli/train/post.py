"""`alr train --recipe post`: a U-Net that removes the artefacts of filtered backprojection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from alr_cli.cli.options.training import CriticOptions, KindOptions, RecipeOptions, RunOptions
from alr_cli.cli.options.training_data import DataOptions
from alr_cli.cli.report.records import Report
from alr_cli.cli.train.cropped import ENDS, check, check_side, prepare_device
from alr_cli.cli.train.inputs import describe
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.cli.train.reg import unet_of
from alr_cli.cli.train.scanned import LEVELS, SIDE, ScannedSession, read_squares
from alr_cli.cli.train.session import checkpoint_of
from alr_cli.core.priors.unet import UNet, UNetArchitecture
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


def prepare(
    data: DataOptions,
    critic: CriticOptions,
    kind: KindOptions,
    options: RecipeOptions,
    run: RunOptions,
    report: Report,
) -> PostProcessorSession:
    """Read the folders and return a session at step 0. Raises UsageError, InputError or WeightsError."""
    check(data, "post")
    if kind.angles is None or not critic.gray:
        raise UsageError("post is for gray slices from scans: give --gray and --geometry parallel:ANGLES")
    side, levels = kind.size or SIDE, data.levels if data.sigma is not None else LEVELS
    start = _start(kind, critic, options.seed)
    check_side(side, start.architecture.stride)
    squares = read_squares(data.clean_dir, data, 1, side, report)
    held = squares if data.val_dir is None else read_squares(data.val_dir, data, 1, side, report, ONE)
    device, bfloat16 = prepare_device(run)
    recipe = _recipe(options, side, levels, bfloat16)
    source = Backprojections(squares.pixels.to(device), scan_of(side, kind.angles))
    trainer = PostProcessorTrainer(start, recipe, source)
    used = squares.used(levels)
    description: dict[str, Any] = {
        "architecture": trainer.trained().description,
        "recipe": {**recipe.as_dict(), "geometry": kind.geometry, "start": kind.init},
        "data": describe(used, data),
    }
    session = PostProcessorSession(trainer, description, used, checkpoint_of(Path(run.output)), run, report)
    session.post, session.source, session.slices = trainer, source, held.pixels.to(device)
    return session


def _start(kind: KindOptions, critic: CriticOptions, seed: int) -> UNet:
    """The network at the beginning. Raises UsageError or WeightsError."""
    if kind.init is not None:
        return unet_of(kind.init, channels=1)
    try:
        architecture = UNetArchitecture.of_width(1, critic.width or WIDTH)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return UNet(architecture, torch.Generator().manual_seed(seed))


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
