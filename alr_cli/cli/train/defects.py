"""`alr train --recipe defects`: a network that finds dust, hairs and scratches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.cropped import (
    architecture_of,
    check,
    check_side,
    prepare_device,
    read_folders,
)
from alr_cli.cli.train.inputs import TrainingData, describe
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.cli.train.session import Session
from alr_cli.cli.train.starts import unet_of
from alr_cli.core.defects.drawing import MEASURED, damaged
from alr_cli.core.defects.marking import marked
from alr_cli.core.defects.scores import Scores
from alr_cli.core.priors.unet import UNet
from alr_cli.core.training.defects import DefectRecipe, DefectTrainer, first_network
from alr_cli.core.training.denoising import CropSource
from alr_cli.errors import UsageError
from alr_cli.files.weights import is_detector, load_detector, save_weights

WIDTH = 64
FALL = 0.8  # share of the steps in which the step size falls
ENDS = 0.2  # step size of the first and the last layer, relative to that of the others; the last one is new
EACH = 12  # defects on each validation crop


class DefectSession(Session):
    """A training session that looks for defects on the validation crops, and on these without defects."""

    defects: DefectTrainer

    def validate(self, bar: TrainingBar) -> None:
        scores, step = self._scores(), self.trainer.step_count
        self.report.event({"event": "validation", "step": step, **scores.as_dict()})
        self.report.say(f"step {step}: {scores} on the validation crops")

    def _scores(self) -> Scores:
        """One orientation is looked at, and the masks of crops are a little worse than those of pictures."""
        detector, rng, total = self.defects.trained(), np.random.default_rng(0), Scores()
        for crop in self.validation.clean.permute(0, 2, 3, 1).cpu().numpy():
            made = damaged(crop, EACH, MEASURED, rng)
            batch = torch.from_numpy(np.stack([made.pixels, crop])).permute(0, 3, 1, 2)
            dusty, clean = (
                marked(odds) for odds in detector.look(batch.to(self.trainer.device), (0,)).odds.cpu().numpy()
            )
            total += Scores.of(made.defective, dusty, clean)
        return total

    def _finish(self, output: Path) -> None:
        """Write the weights in half precision."""
        scores, detector = self._scores(), self.defects.trained()
        detector.network.half()
        metadata = {
            **self.description,
            "sigma_range": [0.0, self.defects.recipe.noises[1]],
            "lam": [],  # it is no prior
            "validation": scores.as_dict(),
        }
        digest = save_weights(output, detector, metadata)
        self.report.event({"event": "done", "output": str(output), "sha256": digest, **scores.as_dict()})
        self.report.say(f"wrote {output}: use it with alr inpaint --mask auto --detector {output}")


def prepare(asked: Asked) -> DefectSession:
    """Read the folder and return a session at step 0. Raises UsageError, InputError or WeightsError."""
    check(asked.data, "defects")
    if asked.critic.gray:
        raise UsageError("a detector is for colour and gray pictures alike: omit --gray")
    options, usual = asked.recipe, DefectRecipe()
    side, start = asked.kind.size or usual.patch, _start(asked)
    check_side(side, start.architecture.stride)
    clean, validation = read_folders(asked.data, asked.channels, side, asked.report)
    device, bfloat16 = prepare_device(asked.run)
    iterations, lr = options.iterations or usual.iterations, options.lr or usual.lr
    recipe = DefectRecipe(
        iterations=iterations,
        batch_size=options.batch_size or usual.batch_size,
        patch=side,
        lr=lr,
        lr_ends=ENDS * lr,
        warm_up=min(usual.warm_up, iterations // 10),
        fall=round(FALL * iterations),
        ema=options.ema or usual.ema,
        bfloat16=bfloat16,
        seed=options.seed,
    )
    trainer = DefectTrainer(start, recipe, CropSource([clean.pictures], side, device))
    pictures = TrainingData(clean, None, (0.0, 0.0), validation)
    description: dict[str, Any] = {
        "architecture": trainer.trained().description,
        "recipe": {**recipe.as_dict(), "start": asked.kind.init},
        "data": describe(pictures, asked.data),
    }
    session = DefectSession(trainer, description, pictures, asked.checkpoint, asked.run, asked.report)
    session.defects = trainer
    return session


def _start(asked: Asked) -> UNet:
    """The network at the beginning. Raises UsageError or WeightsError."""
    init, seed = asked.kind.init, asked.recipe.seed
    if init is None:
        return first_network(UNet(architecture_of(asked, WIDTH), torch.Generator().manual_seed(seed)), seed)
    if is_detector(init):
        return load_detector(init).network
    return first_network(unet_of(init, asked.channels), seed)
