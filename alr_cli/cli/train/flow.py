"""`alr train --recipe flow`: maximum likelihood on the pictures of one folder, reduced to one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from alr_cli.cli.ranks import this_rank
from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.cropped import load_folders, prepare_device
from alr_cli.cli.train.inputs import TrainingData, describe
from alr_cli.cli.train.prior_session import PriorSession
from alr_cli.cli.train.progress import TrainingBar
from alr_cli.core.priors.flow import FlowPrior
from alr_cli.core.priors.glow import GlowArchitecture
from alr_cli.core.training.likelihood import LikelihoodRecipe, LikelihoodTrainer, at_size, bits_per_dimension
from alr_cli.core.training.validation import Validation
from alr_cli.errors import InputError, OutputError, UsageError
from alr_cli.files.atomic import write_atomic
from alr_cli.files.folders import PictureFolder
from alr_cli.files.pictures import Picture, encode
from alr_cli.files.weights import save_weights

WIDTH, SIZE, BATCH, ITERATIONS, EMA, LR = 64, 32, 32, 4000, 0.998, 1e-3
FEWEST = 64  # pictures; a density learned from fewer would memorise them
EVERY = 30  # one in so many pictures is held out if there is no validation folder
# of the grid of samples; slightly shorter latents give more likely pictures
ROWS, COLUMNS, TEMPERATURE = 4, 8, 0.7


class FlowSession(PriorSession):
    """A training session that validates by bits per dimension of held-out pictures, and writes samples to
    look at."""

    likelihood: LikelihoodTrainer
    unseen: Tensor  # (n, C, size, size) uint8

    def validate(self, bar: TrainingBar) -> None:
        bits = bits_per_dimension(self._prior.network, self.unseen)
        step = self.trainer.step_count
        self.report.event({"event": "validation", "step": step, "bits_per_dimension": bits})
        self.report.say(f"step {step}: {bits:.3f} bits per dimension of held-out pictures")

    def finish(self, output: Path) -> None:
        """Write the weights in half precision, with lambda(sigma) fitted at both ends of the range, and the
        samples."""
        prior, (low, high) = self._prior, self.pictures.levels
        prior.network.half().float()  # as they will be after reading
        bits = bits_per_dimension(prior.network, self.unseen)
        curve = self.validation.fit(prior, [low, high] if low < high else [low])
        metadata = {
            **self.description,
            "sigma_range": [low, high],
            "lam": [list(point) for point in curve.points],
            "bits_per_dimension": bits,
            "validation_psnr": {f"{s:.4g}": self.validation.quality(prior, s, curve(s)) for s in (low, high)},
        }
        samples = samples_of(output)
        write_atomic(samples, _grid(prior))
        prior.network.half()
        digest = save_weights(output, prior, metadata)
        done = {"event": "done", "output": str(output), "sha256": digest, "bits_per_dimension": bits}
        self.report.event(done)
        self.report.say(
            f"wrote {output}, {bits:.3f} bits per dimension: use it with -w {output}, look at {samples}"
        )

    @property
    def _prior(self) -> FlowPrior:
        return self.likelihood.trained()


def samples_of(output: Path) -> Path:
    return output.with_name(output.name.removesuffix(".safetensors") + ".samples.png")


def prepare(asked: Asked) -> FlowSession:
    """Read the folder and return a session at step 0. Raises UsageError, InputError or OutputError."""
    data, kind, recipe, run = asked.data, asked.kind, asked.recipe, asked.run
    if data.noisy_dir is not None:
        raise UsageError(
            "--noisy-dir belongs to --recipe adversarial: a flow learns from clean pictures only"
        )
    if this_rank().size > 1:
        raise UsageError("a flow is trained in one process: start it without torchrun")
    samples = samples_of(Path(run.output))
    if samples.exists() and not (run.overwrite or run.resume):
        raise OutputError(f"{samples} exists: add --overwrite to start again")
    channels, size = asked.channels, kind.size or SIZE
    try:
        width = asked.critic.width or WIDTH
        architecture = GlowArchitecture(channels, size, kind.levels, kind.steps, width)
    except ValueError as error:
        raise UsageError(str(error)) from error
    folder, other = load_folders(data, channels, size, asked.report)
    if len(folder) < FEWEST:
        raise InputError(f"{data.clean_dir} has {len(folder)} pictures: a flow needs at least {FEWEST}")
    seen, unseen = _stacked(folder, size), None if other is None else _stacked(other, size)
    if unseen is None:
        # The held-out pictures are spread over the folder, because pictures with similar names may be
        # similar.
        kept = torch.arange(len(seen)) % EVERY == EVERY - 1
        seen, unseen = seen[~kept], seen[kept]
    device, bfloat16 = prepare_device(run)
    likelihood = LikelihoodRecipe(
        iterations=recipe.iterations or ITERATIONS,
        batch_size=recipe.batch_size or BATCH,
        lr=recipe.lr or LR,
        ema=recipe.ema or EMA,
        bfloat16=bfloat16,
        seed=recipe.seed,
    )
    trainer = LikelihoodTrainer(architecture, likelihood, seen, device, data.levels)
    floats = [part.permute(1, 2, 0).float().numpy() / 255 for part in unseen]
    validation = Validation.from_pictures(floats, count=6, side=size, per_picture=1)
    pictures = TrainingData(folder, None, data.levels, validation)
    description = {
        "architecture": trainer.trained().description,
        "recipe": likelihood.as_dict(),
        "data": describe(pictures, data) | {"held_out": len(unseen)},
    }
    session = FlowSession(trainer, description, pictures, asked.checkpoint, asked.run, asked.report)
    session.likelihood, session.unseen = trainer, unseen.to(device)
    return session


def _stacked(folder: PictureFolder, size: int) -> Tensor:
    """The pictures as a tensor (n, C, size, size), uint8."""
    return torch.from_numpy(np.stack([at_size(picture, size) for picture in folder.pictures]))


def _grid(prior: FlowPrior) -> bytes:
    """Samples of the flow as a PNG."""
    flow = prior.network
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(ROWS * COLUMNS, flow.architecture.dimensions, generator=generator)
    with torch.no_grad():
        x = flow.inverse((TEMPERATURE * z).to(flow.mean)).clamp(0, 1).cpu()
    rows = [torch.cat(list(row), dim=-1) for row in torch.split(x, COLUMNS)]
    pixels = torch.cat(rows, dim=-2).permute(1, 2, 0).numpy()
    return encode(Picture(np.ascontiguousarray(pixels, np.float32), "uint8", "png"), "png")
