"""A training of a prior: validation by restoring pictures, and weights with lambda(sigma)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from alr_cli.cli.options.training import RunOptions
from alr_cli.cli.report.records import Report
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.cli.train.session import Session, Trains

if TYPE_CHECKING:
    from alr_cli.cli.train.inputs import TrainingData
    from alr_cli.core.priors.protocol import StoredPrior
    from alr_cli.core.training.calibration import LambdaCurve


SHORT = 1000
"""Below this number of iterations a training counts as a trial, and lambda is fitted on fewer pixels."""


class TrainsPrior(Trains, Protocol):
    """The common interface of the trainers of priors."""

    @property
    def curve(self) -> LambdaCurve | None: ...
    def trained(self) -> StoredPrior: ...


class PriorSession(Session):
    """One run of the training of a prior."""

    trainer: TrainsPrior

    def __init__(
        self,
        trainer: TrainsPrior,
        description: dict[str, Any],
        pictures: TrainingData,
        checkpoint: Path,
        run: RunOptions,
        report: Report,
        missing: float | None = None,
    ) -> None:
        """`missing`: validate by filling in this share of the pixels instead of denoising."""
        super().__init__(trainer, description, pictures, checkpoint, run, report)
        self.missing = missing

    def validate(self, bar: TrainingBar) -> None:
        """Restore the validation crops: denoise at the middle of the noise range with lambda by Lunz's rule,
        or fill in pixels."""
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

    def _finish(self, output: Path) -> None:
        """Write the weights, with lambda(sigma) as learned, or fitted now."""
        from alr_cli.cli.train.inputs import calibration_levels
        from alr_cli.files.weights import save_weights

        prior = self.trainer.trained()
        validation, scores, levels = self.validation, dict[str, float](), 0

        def fitted(sigma: float, lam: float) -> None:
            scores[f"{sigma:.4g}"] = quality = validation.quality(prior, sigma, lam)
            count = f" ({len(scores)} of {levels})" if levels else ""
            self.report.say(f"sigma {sigma:.3g}: lambda {lam:.4g}, PSNR {quality:.2f} dB{count}")

        curve = self.trainer.curve
        if curve is None:
            sigmas = calibration_levels(*self.pictures.levels)
            levels, briefly = len(sigmas), ""
            if self.trainer.iterations < SHORT:
                validation, briefly = validation.smaller(), ", roughly, as the training was short"
            named = ", ".join(f"{sigma:.3g}" for sigma in sigmas)
            self.report.say(f"fitting lambda at sigma {named} on {len(validation.clean)} crops{briefly}")
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
