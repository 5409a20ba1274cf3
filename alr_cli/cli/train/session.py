"""One run of any training: checkpoints, validation, Ctrl-C, and writing the weights."""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol, Self

from alr_cli.cli.exits import Terminated
from alr_cli.cli.options.training import RunOptions
from alr_cli.cli.report.records import Report
from alr_cli.cli.train.progress import LABELS, TrainingBar
from alr_cli.errors import NonFiniteError, OutputError, UsageError, WeightsError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from alr_cli.cli.train.inputs import TrainingData
    from alr_cli.core.training.stepwise import Progress
    from alr_cli.core.training.workers import Workers


LENGTHS = "iterations", "warm_up", "fall"
"""Numbers of steps in a recipe that may change if a training is made longer."""


class Trains(Protocol):
    """The common interface of all trainers."""

    workers: Workers
    device: torch.device

    @property
    def step_count(self) -> int: ...
    @property
    def done(self) -> bool: ...
    @property
    def iterations(self) -> int: ...
    def step(self) -> Progress: ...
    def state(self) -> dict[str, Tensor]: ...
    def restore_state(self, state: dict[str, Tensor]) -> None: ...


class Session(ABC):
    """One run, from the current step of the trainer to its end or to Ctrl-C."""

    def __init__(
        self,
        trainer: Trains,
        description: dict[str, Any],
        pictures: TrainingData,
        checkpoint: Path,
        run: RunOptions,
        report: Report,
    ) -> None:
        self.trainer = trainer
        self.first = trainer.workers.rank == 0  # it writes and prints for all processes
        self.description = description
        self.pictures = pictures
        self.validation = pictures.validation.to(trainer.device)
        self.checkpoint = checkpoint
        self.run = run
        self.report = report
        self._saved = trainer.step_count if run.resume else None

    def train(self, bar: TrainingBar) -> None:
        """Step until the training is done.

        A signal takes effect between two steps, so that the checkpoint is complete. The exception carries a
        note on where the training stopped and how to continue.
        """
        with self._telling_where_it_stopped():
            self._train(bar)

    def _train(self, bar: TrainingBar) -> None:
        started, first = time.perf_counter(), self.trainer.step_count
        recent: list[Progress] = []
        with _HeldSignals() as signals:
            while not self.trainer.done:
                progress = self.trainer.step()
                recent.append(progress)
                bar.step(progress)
                if any(value != value for value in progress.measures.values()):  # NaN
                    raise NonFiniteError(
                        f"the training diverged at step {progress.step}; lower --lr, "
                        f"or resume from {self.checkpoint}"
                    )
                at_mark = progress.step % self.run.checkpoint_every == 0 or self.trainer.done
                asks = at_mark or progress.step % self._steps_between_questions == 0
                stop = self._agreed(signals.asked()) if asks else None
                if at_mark or stop is not None:
                    self.save_checkpoint()
                    rate = (self.trainer.step_count - first) / (time.perf_counter() - started)
                    self.log(recent, rate)
                    recent = []
                if stop is not None:
                    raise stop
                if progress.step % self.run.validate_every == 0 and not self.trainer.done and self.first:
                    with signals.at_once(), self._saved_if_stopped():
                        self.validate(bar)

    @contextmanager
    def _telling_where_it_stopped(self) -> Iterator[None]:
        try:
            yield
        except (KeyboardInterrupt, Terminated) as stop:
            stop.add_note(self._standing())
            raise

    def _standing(self) -> str:
        step, of_all = self.trainer.step_count, f"of {self.trainer.iterations}"
        if self._saved is None:
            return f"stopped at step {step} {of_all}, before the first checkpoint: start again"
        if self.trainer.done and self._saved == step:
            return f"stopped after all {step} steps, during the final measurements: --resume repeats these"
        behind = f"; the checkpoint is of step {self._saved}" if self._saved != step else ""
        return f"stopped at step {step} {of_all}{behind}: continue with --resume ({self.checkpoint})"

    @contextmanager
    def _saved_if_stopped(self) -> Iterator[None]:
        """Save a checkpoint if a signal arrives. Use this where the state of the training does not change."""
        try:
            yield
        except (KeyboardInterrupt, Terminated):
            self.save_checkpoint()
            raise

    @property
    def _steps_between_questions(self) -> int:
        """How often the workers agree on stopping. The message costs as much as a tenth of a step."""
        return 1 if self.trainer.workers.size == 1 else 10

    def save_checkpoint(self) -> None:
        from alr_cli.files.weights import CHECKPOINT, write_tensors

        state = self.trainer.state()
        if self.first:
            write_tensors(self.checkpoint, state, self.description, CHECKPOINT)
        self._saved = self.trainer.step_count

    def _agreed(self, stop: BaseException | None) -> BaseException | None:
        """The exception to raise if any worker received a signal. All workers stop after the same step."""
        if not self.trainer.workers.any(stop is not None):
            return None
        return stop or Terminated(signal.SIGTERM)

    def log(self, recent: list[Progress], rate: float) -> None:
        """Report the means since the last report, as a line and as JSON."""
        if not recent:
            return
        means = {
            name: sum(progress.measures[name] for progress in recent) / len(recent)
            for name in recent[-1].measures
        }
        step = recent[-1].step
        pace = self.pace(rate)
        self.report.event({"event": "step", "step": step, "lr": recent[-1].lr, **pace, **means})
        numbers = [f"{LABELS[name]} {value:.4g}" for name, value in means.items()]
        numbers += [f"{value:,.1f} {name.replace('_', ' ')}" for name, value in pace.items()]
        self.report.detail(f"step {step}: {', '.join(numbers)}")

    def pace(self, steps_per_second: float) -> dict[str, float]:
        """How fast it goes, by name."""
        return {"steps_per_second": steps_per_second}

    @abstractmethod
    def validate(self, bar: TrainingBar) -> None:
        """Measure what has been learned so far on the validation crops, and report it."""

    def finish(self, output: Path) -> None:
        """Write the weights."""
        if self.first:
            with self._telling_where_it_stopped():
                self._finish(output)

    @abstractmethod
    def _finish(self, output: Path) -> None:
        """Write the weights."""


