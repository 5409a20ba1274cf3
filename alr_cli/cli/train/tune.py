"""`alr tune`: bilevel training for a known kind of noise, with checkpoints that continue exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from alr_cli.cli.options.common import ReportOptions, expand_options
from alr_cli.cli.options.training import CriticOptions
from alr_cli.cli.options.tuning import TuningOptions, TuningPictures, TuningRun
from alr_cli.cli.ranks import this_rank
from alr_cli.cli.report.records import Report
from alr_cli.cli.train.prior_session import PriorSession
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.cli.train.session import check_outputs, checkpoint_of, resume
from alr_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from alr_cli.cli.train.inputs import TrainingData
    from alr_cli.core.priors.experts import Experts
    from alr_cli.core.training.bilevel import Tuner

MISSING = 0.8  # share of missing pixels with which weights for holes are validated


@dataclass(frozen=True)
class Start:
    """Where the tuning starts.

    Attributes:
        critic: The field of experts.
        lam: Its lambda(sigma).
        channels: Channels of its pictures.
        named: Where it comes from, for the description.
    """

    critic: Experts
    lam: Callable[[float], float]
    channels: int
    named: dict[str, str]


@expand_options
def tune(
    ctx: typer.Context,
    *,
    data: TuningPictures,
    tuning: TuningOptions,
    run: TuningRun,
    reports: ReportOptions,
) -> None:
    """Tune fields of experts until the minimiser of their energy is the best picture.

    This needs clean pictures, and noise of a known kind: white Gaussian noise,
    or, with --noisy-dir, noise as estimated in a folder of noisy pictures. The
    noisy pictures may show anything.

    Examples:

      alr tune --clean-dir clean/ -o tuned.safetensors
      alr tune --clean-dir clean/ --noisy-dir noisy/ -o mine.safetensors
      alr tune --clean-dir clean/ --gray --sigma 0.02:0.2 -o tuned.safetensors --resume
      alr tune --clean-dir clean/ -w color-tuned --holes 1 --coarser 72 -o holes.safetensors

    Minimises the logarithm of the mean squared error of x* = arg min E over
    the filters, their weights and lambda(sigma). With --holes 1 the crops have
    missing pixels instead of noise. The validation pictures measure the
    quality. Tuning takes twenty minutes on one core for gray pictures and an
    hour for colour pictures, or two minutes on a large GPU. Ctrl-C leaves a
    checkpoint, and --resume continues from it exactly.
    """
    output = Path(run.output)
    check_outputs(output, run)
    if this_rank().size > 1:
        raise UsageError("alr tune runs in one process: start it without torchrun")
    from alr_cli.cli.train import inputs

    start = _start(tuning)
    with Report(ctx.obj, reports) as report:
        pictures = inputs.load(data, CriticOptions(gray=start.channels == 1), report, "from-noisy-dir")
        tuner, description = prepare(start, pictures, data, tuning, run)
        if run.resume:
            resume(tuner, description, checkpoint_of(output), report)
        missing = MISSING if tuning.holes == 1 else None
        session = PriorSession(tuner, description, pictures, checkpoint_of(output), run, report, missing)
        with TrainingBar(report, tuner.iterations) as bar:
            session.train(bar)
        session.finish(output)


def _start(options: TuningOptions) -> Start:
    """Where the tuning starts. Raises WeightsError or UsageError for unusable weights."""
    from alr_cli.core.priors.experts import Experts, ExpertsArchitecture, ExpertsPrior
    from alr_cli.files.weights import load_weights

    if options.weights is None:
        critic = Experts(ExpertsArchitecture.usual(1 if options.gray else 3))
        wide = _widened(critic, options.coarser)
        return Start(wide, wide.usual_lam, wide.architecture.channels, {"start": "cosines"})
    found = load_weights(options.weights)
    if found.prior.kind != ExpertsPrior.kind:
        raise UsageError(
            f"{options.weights} is not a field of experts: leave -w out to start from cosine filters"
        )
    if options.gray and found.channels != 1:
        raise UsageError(f"{options.weights} is for colour pictures: leave --gray out")
    named = {"start": found.name, "start_sha256": found.sha256}
    experts = cast("Experts", found.prior.network)
    return Start(_widened(experts, options.coarser), found.lam, found.channels, named)


def _widened(critic: Experts, coarser: int | None) -> Experts:
    from alr_cli.core.priors.experts import with_coarser

    if coarser is None or coarser == critic.architecture.coarser:
        return critic
    if critic.architecture.coarser:
        raise UsageError("the weights have coarser filters already: leave --coarser out")
    try:
        return with_coarser(critic, coarser)
    except ValueError as error:
        raise UsageError(f"--coarser {coarser}: {error}") from error


def prepare(
    start: Start, pictures: TrainingData, data: TuningPictures, options: TuningOptions, run: TuningRun
) -> tuple[Tuner, dict[str, Any]]:
    """The tuner at step 0, and the description that its checkpoint and weights will carry."""
    from alr_cli.cli.train.inputs import describe, noise_metadata
    from alr_cli.core.numerics import devices
    from alr_cli.core.training.bilevel import Tuner, TuningRecipe
    from alr_cli.core.training.patches import PatchSource

    device = devices.choose(run.device)
    devices.set_threads(run.threads)
    smallest = min(min(picture.shape[:2]) for picture in pictures.clean.pictures)
    if smallest < options.crop:
        raise InputError(
            f"{data.clean_dir} has pictures of only {smallest} pixels: give --crop {smallest} or less, "
            "or skip them with --exclude"
        )
    recipe = TuningRecipe(
        iterations=options.iterations,
        batch_size=options.batch_size,
        side=options.crop,
        lr=options.lr,
        lr_final=options.lr / 25,
        sigma_low=pictures.levels[0],
        sigma_high=pictures.levels[1],
        holes=options.holes,
        bfloat16=run.precision == "bfloat16",
        seed=options.seed,
    )
    description = {
        "architecture": start.critic.architecture.as_dict(),
        "recipe": {**start.named, **recipe.as_dict()},
        "data": describe(pictures, data),
        "noise": noise_metadata(pictures),
    }
    source = PatchSource(pictures.clean.pictures, recipe.side)
    return Tuner(start.critic, start.lam, recipe, source, device, pictures.field), description
