"""What `alr train` was asked for: its groups of options, and where to report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from alr_cli.cli.options.training import CriticOptions, RecipeOptions, RunOptions
from alr_cli.cli.options.training_data import DataOptions
from alr_cli.cli.options.training_kind import KindOptions
from alr_cli.cli.report.records import Report
from alr_cli.cli.train.session import checkpoint_of


@dataclass(frozen=True)
class Asked:
    """The options of one training. A recipe reads those that concern it."""

    data: DataOptions
    critic: CriticOptions
    kind: KindOptions
    recipe: RecipeOptions
    run: RunOptions
    report: Report

    @property
    def channels(self) -> int:
        """1 for gray pictures, 3 for colour."""
        return 1 if self.critic.gray else 3

    @property
    def checkpoint(self) -> Path:
        """Where the training can be continued from."""
        return checkpoint_of(Path(self.run.output))

    def levels(self, usual: tuple[float, float]) -> tuple[float, float]:
        """The lowest and the highest noise level on [0,1]: those of --sigma, or the usual ones."""
        return self.data.levels if self.data.sigma is not None else usual
