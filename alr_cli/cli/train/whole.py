"""`alr train --recipe global`: a critic of whole pictures, between clean ones and plain reconstructions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alr_cli.cli.ranks import this_rank
from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.cropped import prepare_device
from alr_cli.cli.train.inputs import describe
from alr_cli.cli.train.prior_session import PriorSession
from alr_cli.cli.train.scanned import LEVELS, SIDE, ScannedSession, read_sinograms, read_squares
from alr_cli.core.priors.global_critic import GlobalArchitecture
from alr_cli.core.training.adversarial import Recipe
from alr_cli.core.training.reconstructions import GlobalTrainer, MeasuredSlices, Reconstructions, scan_of
from alr_cli.errors import UsageError

LEAST = 0.1  # smallest share of the artefacts of a scan
# as published, but for the step size, which falls to a tenth
WIDTH, BATCH, ITERATIONS, LR, FALL, PENALTY = 16, 16, 2500, 1e-4, 0.1, 20.0
DENOISED = 0.02, 0.1  # default range of noise levels of pictures


def prepare(asked: Asked) -> PriorSession:
    """Read the folder and return a session at step 0. Raises UsageError or InputError."""
    data, kind, options = asked.data, asked.kind, asked.recipe
    if data.noisy_dir is not None and kind.angles is None:
        raise UsageError(
            "with --recipe global, --noisy-dir has sinograms: give --geometry parallel:ANGLES as well"
        )
    if this_rank().size > 1:
        raise UsageError("a critic of whole pictures is trained in one process: start it without torchrun")
    angles, channels, side = kind.angles, asked.channels, kind.size or SIDE
    if angles is not None and channels != 1:
        raise UsageError("--geometry parallel is for gray slices: add --gray")
    usual = DENOISED if angles is None else LEVELS
    levels, measured = asked.levels(usual), None
    if data.noisy_dir is not None and angles is not None:
        measured = read_sinograms(Path(data.noisy_dir), angles, side)
        levels = measured.levels
    try:
        architecture = GlobalArchitecture(side, channels, asked.critic.width or WIDTH)
    except ValueError as error:
        raise UsageError(f"--size {side}: {error}") from error
    squares = read_squares(data.clean_dir, data, channels, side, asked.report)
    device, bfloat16 = prepare_device(asked.run)
    recipe = Recipe(
        iterations=options.iterations or ITERATIONS,
        batch_size=options.batch_size or BATCH,
        lr=options.lr or LR,
        lr_final=FALL * (options.lr or LR),
        mu=PENALTY,
        one_sided=True,
        normalise=angles is not None and measured is None,
        sigma_low=levels[0],
        sigma_high=levels[1],
        ema=options.ema,
        bfloat16=bfloat16,
        seed=options.seed,
    )
    scan = None if angles is None else scan_of(side, angles)
    simulated = Reconstructions(squares.pixels, recipe, scan, LEAST)
    source = simulated if measured is None else MeasuredSlices(squares.pixels, measured.slices)
    trainer = GlobalTrainer(architecture, recipe, source, device)
    used = squares.used(levels)
    description: dict[str, Any] = {
        "architecture": trainer.trained().description,
        "recipe": {**recipe.as_dict(), "geometry": kind.geometry},
        "data": {**describe(used, data), "sinograms": None if measured is None else measured.digest},
    }
    session = PriorSession if scan is None else ScannedSession
    return session(trainer, description, used, asked.checkpoint, asked.run, asked.report)
