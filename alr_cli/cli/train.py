"""`alr train`: Algorithm 1 on two folders, with checkpoints that continue exactly."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer

from alr_cli.cli.exits import Terminated
from alr_cli.cli.options import ReportOptions, expand_options
from alr_cli.cli.report import Report
from alr_cli.cli.train_options import CriticOptions, DataOptions, RecipeOptions, RunOptions
from alr_cli.cli.train_progress import TrainingBar
from alr_cli.errors import NonFiniteError, OutputError, UsageError, WeightsError

if TYPE_CHECKING:
    from alr_cli.cli.train_data import TrainingData
    from alr_cli.core.training import Progress, Trainer


@expand_options
def train(
    ctx: typer.Context,
    *,
    data: DataOptions,
    critic: CriticOptions,
    recipe: RecipeOptions,
    run: RunOptions,
    reports: ReportOptions,
) -> None:
    """Train a critic from a folder of clean and a folder of noisy pictures.

    The two need not show the same things: no pairs are used.

    Examples:

      alr train --clean-dir clean/ --noisy-dir noisy/ -o mine.safetensors
      alr train --clean-dir clean/ --sigma 0.05:0.3 -o mine.safetensors
      alr train --clean-dir clean/ -o mine.safetensors --resume

    Maximises, over patches z of 15 x 15 pixels,

      D = mean r(z noisy) - mean r(z clean) - mu mean (||grad r|| - 1)^2

    then fits lambda(sigma) on the validation pictures and writes both.
    Ctrl-C leaves a checkpoint, and --resume continues from it exactly.
    Use the result with -w mine.safetensors.
    """
    output = Path(run.output)
    checkpoint = output.with_name(output.name + ".checkpoint")
    _check_outputs(output, checkpoint, run)
    from alr_cli.cli import train_data

    with Report(ctx.obj, reports) as report:
        pictures = train_data.load(data, critic, report)
        trainer, description = train_data.prepare(pictures, data, critic, recipe, run)
        if run.resume:
            _resume(trainer, description, checkpoint, report)
        session = _Session(trainer, description, pictures, checkpoint, run, report)
        with TrainingBar(report, trainer.recipe.iterations) as bar:
            session.train(bar)
        session.finish(output)


class _Session:
    """One run from wherever the trainer stands to its end, or to the next Ctrl-C."""

    def __init__(
        self,
        trainer: Trainer,
        description: dict[str, Any],
        pictures: TrainingData,
        checkpoint: Path,
        run: RunOptions,
        report: Report,
    ) -> None:
        self.trainer = trainer
        self.description = description
        self.pictures = pictures
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
                if progress.objective != progress.objective:  # NaN
                    raise NonFiniteError(
                        f"the training diverged at step {progress.step}; lower --lr, "
                        f"or resume from {self.checkpoint}"
                    )
                stop = asked_to_stop()
                at_mark = progress.step % self.run.checkpoint_every == 0 or self.trainer.done
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
                if progress.step % self.run.validate_every == 0 and not self.trainer.done:
                    self.validate(bar)

    def save_checkpoint(self) -> None:
        from alr_cli.files.weights import CHECKPOINT, write_tensors

        write_tensors(self.checkpoint, self.trainer.state(), self.description, CHECKPOINT)

    def log(self, recent: list[Progress], rate: float) -> None:
        """A line of means since the last one, and the same as JSON where that was asked for."""
        if not recent:
            return
        fields = {
            name: sum(getattr(progress, name) for progress in recent) / len(recent)
            for name in ("objective", "wasserstein", "gradient_norm")
        }
        step = recent[-1].step
        self.report.event(
            {"event": "step", "step": step, "lr": recent[-1].lr, "steps_per_second": rate, **fields}
        )
        self.report.detail(
            f"step {step}: D {fields['objective']:.4f}, Wasserstein {fields['wasserstein']:.4f}, "
            f"gradient norm {fields['gradient_norm']:.3f}, {rate:.1f} steps/s"
        )

    def validate(self, bar: TrainingBar) -> None:
        """Restore the validation crops at the middle of the noise range, lambda by Lunz's rule."""
        sigma = (self.pictures.levels[0] * self.pictures.levels[1]) ** 0.5
        critic = self.trainer.trained().requires_grad_(False)
        validation = self.pictures.validation
        value = validation.quality(critic, sigma, validation.balance(critic, sigma))
        bar.validated(value)
        step = self.trainer.step_count
        self.report.event({"event": "validation", "step": step, "sigma": sigma, "psnr": value})
        self.report.say(f"step {step}: PSNR {value:.2f} dB at sigma {sigma:.3g} on the validation crops")

    def finish(self, output: Path) -> None:
        """Fit lambda(sigma), write the weights."""
        from alr_cli.cli.train_data import calibration_levels
        from alr_cli.files.weights import save_weights

        critic = self.trainer.trained().requires_grad_(False)
        sigmas = calibration_levels(*self.pictures.levels)
        self.report.say(f"fitting lambda at sigma {', '.join(f'{sigma:.3g}' for sigma in sigmas)}")
        validation, scores = self.pictures.validation, dict[str, float]()

        def fitted(sigma: float, lam: float) -> None:
            scores[f"{sigma:.4g}"] = quality = validation.quality(critic, sigma, lam)
            self.report.say(f"sigma {sigma:.3g}: lambda {lam:.4g}, PSNR {quality:.2f} dB")

        curve = validation.fit(critic, sigmas, fitted)
        metadata = {
            **self.description,
            "sigma_range": list(self.pictures.levels),
            "lam": [list(point) for point in curve.points],
            "validation_psnr": scores,
        }
        digest = save_weights(output, critic.cpu().to(memory_format=_contiguous()), metadata)  # type: ignore[call-overload]
        self.report.event({"event": "done", "output": str(output), "sha256": digest, "psnr": scores})
        self.report.say(f"wrote {output}: use it with -w {output}")


def _contiguous() -> Any:
    import torch

    return torch.contiguous_format


def _check_outputs(output: Path, checkpoint: Path, run: RunOptions) -> None:
    if not output.parent.is_dir():
        raise OutputError(f"the folder {output.parent} does not exist: make it first")
    if run.resume:
        if not checkpoint.is_file():
            raise WeightsError(f"there is no checkpoint {checkpoint} to resume: leave --resume out to start")
        return
    for path in (output, checkpoint):
        if path.exists() and not run.overwrite:
            raise OutputError(f"{path} exists: add --overwrite to start anew, or --resume to continue")


def _resume(trainer: Trainer, description: dict[str, Any], checkpoint: Path, report: Report) -> None:
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
    report.say(f"resuming at step {trainer.step_count} of {trainer.recipe.iterations}")


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
