"""From folders and options to a trainer, and to the description that its weights will carry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alr_cli.core import devices
from alr_cli.core.critic import Architecture
from alr_cli.core.noise import estimate_sigma
from alr_cli.core.patches import PatchSource, as_float
from alr_cli.core.training import BatchSource, Recipe, SyntheticNoise, Trainer, Unpaired
from alr_cli.core.validation import Validation
from alr_cli.errors import InputError
from alr_cli.files.folders import PictureFolder, load_folder

if TYPE_CHECKING:
    from alr_cli.cli.report import Report
    from alr_cli.cli.train_options import CriticOptions, DataOptions, RecipeOptions, RunOptions

LEAST_NOISE = 1.0 / 255.0  # a "noisy" folder below one level of 8-bit noise is a mistake


@dataclass(frozen=True)
class TrainingData:
    """The pictures of a training. levels: the noise range, given or estimated. noisy: None to add noise."""

    clean: PictureFolder
    noisy: PictureFolder | None
    levels: tuple[float, float]
    validation: Validation


def load(
    data: DataOptions, critic: CriticOptions, report: Report, levels: tuple[float, float] | None = None
) -> TrainingData:
    """Decode every folder. levels: of the added noise, those of `data` if None. Raises InputError; says which
    files were left out."""
    channels = 1 if critic.gray else 3
    patch = Architecture().patch
    clean = load_folder(Path(data.clean_dir), channels, patch, data.exclude or ())
    noisy = load_folder(Path(data.noisy_dir), channels, patch) if data.noisy_dir is not None else None
    val = load_folder(Path(data.val_dir), channels, patch) if data.val_dir is not None else clean
    for folder in (clean, noisy, val if val is not clean else None):
        for sentence in folder.skipped if folder is not None else ():
            report.warn(f"left out: {sentence}")
    levels = (levels or data.levels) if noisy is None else _estimated_levels(noisy, data, report)
    device = devices.choose("cpu")
    validation = Validation.from_pictures(
        [as_float(picture) for picture in val.pictures],
        precision=devices.choose_precision("auto", device),
    )
    return TrainingData(clean, noisy, levels, validation)


def prepare(
    pictures: TrainingData, data: DataOptions, critic: CriticOptions, options: RecipeOptions, run: RunOptions
) -> tuple[Trainer, dict[str, Any]]:
    """The trainer at step 0, and what its checkpoint and weights will say of themselves."""
    device = devices.choose(run.device)
    if run.threads is not None:
        devices.set_threads(run.threads)
    architecture = Architecture(1 if critic.gray else 3, critic.width, activation=critic.activation)
    recipe = Recipe(
        iterations=options.iterations,
        batch_size=options.batch_size,
        lr=options.lr,
        lr_final=options.lr_final,
        mu=options.mu,
        one_sided=options.one_sided,
        sigma_low=pictures.levels[0],
        sigma_high=pictures.levels[1],
        log_sigma=data.log_sigma,
        normalise=options.normalise,
        ema=options.ema,
        bfloat16=devices.precision_name(devices.choose_precision(run.precision, device)) == "bfloat16",
        seed=options.seed,
    )
    description = {
        "architecture": architecture.as_dict(),
        "recipe": recipe.as_dict(),
        "data": describe(pictures, data),
    }
    return Trainer(architecture, recipe, _source(pictures, architecture.patch, recipe), device), description


def describe(pictures: TrainingData, data: DataOptions) -> dict[str, Any]:
    """What a weights file says of its pictures."""
    return {
        "clean": Path(data.clean_dir).resolve().name,
        "clean_pictures": len(pictures.clean),
        "clean_digest": pictures.clean.digest,
        "noisy": None if data.noisy_dir is None else Path(data.noisy_dir).resolve().name,
        "noisy_pictures": 0 if pictures.noisy is None else len(pictures.noisy),
        "noisy_digest": None if pictures.noisy is None else pictures.noisy.digest,
    }


def calibration_levels(low: float, high: float) -> list[float]:
    """Where lambda is fitted: from half of the lowest level by doubling until past the highest."""
    levels = [low / 2]
    while levels[-1] < high:
        levels.append(2 * levels[-1])
    return levels


def _source(pictures: TrainingData, patch: int, recipe: Recipe) -> BatchSource:
    if pictures.noisy is not None:
        return Unpaired(
            PatchSource(pictures.clean.pictures, patch), PatchSource(pictures.noisy.pictures, patch)
        )
    # Both sides are drawn from all pictures: the patches are unpaired all the same, and with a few hundred
    # pictures two halves differ enough for the critic to learn their content (it cost 0.3 dB).
    source = PatchSource(pictures.clean.pictures, patch)
    return SyntheticNoise(source, source, recipe)


def _estimated_levels(noisy: PictureFolder, data: DataOptions, report: Report) -> tuple[float, float]:
    estimates = [estimate_sigma(as_float(picture)) for picture in noisy.pictures]
    known = sorted(value for value in estimates if value == value)
    if not known or known[-1] < LEAST_NOISE:
        raise InputError(f"{data.noisy_dir} holds hardly any noise: are the folders the right way round?")
    low, high = max(known[0], LEAST_NOISE), known[-1]
    report.say(f"noise of {data.noisy_dir}: sigma {low:.3g} to {high:.3g}, estimated")
    return low, high
