"""The checks and messages about two folders before a training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from alr_cli.cli.options.training import CriticOptions, RecipeOptions, RunOptions
from alr_cli.cli.options.training_data import DataOptions
from alr_cli.cli.options.training_kind import KindOptions
from alr_cli.cli.train import inputs
from alr_cli.cli.train.asked import Asked
from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.training.adversarial import SyntheticNoise
from alr_cli.core.training.matching import MatchedPatches
from alr_cli.errors import InputError, UsageError
from tests.conftest import scene, write_picture
from tests.core.toys import seeded


class Heard:
    """A report that stores its messages."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)


def pictures_in(folder: Path, count: int = 3, sigma: float = 0.0, side: int = 48) -> Path:
    for index in range(count):
        write_picture(folder / f"{index}.png", scene(side + index, side - index, sigma=sigma))
    return folder


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return pictures_in(tmp_path / "clean")


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    return pictures_in(tmp_path / "noisy", sigma=0.1)


def loaded(clean: Path, noisy: Path | None, **options: Any) -> tuple[inputs.TrainingData, Heard]:
    report = Heard()
    asked = DataOptions(clean_dir=str(clean), noisy_dir=noisy and str(noisy), **options)
    return inputs.load(asked, CriticOptions(width=4), report), report  # type: ignore[arg-type]


def prepared(clean: Path, noisy: Path, tmp_path: Path, **options: Any) -> tuple[Any, dict[str, Any], Heard]:
    found, report = loaded(clean, noisy, **options)
    data = DataOptions(clean_dir=str(clean), noisy_dir=str(noisy), **options)
    run = RunOptions(output=str(tmp_path / "m.safetensors"))
    recipe = RecipeOptions(iterations=3)
    asked = Asked(data, CriticOptions(width=4), KindOptions(), recipe, run, report)  # type: ignore[arg-type]
    trainer, described = inputs.prepare(found, asked)
    return trainer, described, report


def test_three_noisy_pictures_are_enough(clean: Path, noisy: Path, tmp_path: Path) -> None:
    trainer, described, report = prepared(clean, noisy, tmp_path, noise_model="none")
    assert isinstance(trainer.source, MatchedPatches)
    assert np.isfinite(trainer.step().measures["objective"])
    assert NoiseModel.from_dict(described["noise"]).nominal == pytest.approx(0.1, rel=0.3)
    assert any("levels of 255" in sentence for sentence in report.said)
    assert any("after matching" in sentence for sentence in report.said)
    assert not report.warned


def test_estimated_noise_is_added_to_clean_pictures(clean: Path, noisy: Path, tmp_path: Path) -> None:
    trainer, described, _ = prepared(clean, noisy, tmp_path, noise_model="from-noisy-dir")
    assert isinstance(trainer.source, SyntheticNoise) and trainer.source.field is not None
    assert described["data"]["noise_model"] == "from-noisy-dir"
    assert 0.03 < trainer.recipe.sigma_low < 0.1 < trainer.recipe.sigma_high < 0.3
    batch = trainer.source.batch(200, seeded())
    assert 0.05 < float((batch.noisy.var() - batch.clean.var()) ** 0.5) < 0.25


@pytest.mark.parametrize(("sigma", "levels", "alike"), [(0.02, (0.01, 0.3), True), (0.1, (0.1, 0.1), False)])
def test_by_default_white_noise_replaces_that_of_the_folder(
    clean: Path, tmp_path: Path, sigma: float, levels: tuple[float, float], alike: bool
) -> None:
    noisy = pictures_in(tmp_path / "noisy", sigma=sigma)
    trainer, described, _ = prepared(clean, noisy, tmp_path)
    assert isinstance(trainer.source, SyntheticNoise) and trainer.source.field is None
    recipe = trainer.recipe
    assert (recipe.sigma_low, recipe.sigma_high) == pytest.approx(levels, rel=0.1)
    assert recipe.log_sigma == recipe.normalise == alike  # many levels are weighted alike
    assert NoiseModel.from_dict(described["noise"]).nominal == pytest.approx(sigma, rel=0.3)


def test_texture_does_not_make_white_noise_seem_stronger(clean: Path, tmp_path: Path) -> None:
    fur = data.chelsea()[80:280, 100:300] / 255
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(scale=0.1, size=fur.shape)
        write_picture(tmp_path / "noisy" / f"{seed}.png", np.clip(fur + noise, 0, 1))
    found, _ = loaded(clean, tmp_path / "noisy")
    assert [model.nominal for model in found.noise] == pytest.approx([0.1] * 3, rel=0.05)


def test_noise_keeps_its_dependence_on_brightness(clean: Path, tmp_path: Path) -> None:
    truth = data.chelsea()[:200, 100:300] / 255
    for seed in range(3):
        noise = np.random.default_rng(seed).normal(scale=0.15 * np.sqrt(truth))
        write_picture(tmp_path / "noisy" / f"{seed}.png", np.clip(truth + noise, 0, 1))
    found, _ = loaded(clean, tmp_path / "noisy")
    assert all(model.spread > 1.5 for model in found.noise)


