"""Turn folders and options into a trainer, and into the description that its weights carry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alr_cli.cli.ranks import this_rank
from alr_cli.cli.train import folder_noise
from alr_cli.cli.train.asked import Asked
from alr_cli.cli.train.cropped import prepare_device
from alr_cli.core.noise.field import NoiseField
from alr_cli.core.noise.model import NoiseModel, pooled
from alr_cli.core.priors.critic import Architecture
from alr_cli.core.training.adversarial import BatchSource, Recipe, SyntheticNoise, Trainer
from alr_cli.core.training.matching import BLOCK, MatchedPatches, content_bias, survey
from alr_cli.core.training.patches import PatchSource, as_float
from alr_cli.core.training.validation import Validation
from alr_cli.core.training.workers import Group
from alr_cli.errors import InputError, UsageError
from alr_cli.files.folders import PictureFolder, load_folder

if TYPE_CHECKING:
    from alr_cli.cli.options.training import CriticOptions
    from alr_cli.cli.options.training_data import DataOptions, NoiseOrigin
    from alr_cli.cli.options.tuning import TuningPictures
    from alr_cli.cli.report.records import Report

WIDTH, BATCH, ITERATIONS, LR = 32, 32, 100_000, 1e-3  # as in the paper
FEWEST_PICTURES = 2  # in each folder, if noise has to be told from content
MARGIN = (1.5, 2.0)  # factors by which the range of levels extends below and above that of the noisy folder
# Eq. 7 learns nothing from weak noise. White noise of all levels is used in its place.
WEAK, WHITE = 0.03, (0.01, 0.3)
WIDE = (
    2.0  # the highest level over the lowest from which on levels are weighted alike; below, it costs 0.2 dB
)


@dataclass(frozen=True)
class TrainingData:
    """The pictures of a training.

    Attributes:
        clean: The clean pictures.
        noisy: The noisy pictures; None if noise is added to the clean ones.
        levels: The range of noise levels, given or estimated.
        validation: Crops for validation.
        noise: The noise of each noisy picture.
        origin: How the noisy pictures are used; None without them.
        shrunk: Side of the blocks of pixels that were averaged.
    """

    clean: PictureFolder
    noisy: PictureFolder | None
    levels: tuple[float, float]
    validation: Validation
    noise: tuple[NoiseModel, ...] = ()
    origin: NoiseOrigin | None = None
    shrunk: int = 1

    @property
    def field(self) -> NoiseField | None:
        """The source of the noise that is added; None for white noise."""
        return NoiseField(self.noise) if self.origin == "from-noisy-dir" else None


def load(
    data: DataOptions | TuningPictures,
    critic: CriticOptions,
    report: Report,
    default: NoiseOrigin = "white",
) -> TrainingData:
    """Decode every folder and estimate the noise.

    Files that are left out are reported as warnings.

    Args:
        data: The folders.
        critic: Options of the network.
        report: Receives notes and warnings.
        default: The default of --noise-model.

    Raises:
        InputError: A folder cannot be used.
    """
    origin = data.noise_from(default)
    channels = 1 if critic.gray else 3
    patch = architecture_of(critic).patch
    least = patch if data.noisy_dir is None else max(patch, BLOCK)
    range = data.black_and_white
    others = (
        None if name is None else load_folder(Path(name), channels, least, range=range)
        for name in (data.noisy_dir, data.val_dir)
    )
    clean = load_folder(Path(data.clean_dir), channels, least, data.exclude or (), range)
    noisy, val = others
    for folder in (clean, noisy, val):
        for sentence in folder.skipped if folder is not None else ():
            report.warn(f"left out: {sentence}")
    noise: tuple[NoiseModel, ...] = ()
    shrink = data.shrink or 1
    if noisy is not None and data.noisy_dir is not None:
        for folder, name in ((clean, data.clean_dir), (noisy, data.noisy_dir)):
            if len(folder) < FEWEST_PICTURES:
                raise InputError(f"{name} has only one usable picture: give at least {FEWEST_PICTURES}")
        noise = tuple(folder_noise.noise_of(noisy.pictures, data.noisy_dir, report))
        folder_noise.check_sides(noise, clean.pictures, data.clean_dir, report)
        shrink = data.shrink or folder_noise.shrink_factor(clean.pictures, data.clean_dir, report)
        pictures = folder_noise.shrink(clean.pictures, shrink)
        sides = folder_noise.same_depth(pictures, noisy.pictures, report)
        clean, noisy = (
            replace(folder, pictures=side) for folder, side in zip((clean, noisy), sides, strict=True)
        )
        levels = _levels_of(noise, data, origin)
    else:
        levels = data.levels
        clean = replace(clean, pictures=folder_noise.shrink(clean.pictures, shrink))
    validation = _validation(val or clean, noise)
    return TrainingData(clean, noisy, levels, validation, noise, origin, shrink)


def architecture_of(critic: CriticOptions) -> Architecture:
    """The architecture of a critic. Raises UsageError for an impossible network."""
    try:
        return Architecture(
            1 if critic.gray else 3, critic.width or WIDTH, critic.depth, critic.activation, critic.stride
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def prepare(pictures: TrainingData, asked: Asked) -> tuple[Trainer, dict[str, Any]]:
    """The trainer at step 0, and the description that its checkpoint and weights will carry."""
    options = asked.recipe
    device, bfloat16 = prepare_device(asked.run)
    architecture = architecture_of(asked.critic)
    low, high = _white_levels(pictures) if pictures.origin == "white" else pictures.levels
    wide = pictures.origin == "white" and high > WIDE * low
    recipe = Recipe(
        iterations=options.iterations or ITERATIONS,
        batch_size=options.batch_size or BATCH,
        lr=options.lr or LR,
        lr_final=options.lr_final,
        mu=options.mu,
        one_sided=options.one_sided,
        sigma_low=low,
        sigma_high=high,
        log_sigma=asked.data.log_sigma or wide,
        normalise=options.normalise or wide,
        ema=options.ema,
        bfloat16=bfloat16,
        seed=options.seed,
    )
    description = {
        "architecture": architecture.as_dict(),
        "recipe": recipe.as_dict(),
        "data": describe(pictures, asked.data),
        "noise": noise_metadata(pictures),
    }
    source = _source(pictures, architecture.patch, recipe, asked.report)
    workers = Group(device) if this_rank().size > 1 else None
    return Trainer(architecture, recipe, source, device, workers), description


def describe(pictures: TrainingData, data: DataOptions | TuningPictures) -> dict[str, Any]:
    """What a weights file records about its training pictures."""
    return {
        "clean": Path(data.clean_dir).resolve().name,
        "clean_pictures": len(pictures.clean),
        "clean_digest": pictures.clean.digest,
        "clean_shrunk": pictures.shrunk if pictures.shrunk > 1 else None,
        "noisy": None if data.noisy_dir is None else Path(data.noisy_dir).resolve().name,
        "noisy_pictures": 0 if pictures.noisy is None else len(pictures.noisy),
        "noisy_digest": None if pictures.noisy is None else pictures.noisy.digest,
        "noise_model": pictures.origin,
        **({} if data.range is None else {"range": [data.range.low, data.range.high]}),
    }


def noise_metadata(pictures: TrainingData) -> dict[str, Any] | None:
    """The common noise of the noisy pictures, for the weights file; None for white noise."""
    return pooled(pictures.noise).as_dict() if pictures.noise else None


def calibration_levels(low: float, high: float) -> list[float]:
    """The levels at which lambda is fitted: half the lowest level, doubled until the highest is passed."""
    levels = [low / 2]
    while levels[-1] < high:
        levels.append(2 * levels[-1])
    return levels


def _levels_of(
    noise: tuple[NoiseModel, ...], data: DataOptions | TuningPictures, origin: NoiseOrigin | None
) -> tuple[float, float]:
    """The range of levels to train for: those of the noisy pictures, extended, or as given."""
    found = [model.nominal for model in noise]
    if origin == "none":
        return min(found), max(found)
    return data.levels if data.sigma is not None else (min(found) / MARGIN[0], max(found) * MARGIN[1])


def _white_levels(pictures: TrainingData) -> tuple[float, float]:
    """The levels of the white noise that replaces that of the noisy pictures: their own levels if these are
    high."""
    found = [model.nominal for model in pictures.noise]
    return WHITE if min(found) < WEAK else (min(found), max(found))


def _validation(folder: PictureFolder, noise: tuple[NoiseModel, ...]) -> Validation:
    """Validation crops with white noise, or with noise like that of the noisy pictures."""
    validation = Validation.from_pictures([as_float(p) for p in folder.pictures])
    return validation.with_noise_of(NoiseField(noise)) if noise else validation


def _source(pictures: TrainingData, patch: int, recipe: Recipe, report: Report) -> BatchSource:
    clean = PatchSource(pictures.clean.pictures, patch)
    if pictures.noisy is not None and pictures.origin == "none":
        places = survey(pictures.clean.pictures), survey(pictures.noisy.pictures, pictures.noise)
        source = MatchedPatches(clean, PatchSource(pictures.noisy.pictures, patch), *places)
        before, after = content_bias(source.matching, *places)
        report.say(
            f"content alone tells the folders apart in {before:.0%} of pairs, "
            f"after matching in {after:.0%} (50% is best)"
        )
        return source
    # Clean and noisy patches are both drawn from all pictures; they are unpaired all the same. With only a
    # few hundred pictures, two halves differ enough for the critic to learn their content, which cost 0.3 dB.
    return SyntheticNoise(clean, clean, recipe, pictures.field)
