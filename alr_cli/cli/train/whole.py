"""`alr train --recipe global`: a critic of whole pictures, between clean ones and plain reconstructions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from alr_cli.cli.options.training import CriticOptions, KindOptions, RecipeOptions, RunOptions
from alr_cli.cli.options.training_data import DataOptions
from alr_cli.cli.ranks import this_rank
from alr_cli.cli.report.records import Report
from alr_cli.cli.train.inputs import TrainingData, describe
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.cli.train.session import Session, checkpoint_of
from alr_cli.core.numerics import devices
from alr_cli.core.priors.global_critic import GlobalArchitecture
from alr_cli.core.training.adversarial import Recipe
from alr_cli.core.training.likelihood import at_size
from alr_cli.core.training.reconstructions import GlobalTrainer, Reconstructions, scan_of
from alr_cli.core.training.validation import Validation
from alr_cli.errors import InputError, UsageError
from alr_cli.files.folders import load_folder
from alr_cli.files.weights import save_weights

# as published, but for the step size, which falls to a tenth
SIDE, WIDTH, BATCH, ITERATIONS, LR, LR_FINAL, PENALTY = 128, 16, 16, 2500, 1e-4, 1e-5, 20.0
LEVELS = 0.02, 0.1  # default range of noise levels per pixel
FEWEST = 2


class ScannedSession(Session):
    """A training session for tomography. What is measured is how far the critic tells the two sides apart,
    because the validation crops of the other recipes are for denoising."""

    def validate(self, bar: TrainingBar) -> None:
        pass

    def _finish(self, output: Path) -> None:
        prior, curve = self.trainer.trained(), self.trainer.curve
        metadata = {
            **self.description,
            "sigma_range": list(self.pictures.levels),
            "lam": [] if curve is None else [list(point) for point in curve.points],
        }
        digest = save_weights(output, prior, metadata)
        self.report.event({"event": "done", "output": str(output), "sha256": digest})
        self.report.say(f"wrote {output}: use it with alr reconstruct -w {output}")


def prepare(
    data: DataOptions,
    critic: CriticOptions,
    kind: KindOptions,
    options: RecipeOptions,
    run: RunOptions,
    report: Report,
) -> Session:
    """Read the folder and return a session at step 0. Raises UsageError or InputError."""
    if data.noisy_dir is not None:
        raise UsageError("--noisy-dir belongs to --recipe adversarial: global simulates its measurements")
    if this_rank().size > 1:
        raise UsageError("a critic of whole pictures is trained in one process: start it without torchrun")
    angles, channels, side = kind.angles, 1 if critic.gray else 3, kind.size or SIDE
    if angles is not None and channels != 1:
        raise UsageError("--geometry parallel is for gray slices: add --gray")
    levels = data.levels if data.sigma is not None else LEVELS
    try:
        architecture = GlobalArchitecture(side, channels, critic.width or WIDTH)
    except ValueError as error:
        raise UsageError(f"--size {side}: {error}") from error
    folder = load_folder(Path(data.clean_dir), channels, side, data.exclude or (), data.black_and_white)
    for sentence in folder.skipped:
        report.warn(f"left out: {sentence}")
    if len(folder) < FEWEST:
        raise InputError(f"{data.clean_dir} has only one usable picture: give at least {FEWEST}")
    pictures = np.stack([at_size(picture, side) for picture in folder.pictures]).astype(np.float32) / 255
    device = devices.choose(run.device)
    devices.set_threads(run.threads)
    recipe = Recipe(
        iterations=options.iterations or ITERATIONS,
        batch_size=options.batch_size or BATCH,
        lr=options.lr or LR,
        lr_final=min(options.lr or LR, LR_FINAL),
        mu=PENALTY,
        one_sided=True,
        sigma_low=levels[0],
        sigma_high=levels[1],
        ema=options.ema,
        bfloat16=devices.precision_name(devices.choose_precision(run.precision, device)) == "bfloat16",
        seed=options.seed,
    )
    scan = None if angles is None else scan_of(side, angles)
    source = Reconstructions(torch.from_numpy(pictures), recipe, scan)
    trainer = GlobalTrainer(architecture, recipe, source, device)
    shown = [picture.transpose(1, 2, 0) for picture in pictures]
    validation = Validation.from_pictures(shown, count=4, side=side, per_picture=1)
    used = TrainingData(folder, None, levels, validation)
    description: dict[str, Any] = {
        "architecture": trainer.trained().description,
        "recipe": {**recipe.as_dict(), "geometry": kind.geometry},
        "data": describe(used, data),
    }
    session = Session if scan is None else ScannedSession
    return session(trainer, description, used, checkpoint_of(Path(run.output)), run, report)