def test_levels_can_be_given_only_for_synthetic_noise(clean: Path, noisy: Path) -> None:
    found, _ = loaded(clean, noisy, noise_model="from-noisy-dir", sigma="0.02:0.2")
    assert found.levels == (0.02, 0.2)
    with pytest.raises(UsageError, match="give one of them"):
        loaded(clean, noisy, noise_model="none", sigma="0.02:0.2")
    with pytest.raises(UsageError, match="needs a --noisy-dir"):
        loaded(clean, None, noise_model="from-noisy-dir")


def test_lambda_is_fitted_for_the_noise_of_the_folder(clean: Path, noisy: Path) -> None:
    white, modelled = loaded(clean, None)[0].validation, loaded(clean, noisy)[0].validation
    np.testing.assert_array_equal(white.clean, modelled.clean)
    assert float((white.noise - modelled.noise).abs().max()) > 0.1
    assert float(modelled.noise.std()) == pytest.approx(1.0, rel=0.3)


def test_broken_and_gray_files_among_good_ones_are_left_out_and_named(clean: Path, noisy: Path) -> None:
    write_picture(noisy / "gray.png", scene(40, 40, 1))
    (noisy / "broken.png").write_bytes((noisy / "0.png").read_bytes()[:300])
    found, report = loaded(clean, noisy)
    assert found.noisy is not None and len(found.noisy) == 3
    assert len(report.warned) == 2
    assert any("broken.png" in sentence for sentence in report.warned)
    assert any("gray.png is gray" in sentence for sentence in report.warned)


@pytest.mark.parametrize("deep", ["clean", "noisy"])
def test_pictures_of_different_depth_are_all_taken_as_8_bits(
    clean: Path, noisy: Path, tmp_path: Path, deep: str
) -> None:
    write_picture(tmp_path / deep / "deep.png", scene(44, 40, sigma=0.1), "uint16")
    found, report = loaded(clean, noisy)
    assert any("rounded to 8" in sentence for sentence in report.said)
    assert found.noisy is not None
    assert {picture.dtype for picture in (*found.clean.pictures, *found.noisy.pictures)} == {
        np.dtype("uint8")
    }


def test_pictures_all_of_16_bits_keep_them(tmp_path: Path) -> None:
    for side, sigma in (("clean", 0.0), ("noisy", 0.1)):
        for index in range(3):
            write_picture(tmp_path / side / f"{index}.png", scene(48, 40 + index, sigma=sigma), "uint16")
    found, report = loaded(tmp_path / "clean", tmp_path / "noisy")
    assert {picture.dtype for picture in found.clean.pictures} == {np.dtype("float32")}
    assert not any("rounded" in sentence for sentence in report.said)


@pytest.mark.parametrize(
    ("clean_count", "noisy_count", "noise", "said"),
    [
        (1, 3, 0.1, "clean has only one usable picture"),
        (3, 1, 0.1, "noisy has only one usable picture"),
        (3, 3, 0.0, "hardly any noise: are the two folders swapped"),
    ],
)
def test_folders_that_cannot_train_are_refused(
    tmp_path: Path, clean_count: int, noisy_count: int, noise: float, said: str
) -> None:
    clean = pictures_in(tmp_path / "clean", clean_count)
    noisy = pictures_in(tmp_path / "noisy", noisy_count, noise)
    with pytest.raises(InputError, match=said):
        loaded(clean, noisy)


def test_a_noisier_clean_folder_gives_a_warning(tmp_path: Path) -> None:
    clean = pictures_in(tmp_path / "clean", sigma=0.15)
    noisy = pictures_in(tmp_path / "noisy", sigma=0.05)
    assert any("are the two folders swapped" in sentence for sentence in loaded(clean, noisy)[1].warned)


@pytest.mark.parametrize(("side", "shrunk"), [(264, 2), (150, None)])
def test_strongly_compressed_clean_pictures_are_averaged_where_they_are_large_enough(
    noisy: Path, tmp_path: Path, side: int, shrunk: int | None
) -> None:
    folder = tmp_path / "jpeg"
    folder.mkdir()
    for index, picture in enumerate((data.coffee(), data.chelsea())):
        Image.fromarray(picture[:side, :side]).save(folder / f"{index}.jpg", quality=30)
    found, report = loaded(folder, noisy)
    assert found.shrunk == (shrunk or 1)
    assert found.clean.pictures[0].shape[0] == side // (shrunk or 1)
    assert any("compression are visible" in sentence for sentence in (*report.said, *report.warned))
    described = inputs.describe(found, DataOptions(clean_dir=str(folder), noisy_dir=str(noisy)))
    assert described["clean_shrunk"] == shrunk


def test_shrinking_can_be_asked_for_and_refused(clean: Path, noisy: Path) -> None:
    assert loaded(clean, noisy, shrink=2)[0].clean.pictures[0].shape == (24, 24, 3)
    assert loaded(clean, None, shrink=2)[0].clean.pictures[0].shape == (24, 24, 3)
    assert loaded(clean, noisy, shrink=1)[0].clean.pictures[0].shape == (48, 48, 3)


def test_a_large_folder_is_sampled_for_its_noise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from alr_cli.cli.train import folder_noise

    monkeypatch.setattr(folder_noise, "MOST_ESTIMATES", 2)
    pictures = [scene(48, 40, sigma=0.1)] * 5
    models = folder_noise.noise_of(pictures, "noisy", Heard())  # type: ignore[arg-type]
    assert len(models) == 5
    assert len({id(model) for model in models}) == 3  # two of their own, and what they have in common
