"""One run of a training, whatever is trained: checkpoints, validation, Ctrl-C, and the weights at its end."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from alr_cli.cli.exits import Terminated
from alr_cli.cli.options.training import RunOptions
from alr_cli.cli.report.records import Report
from alr_cli.cli.train.progress import LABELS, TrainingBar
from alr_cli.errors import NonFiniteError, OutputError, UsageError, WeightsError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from alr_cli.cli.train.inputs import TrainingData
    from alr_cli.core.priors.protocol import StoredPrior
    from alr_cli.core.training.adversarial import Progress
    from alr_cli.core.training.calibration import LambdaCurve
    from alr_cli.core.training.workers import Workers


class Trains(Protocol):
    """What `Trainer` and `Tuner` share."""

    step_count: int
    workers: Workers
    device: torch.device

    @property
    def done(self) -> bool: ...
    @property
    def iterations(self) -> int: ...
    @property
    def curve(self) -> LambdaCurve | None: ...
    def step(self) -> Progress: ...
    def trained(self) -> StoredPrior: ...
    def state(self) -> dict[str, Tensor]: ...
    def restore_state(self, state: dict[str, Tensor]) -> None: ...


class Session:
    """One run from wherever the trainer stands to its end, or to the next Ctrl-C."""

    def __init__(
        self,
        trainer: Trains,
        description: dict[str, Any],
        pictures: TrainingData,
        checkpoint: Path,
        run: RunOptions,
        report: Report,
        missing: float | None = None,
    ) -> None:
        """missing: validate by filling so large a share of the pixels, instead of denoising."""
        self.trainer = trainer
        self.missing = missing
        self.first = trainer.workers.rank == 0  # it writes and speaks for all
        self.description = description
        self.pictures = pictures
        self.validation = pictures.validation.to(trainer.device)
        self.checkpoint = checkpoint
        self.run = run
        self.report = report

    def train(self, bar: TrainingBar) -> None:
        """Step until done. A signal is obeyed between two steps, so that the checkpoint is whole."""
        started, first = time.perf_counter(), self.trainer.step_count
        recent: list[Progress] = []
        with _signals_between_steps() as asked_to_stop:
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
                stop = self._agreed(asked_to_stop()) if asks else None
                if at_mark or stop is not None:
                    self.save_checkpoint()
                    rate = (self.trainer.step_count - first) / (time.perf_counter() - started)
                    self.log(recent, rate)
                    recent = []
                if stop is not None:
                    self.report.say(
                        f"stopped at step {progress.step}: continue with --resume ({self.checkpoint})"
                    )
                    raise stop
                if progress.step % self.run.validate_every == 0 and not self.trainer.done and self.first:
                    self.validate(bar)

    @property
    def _steps_between_questions(self) -> int:
        """Whether to stop is a message between workers, which costs as much as a tenth of a step."""
        return 1 if self.trainer.workers.size == 1 else 10

    def save_checkpoint(self) -> None:
        from alr_cli.files.weights import CHECKPOINT, write_tensors

        state = self.trainer.state()
        if self.first:
            write_tensors(self.checkpoint, state, self.description, CHECKPOINT)

    def _agreed(self, stop: BaseException | None) -> BaseException | None:
        """What any of the workers was asked: all stop after the same step, or none."""
        if not self.trainer.workers.any(stop is not None):
            return None
        return stop or Terminated(signal.SIGTERM)

    def log(self, recent: list[Progress], rate: float) -> None:
        """A line of means since the last one, and the same as JSON where that was asked for."""
        if not recent:
            return
        means = {
            name: sum(progress.measures[name] for progress in recent) / len(recent)
            for name in recent[-1].measures
        }
        step = recent[-1].step
        self.report.event(
            {"event": "step", "step": step, "lr": recent[-1].lr, "steps_per_second": rate, **means}
        )
        numbers = ", ".join(f"{LABELS[name]} {value:.4g}" for name, value in means.items())
        self.report.detail(f"step {step}: {numbers}, {rate:.1f} steps/s")

    def validate(self, bar: TrainingBar) -> None:
        """Restore the validation crops: at the middle of the noise range, lambda by Lunz's rule, or their
        missing pixels."""
        sigma = (self.pictures.levels[0] * self.pictures.levels[1]) ** 0.5
        prior = self.trainer.trained()
        if self.missing is not None:
            bar.validated(self._filled(prior, self.missing))
            return
        validation = self.validation
        value = validation.quality(prior, sigma, validation.balance(prior, sigma))
        bar.validated(value)
        step = self.trainer.step_count
        self.report.event({"event": "validation", "step": step, "sigma": sigma, "psnr": value})
        self.report.say(f"step {step}: PSNR {value:.2f} dB at sigma {sigma:.3g} on the validation crops")

    def _filled(self, prior: StoredPrior, share: float) -> float:
        value, step = self.validation.filled(prior, share), self.trainer.step_count
        self.report.event({"event": "validation", "step": step, "missing": share, "psnr": value})
        of_them = f"{100 * share:g} % of them missing"
        self.report.say(f"step {step}: PSNR {value:.2f} dB on the validation crops, {of_them}")
        return value

    def finish(self, output: Path) -> None:
        """Write the weights, with lambda(sigma) as it was learned, or else fitted now."""
        if not self.first:
            return
        from alr_cli.cli.train.inputs import calibration_levels
        from alr_cli.files.weights import save_weights

        prior = self.trainer.trained()
        validation, scores = self.validation, dict[str, float]()

        def fitted(sigma: float, lam: float) -> None:
            scores[f"{sigma:.4g}"] = quality = validation.quality(prior, sigma, lam)
            self.report.say(f"sigma {sigma:.3g}: lambda {lam:.4g}, PSNR {quality:.2f} dB")

        curve = self.trainer.curve
        if curve is None:
            sigmas = calibration_levels(*self.pictures.levels)
            self.report.say(f"fitting lambda at sigma {', '.join(f'{sigma:.3g}' for sigma in sigmas)}")
            curve = validation.fit(prior, sigmas, fitted)
        elif self.missing is not None:
            scores[f"{100 * self.missing:g} % missing"] = self._filled(prior, self.missing)
        else:
            for sigma, lam in curve.points:
                fitted(sigma, lam)
        metadata = {
            **self.description,
            "sigma_range": list(self.pictures.levels),
            "lam": [list(point) for point in curve.points],
            "validation_psnr": scores,
        }
        digest = save_weights(output, prior, metadata)
        self.report.event({"event": "done", "output": str(output), "sha256": digest, "psnr": scores})
        self.report.say(f"wrote {output}: use it with -w {output}")


def checkpoint_of(output: Path) -> Path:
    return output.with_name(output.name + ".checkpoint")


def check_outputs(output: Path, run: RunOptions) -> None:
    """Raises OutputError or WeightsError before any work."""
    checkpoint = checkpoint_of(output)
    if not output.parent.is_dir():
        raise OutputError(f"the folder {output.parent} does not exist: make it first")
    if run.resume:
        if not checkpoint.is_file():
            raise WeightsError(f"there is no checkpoint {checkpoint} to resume: leave --resume out to start")
        return
    for path in (output, checkpoint):
        if path.exists() and not run.overwrite:
            raise OutputError(f"{path} exists: add --overwrite to start anew, or --resume to continue")


def resume(trainer: Trains, description: dict[str, Any], checkpoint: Path, report: Report) -> None:
    """Load the checkpoint. Raises UsageError if it belongs to another recipe, critic or data."""
    from alr_cli.files.weights import CHECKPOINT, read_tensors

    state, found = read_tensors(checkpoint, CHECKPOINT)
    for part in ("architecture", "recipe", "data"):
        was, now = found.get(part, {}), description[part]
        for name in now:
            if was.get(name) != now[name]:
                raise UsageError(
                    f"{checkpoint} was made with another {part} ({name} {was.get(name)}, now {now[name]}): "
                    "give the options it was started with, or start anew with --overwrite"
                )
    try:
        trainer.restore_state(state)
    except (KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{checkpoint} does not hold a whole training state; start anew ({error})"
        ) from error
    report.say(f"resuming at step {trainer.step_count} of {trainer.iterations}")


@contextmanager
def _signals_between_steps() -> Iterator[Callable[[], BaseException | None]]:
    """Hold Ctrl-C and SIGTERM back: the yielded question answers with the exception to raise, or None."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if received:  # asked twice: at once
            raise KeyboardInterrupt
        received.append(number)

    def question() -> BaseException | None:
        if not received:
            return None
        return KeyboardInterrupt() if received[0] == signal.SIGINT else Terminated(received[0])

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield question
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
