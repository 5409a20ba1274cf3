"""`alr tune` end to end with tiny pictures, and its errors."""

from pathlib import Path

import numpy as np
import pytest

from alr_cli.cli.options.tuning import TuningPictures
from alr_cli.core.training.bilevel import TuningRecipe
from alr_cli.files.weights import load_weights
from tests.conftest import Alr, scene, write_picture

QUICK = ["--batch-size", "1", "--crop", "32", "--threads", "1"]


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    folder = tmp_path / "clean"
    folder.mkdir()
    for name in ("a", "b"):
        write_picture(folder / f"{name}.png", scene(40, 44), "uint8")
    return folder


@pytest.mark.parametrize("option", ["--noise-model", "--log-sigma"])
def test_options_without_effect_are_refused(alr: Alr, clean: Path, option: str) -> None:
    run = alr("tune", "--clean-dir", str(clean), "-o", str(clean.parent / "t.safetensors"), option, "white")
    assert run.code == 2
    assert option in run.stderr


def test_its_help_names_the_levels_that_it_uses(alr: Alr, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = TuningRecipe()
    assert TuningPictures(clean_dir="clean").levels == (recipe.sigma_low, recipe.sigma_high)
    assert alr("tune", "--help").code == 0
    shown = capsys.readouterr().out
    assert f"{recipe.sigma_low}:{recipe.sigma_high}" in shown
    assert "auto:" not in shown and "[default: float32]" in shown.replace("\n", " ")


def test_pictures_smaller_than_a_crop_are_one_sentence(alr: Alr, clean: Path) -> None:
    out = clean.parent / "t.safetensors"
    run = alr("tune", "--clean-dir", str(clean), "-o", str(out), "--crop", "64")
    assert run.code == 3
    assert "only 40 pixels" in run.stderr
    assert not out.exists()


def test_weights_that_are_not_there_are_one_sentence(alr: Alr, clean: Path) -> None:
    run = alr("tune", "-w", "nobody", "--clean-dir", str(clean), "-o", str(clean.parent / "t.safetensors"))
    assert run.code == 5


def test_a_deep_critic_cannot_be_tuned(alr: Alr, clean: Path) -> None:
    out = clean.parent / "t.safetensors"
    run = alr("tune", "-w", "color-paper", "--clean-dir", str(clean), "-o", str(out))
    assert run.code == 2
    assert "not a field of experts" in run.stderr
    assert not out.exists()


def test_colour_weights_are_not_tuned_on_gray_pictures(alr: Alr, clean: Path) -> None:
    out = clean.parent / "t.safetensors"
    run = alr("tune", "-w", "color-tuned", "--gray", "--clean-dir", str(clean), "-o", str(out))
    assert run.code == 2
    assert "for colour pictures" in run.stderr


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--holes", "1.5"), "--holes 1.5 is out of range: it must be at least 0 and at most 1"),
        (("--coarser", "0"), "--coarser 0 is not a whole number of at least 1"),
        (("--coarser", "9999"), "has 1 to 288 filters of each kind"),
    ],
)
def test_impossible_tunings_are_one_sentence(
    alr: Alr, clean: Path, options: tuple[str, ...], sentence: str
) -> None:
    out = clean.parent / "t.safetensors"
    run = alr("tune", "--clean-dir", str(clean), "-o", str(out), *options)
    assert run.code == 2
    assert sentence in " ".join(run.stderr.split())
    assert not out.exists()


def test_a_critic_for_holes_is_tuned_from_one_for_noise(alr: Alr, clean: Path) -> None:
    out = clean.parent / "holes.safetensors"
    run = alr(
        *("tune", "-w", "gray-tuned", "--holes", "1", "--coarser", "2", "--clean-dir", str(clean)),
        *("-o", str(out), "--iterations", "1", *QUICK),
    )
    assert run.code == 0, run.stderr
    tuned = load_weights(str(out))
    assert "80 % of them missing" in run.stderr
    assert tuned.metadata["recipe"]["holes"] == 1
    assert tuned.prior.description["coarser"] == 2
    on = str(clean.parent / "on.safetensors")
    again = alr("tune", "-w", str(out), "--coarser", "3", "--clean-dir", str(clean), "-o", on)
    assert again.code == 2 and "coarser filters already" in again.stderr


@pytest.mark.slow
@pytest.mark.parametrize("gray", [False, True])
def test_tuned_experts_restore_and_can_be_tuned_on(alr: Alr, clean: Path, gray: bool) -> None:
    out, on = clean.parent / "t.safetensors", clean.parent / "on.safetensors"
    few = ("--clean-dir", str(clean), "--sigma", "0.1", "--iterations", "3", *QUICK)
    run = alr("tune", *few, "-o", str(out), *(["--gray"] if gray else []))
    assert run.code == 0, run.stderr
    tuned = load_weights(str(out))
    assert tuned.channels == (1 if gray else 3)
    assert tuned.metadata["recipe"]["start"] == "cosines"
    assert all(np.isfinite(tuned.lam(sigma)) for sigma in (0.05, 0.1, 0.2))
    run = alr("tune", *few, "-w", str(out), "-o", str(on))
    assert run.code == 0, run.stderr
    assert load_weights(str(on)).metadata["recipe"]["start_sha256"] == tuned.sha256
