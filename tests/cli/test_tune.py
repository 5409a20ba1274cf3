"""`alr tune` end to end with tiny pictures, and its errors."""

from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.parametrize("model", ["white", "none"])
def test_it_adds_noise_and_takes_none_as_it_is(alr: Alr, clean: Path, model: str) -> None:
    run = alr(
        *("tune", "-w", "color-paper", "--clean-dir", str(clean), "--noisy-dir", str(clean)),
        *("--noise-model", model, "-o", str(clean.parent / "t.safetensors"), *QUICK),
    )
    assert run.code == 2
    assert "is for alr train" in run.stderr


def test_pictures_smaller_than_a_crop_are_one_sentence(alr: Alr, clean: Path) -> None:
    out = clean.parent / "t.safetensors"
    run = alr("tune", "-w", "color-paper", "--clean-dir", str(clean), "-o", str(out), "--crop", "64")
    assert run.code == 3
    assert "only 40 pixels" in run.stderr
    assert not out.exists()


def test_it_needs_a_critic_to_start_from(alr: Alr, clean: Path) -> None:
    run = alr("tune", "-w", "nobody", "--clean-dir", str(clean), "-o", str(clean.parent / "t.safetensors"))
    assert run.code == 5


@pytest.mark.slow
def test_a_tuned_critic_is_smooth_and_restores(alr: Alr, clean: Path) -> None:
    out = clean.parent / "t.safetensors"
    run = alr(
        *("tune", "-w", "color-paper", "--clean-dir", str(clean), "--sigma", "0.1", "-o", str(out)),
        *("--iterations", "3", *QUICK),
    )
    assert run.code == 0, run.stderr
    tuned = load_weights(str(out))
    assert tuned.critic.architecture.activation == "silu"
    assert tuned.metadata["recipe"]["start"] == "color-paper"
    assert all(np.isfinite(tuned.lam(sigma)) for sigma in (0.05, 0.1, 0.2))