def checkpoint_of(output: Path) -> Path:
    return output.with_name(output.name + ".checkpoint")


def check_outputs(output: Path, run: RunOptions) -> None:
    """Refuse outputs that cannot be written, before any work. Raises OutputError or WeightsError."""
    checkpoint = checkpoint_of(output)
    if not output.parent.is_dir():
        raise OutputError(f"the folder {output.parent} does not exist: make it first")
    if run.resume:
        if not checkpoint.is_file():
            raise WeightsError(f"there is no checkpoint {checkpoint} to resume: leave --resume out to start")
        return
    for path in (output, checkpoint):
        if path.exists() and not run.overwrite:
            raise OutputError(f"{path} exists: add --overwrite to start again, or --resume to continue")


def resume(trainer: Trains, description: dict[str, Any], checkpoint: Path, report: Report) -> None:
    """Load the checkpoint, to continue up to its number of iterations or beyond.

    Raises UsageError if it belongs to another recipe, critic or data.
    """
    from alr_cli.files.weights import CHECKPOINT, read_tensors

    state, found = read_tensors(checkpoint, CHECKPOINT)
    for part in ("architecture", "recipe", "data"):
        was, now = found.get(part, {}), description[part]
        longer = was.get("iterations", 0) < now.get("iterations", 0)
        for name in now:
            if was.get(name) != now[name] and not (longer and name in LENGTHS):
                raise UsageError(
                    f"{checkpoint} was made with another {part} ({name} {was.get(name)}, now {now[name]}): "
                    "give the options it was started with, or start again with --overwrite"
                )
    try:
        trainer.restore_state(state)
    except (KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{checkpoint} does not contain a complete training state ({error}): start again with --overwrite"
        ) from error
    report.say(f"resuming at step {trainer.step_count} of {trainer.iterations}")


class _HeldSignals:
    """Holds Ctrl-C and SIGTERM back until they are asked for. A second signal takes effect at once."""

    def __init__(self) -> None:
        self._received: list[int] = []
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {
            number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._received:
            raise KeyboardInterrupt
        self._received.append(number)

    def asked(self) -> BaseException | None:
        """The exception for the signal that was received, or None."""
        if not self._received:
            return None
        return KeyboardInterrupt() if self._received[0] == signal.SIGINT else Terminated(self._received[0])

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """A context in which signals take effect at once."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()
