"""The methods of a benchmark: baselines by name, and ours once for each weights file of -w."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.bench.protocol import BY_NAME, OURS
from alr_cli.cli.options.common import ComputeOptions, ModelOptions
from alr_cli.cli.restore.models import Models
from alr_cli.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from alr_cli.bench.degradations import Observation
    from alr_cli.bench.runs import Contender
    from alr_cli.core.restore import Restorer
    from alr_cli.core.tasks import Task

SUFFIX = ".safetensors"


class Contenders:
    """The methods by their labels: `tv`; `ours`, or `ours NAME` if there are several weights."""

    def __init__(self, model: ModelOptions, compute: ComputeOptions) -> None:
        """-w may name several weights, and folders of weights, separated by commas. Raises UsageError or
        WeightsError."""
        texts = [None] if model.weights is None else _several(model.weights)
        names = [_name(text) for text in texts]
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise UsageError(f"-w names two weights called {twice[0]}: rename one of the files")
        labels = [OURS] if len(texts) == 1 else [f"{OURS} {name}" for name in names]
        self._texts = dict(zip(labels, texts, strict=True))
        self._models = {
            label: Models(replace(model, weights=text), compute) for label, text in self._texts.items()
        }

    def check(self) -> None:
        """Refuse unusable weights by their headers alone. Raises WeightsError."""
        for models in self._models.values():
            models.check()

    def labels(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The labels of methods in tables."""
        found: list[str] = []
        for name in names:
            found += self._models if name == OURS else [name]
        return tuple(found)

    def restorer(self, label: str, channels: int, held: bool = False, wide: bool = False) -> Restorer | None:
        """The restorer for a label; None for a baseline.

        Args:
            label: The label.
            channels: Channels of the picture.
            held: Whether pixels are missing and the others known exactly.
            wide: Whether a wide prior is used unless weights are named.

        Raises:
            ModelFailure: The weights cannot be used.
        """
        return self._models[label].restorer(channels, held, wide) if label in self._models else None

    def trained(self) -> dict[str, tuple[float, float]]:
        """The noise levels that the weights of each label were trained on. Raises WeightsError."""
        from alr_cli.files.weights import default_name, read_metadata

        found = {}
        for label, text in self._texts.items():
            low, high = read_metadata(text or default_name(3, wide=True))["sigma_range"]
            found[label] = (float(low), float(high))
        return found

    def for_observation(self, label: str, observation: Observation) -> Contender:
        """`contender` for the task and the noise of an observation."""
        return self.contender(label, observation.clean.shape[2], observation.task, observation.sigma)

    def contender(self, label: str, channels: int, task: Task, sigma: float) -> Contender:
        """A method that is ready to restore, and what its results depend on.

        Unless -w names weights, ours has those that the command of this task would use.
        """
        from alr_cli.bench import versions
        from alr_cli.bench.methods import ours
        from alr_cli.bench.methods.baselines import BASELINES
        from alr_cli.bench.runs import Contender

        restorer = self.restorer(label, channels, task.held(sigma), task.wide(sigma))
        if restorer is not None:
            identity = versions.identity_of(OURS, ours.dependencies(restorer))
            return Contender(partial(ours.restore, restorer), identity, restorer.weights.sha256)
        return Contender(BASELINES[label], versions.identity_of(label, _files(label)))


def _several(text: str) -> list[str]:
    found: list[str] = []
    for part in [text] if Path(text).is_file() else text.split(","):
        if Path(part).is_dir():
            files = sorted(str(path) for path in Path(part).glob(f"*{SUFFIX}"))
            if not files:
                raise WeightsError(f"the folder {part} contains no weights (*{SUFFIX}): name another with -w")
            found += files
        else:
            found.append(part)
    return list(dict.fromkeys(found))


def _name(text: str | None) -> str:
    return "" if text is None else Path(text).name.removesuffix(SUFFIX)


def _files(label: str) -> str | None:
    """The hash of the file that a baseline reads, if it reads one."""
    if label != BY_NAME["epll"].name:
        return None
    import hashlib

    from alr_cli.bench.methods.mixture import mixture_path
    from alr_cli.files.atomic import read_bytes

    return hashlib.sha256(read_bytes(mixture_path())).hexdigest()
