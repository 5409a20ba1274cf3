"""`alr train --recipe reg`: the gradient of a regularizer, together with the denoiser it belongs to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.cropped import (
    ENDS,
    SIDE,
    CroppedSession,
    check,
    check_side,
    prepare_device,
    read_folders,
)
from alr_cli.cli.train.inputs import TrainingData, describe
from alr_cli.cli.train.potential import BATCH
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.cli.train.starts import first_networks
from alr_cli.core.training.calibration import psnr
from alr_cli.core.training.denoising import CropSource
from alr_cli.core.training.joint import JointRecipe, JointTrainer
from alr_cli.files.weights import save_weights

WIDTH, LR, EMA, DENOISER = 48, 6e-3, 0.999, 64
LEVELS = 1 / 255, 50 / 255  # default range of noise levels
PLAIN = 0.1, 0.5  # share of the steps that train D alone, with --init and without
FALL = 0.5  # share of the steps in which the step size falls


class JointSession(CroppedSession):
    """A training session that reports the PSNR of D, and how well G fits it."""

    joint: JointTrainer

    def validate(self, bar: TrainingBar) -> None:
        step, scores = self.trainer.step_count, self._scores()
        bar.validated(list(scores.values())[1]["psnr"])
        self.report.event({"event": "validation", "step": step, "levels": scores})
        told = ", ".join(
            f"{score['psnr']:.2f} dB and {score['misfit']:.2f} at sigma {sigma}"
            for sigma, score in scores.items()
        )
        self.report.say(f"step {step}: PSNR of D and relative misfit of G: {told}")

    def _scores(self) -> dict[str, dict[str, float]]:
        """For three levels, the PSNR of D, and ||s^2 G(D(z)) - (z - D(z))|| / ||z - D(z)||."""
        (low, high), prior = self.pictures.levels, self.joint.trained()
        clean, noise = self.validation.clean, self.validation.noise
        scores = {}
        for sigma in (low, (low * high) ** 0.5, high):
            regularizer, z = prior.at(sigma), clean + sigma * noise
            restored = regularizer.denoise(z)
            misfit = regularizer.value_and_grad(restored)[1] - (z - restored)
            relative = float(misfit.norm() / (z - restored).norm())
            scores[f"{sigma:.3g}"] = {"psnr": float(psnr(restored, clean).mean()), "misfit": relative}
        return scores

    def _finish(self, output: Path) -> None:
        """Write the weights in half precision. lambda is 2 / C at every level, as in training."""
        prior, (low, high) = self.joint.trained(), self.pictures.levels
        lam = prior.lam(low)
        metadata = {
            **self.description,
            "sigma_range": [low, high],
            "lam": [[sigma, lam] for sigma in dict.fromkeys((low, high))],
            "validation_psnr": {sigma: score["psnr"] for sigma, score in self._scores().items()},
        }
        prior.network.half()
        digest = save_weights(output, prior, metadata)
        psnrs = metadata["validation_psnr"]
        self.report.event({"event": "done", "output": str(output), "sha256": digest, "psnr": psnrs})
        self.report.say(f"wrote {output}: use it with -w {output}")


def prepare(asked: Asked) -> JointSession:
    """Read the folder and return a session at step 0. Raises UsageError, InputError or WeightsError."""
    check(asked.data, "reg")
    low, high = levels = asked.levels(LEVELS)
    kind, options, side = asked.kind, asked.recipe, asked.kind.size or SIDE
    start = first_networks(asked, WIDTH, DENOISER)
    check_side(side, max(unet.architecture.stride for unet in (start.denoiser, start.gradient)))
    clean, validation = read_folders(asked.data, asked.channels, side, asked.report)
    device, bfloat16 = prepare_device(asked.run)
    iterations, lr, usual = options.iterations or JointRecipe.iterations, options.lr or LR, JointRecipe()
    share = PLAIN[0] if kind.init else PLAIN[1]
    recipe = JointRecipe(
        iterations=iterations,
        plain=min(iterations, round(share * iterations) if kind.plain is None else kind.plain),
        batch_size=options.batch_size or BATCH,
        patch=side,
        weight=kind.joint_weight,
        update=not kind.fixed_denoiser,
        lr=lr,
        lr_ends=ENDS * lr,
        warm_up=min(usual.warm_up, iterations // 10),
        fall=round(FALL * iterations),
        ema=options.ema or EMA,
        sigma_low=low,
        sigma_high=high,
        sigma_faint=max(low, high / 5),
        bfloat16=bfloat16,
        seed=options.seed,
    )
    trainer = JointTrainer(start, recipe, CropSource([clean.pictures], side, device))
    pictures = TrainingData(clean, None, levels, validation)
    description: dict[str, Any] = {
        "architecture": trainer.trained().description,
        "recipe": {**recipe.as_dict(), "start": kind.init},
        "data": describe(pictures, asked.data),
    }
    session = JointSession(trainer, description, pictures, asked.checkpoint, asked.run, asked.report)
    session.joint, session.pixels = trainer, recipe.batch_size * side**2
    return session
