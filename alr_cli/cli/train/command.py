"""`alr train`: train a prior, with checkpoints that continue exactly."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import typer

from alr_cli.cli.options.common import ReportOptions, expand_options
from alr_cli.cli.options.training import CriticOptions, RecipeOptions, RunOptions
from alr_cli.cli.options.training_data import DataOptions
from alr_cli.cli.options.training_kind import KindOptions
from alr_cli.cli.ranks import this_rank
from alr_cli.cli.report.records import Report
from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.cli.train.recipes import RECIPES
from alr_cli.cli.train.session import check_outputs, checkpoint_of, resume


@expand_options
def train(
    ctx: typer.Context,
    *,
    data: DataOptions,
    critic: CriticOptions,
    kind: KindOptions,
    recipe: RecipeOptions,
    run: RunOptions,
    reports: ReportOptions,
) -> None:
    """Train a critic from a folder of clean and a folder of noisy pictures.

    The two folders need not show the same scenes: no pairs are used.

    Examples:

      alr train --clean-dir clean/ --noisy-dir noisy/ -o mine.safetensors
      alr train --clean-dir clean/ --sigma 0.05:0.3 -o mine.safetensors
      alr train --clean-dir clean/ -o mine.safetensors --resume
      alr train --recipe flow --size 32 --clean-dir aligned/ -o mine.safetensors
      alr train --recipe potential --clean-dir clean/ -o mine.safetensors
      alr train --recipe defects --init color-wide --clean-dir clean/ -o mine.safetensors
      alr train --recipe reg --init color-wide --clean-dir clean/ -o mine.safetensors
      alr train --recipe unrolled --task upscale:2 --init color-reg --clean-dir clean/ -o mine.safetensors

    Maximises, over patches z of 15 x 15 pixels,

      D = mean r(z noisy) - mean r(z clean) - mu mean (||grad r|| - 1)^2

    then fits lambda(sigma) on the validation pictures and writes both.

    With --recipe global the critic sees whole pictures
    (docs/guides/tomography.md).
    A flow instead maximises the likelihood of whole pictures of one kind, such
    as aligned faces (docs/guides/flows.md). A potential learns to denoise in
    one step (docs/notebook/wide.md). reg trains the gradient of a regularizer
    together with a denoiser, and unrolled a few steps of gradient descent for
    one task (docs/guides/gradient.md). defects trains no prior, but a detector
    of dust and scratches for alr inpaint (docs/guides/scans.md).

    Ctrl-C leaves a checkpoint, and --resume continues from it exactly. Use the
    result with -w mine.safetensors.

    Several processes, each with its own minibatches (docs/performance.md):

      torchrun --nproc-per-node 4 -m alr_cli train --clean-dir clean/ -o mine.safetensors
    """
    output = Path(run.output)
    check_outputs(output, run)
    if not this_rank().first:
        reports = replace(reports, quiet=True, verbose=False, json=False, report=None)
    with Report(ctx.obj, reports) as report:
        session = RECIPES[kind.recipe]()(Asked(data, critic, kind, recipe, run, report))
        trainer = session.trainer
        if run.resume:
            resume(trainer, session.description, checkpoint_of(output), report)
        with closing(trainer.workers), TrainingBar(report, trainer.iterations) as bar:
            session.train(bar)
        session.finish(output)
