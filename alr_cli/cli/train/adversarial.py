"""`alr train --recipe adversarial`: Algorithm 1 of the paper on two folders."""

from __future__ import annotations

from alr_cli.cli.train import inputs
from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.prior_session import PriorSession


def prepare(asked: Asked) -> PriorSession:
    """Read the folders and return a session at step 0."""
    pictures = inputs.load(asked.data, asked.critic, asked.report)
    trainer, description = inputs.prepare(pictures, asked)
    return PriorSession(trainer, description, pictures, asked.checkpoint, asked.run, asked.report)
