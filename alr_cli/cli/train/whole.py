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
from alr_cli.cli.train.starts import first_critic
from alr_cli.core.priors.global_critic import GlobalArchitecture
from alr_cli.core.training.adversarial import Recipe
from alr_cli.core.training.own_reconstructions import OwnReconstructions
from alr_cli.core.training.reconstructions import (
    GlobalTrainer,
    MeasuredSlices,
    Reconstructions,
    Sides,
    scan_of,
)
from alr_cli.errors import UsageError

LEAST = 0.1  # smallest share of the artefacts of a scan
# as published, but for the step size, which falls to a tenth
WIDTH, BATCH, ITERATIONS, LR, FALL, PENALTY = 16, 16, 2500, 1e-4, 0.1, 20.0
DENOISED = 0.02, 0.1  # default range of noise levels of pictures


def prepare(asked: Asked) -> PriorSession:
    """Read the folder and return a session at step 0. Raises UsageError, InputError or WeightsError."""
    data, kind, options = asked.data, asked.kind, asked.recipe
    if data.noisy_dir is not None and kind.angles is None:
        raise UsageError(
            "with --recipe global, --noisy-dir has sinograms: give --geometry parallel:ANGLES as well"
        )
    if data.noisy_dir is not None and kind.own is not None:
        raise UsageError(
            "--own needs scans of the clean slices, which are simulated: leave --noisy-dir or --own out"
        )
    if this_rank().size > 1:
        raise UsageError("a critic of whole pictures is trained in one process: start it without torchrun")
    first = first_critic(asked)
    side = kind.size or (SIDE if first is None else first.architecture.side)
    angles, channels = kind.angles, asked.channels
    if angles is not None and channels != 1:
        raise UsageError("--geometry parallel is for gray slices: add --gray")
    usual = DENOISED if angles is None else LEVELS
    levels, measured = asked.levels(usual), None
    if data.noisy_dir is not None and angles is not None:
        measured = read_sinograms(Path(data.noisy_dir), angles, side)
        levels = measured.levels
    try:
        usual_width = WIDTH if first is None else first.architecture.width
        architecture = GlobalArchitecture(side, channels, asked.critic.width or usual_width)
    except ValueError as error:
        raise UsageError(f"--size {side}: {error}") from error
    if first is not None and first.architecture != architecture:
        raise UsageError(f"--init {kind.init} has another size or width: leave --size and --width out")
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
    source: Sides
    strength = 1.0 if kind.strength is None else kind.strength
    if measured is not None:
        source = MeasuredSlices(squares.pixels, measured.slices, strength)
    else:
        simulated = Reconstructions(squares.pixels, recipe, scan, LEAST, strength)
        source = simulated if kind.own is None else OwnReconstructions(simulated, kind.own)
    trainer = GlobalTrainer(architecture, recipe, source, device, first)
    used = squares.used(levels)
    description: dict[str, Any] = {
        "architecture": trainer.trained().description,
        "recipe": {
            **recipe.as_dict(),
            "geometry": kind.geometry,
            "start": kind.init,
            "own": kind.own,
            "strength": kind.strength,
        },
        "data": {**describe(used, data), "sinograms": None if measured is None else measured.digest},
    }
    session = PriorSession if scan is None else ScannedSession
    return session(trainer, description, used, asked.checkpoint, asked.run, asked.report)
