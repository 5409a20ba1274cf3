"""`alr train --recipe adversarial`: Algorithm 1 of the paper on two folders."""

from __future__ import annotations

from pathlib import Path

from alr_cli.cli.options.training import CriticOptions, KindOptions, RecipeOptions, RunOptions
from alr_cli.cli.options.training_data import DataOptions
from alr_cli.cli.report.records import Report
from alr_cli.cli.train import inputs
from alr_cli.cli.train.session import Session, checkpoint_of


def prepare(
    data: DataOptions,
    critic: CriticOptions,
    kind: KindOptions,
    recipe: RecipeOptions,
    run: RunOptions,
    report: Report,
) -> Session:
    """Read the folders and return a session at step 0."""
    pictures = inputs.load(data, critic, report)
    trainer, description = inputs.prepare(pictures, data, critic, recipe, run, report)
    return Session(trainer, description, pictures, checkpoint_of(Path(run.output)), run, report)
