"""`alr train --recipe potential`: from a folder to weights that denoise in one step."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from alr_cli.core.priors.potential import PotentialPrior
from alr_cli.files.pictures import read_picture
from alr_cli.files.weights import CHECKPOINT, load_weights, read_tensors
from tests.conftest import Alr, write_picture

QUICK = (
    *("--recipe", "potential", "--size", "16", "--width", "4", "--gray", "--lr", "0.02", "--ema", "0.9"),
    *("--iterations", "40", "--batch-size", "4", "--checkpoint-every", "10", "--validate-every", "15"),
    *("--sigma", "0.05:0.2", "--threads", "1", "--precision", "float32"),
)


def waves(number: int) -> np.ndarray:
    """(32, 40, 1)."""
    down, across = np.mgrid[:32, :40]
    return np.asarray(0.5 + 0.15 * np.sin(down / (3 + number)) * np.cos(across / 5), np.float32)[..., None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("waves")
    for number in range(4):
        write_picture(folder / f"{number}.png", waves(number))
    return folder


def test_a_folder_gives_weights_that_denoise(alr: Alr, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "waves.safetensors"
    result = alr("train", "--clean-dir", folder, "-o", out, *QUICK, "--json")
    assert result.code == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    steps = [event for event in events if event["event"] == "step"]
    assert [event["step"] for event in steps] == [10, 20, 30, 40]
    assert all(event["pixels_per_second"] > 0 and event["loss"] > 0 for event in steps)
    scores = [event["psnr"] for event in events if event["event"] == "validation"]
    assert [list(score) for score in scores] == [["0.05", "0.1", "0.2"]] * 2

    weights = load_weights(str(out))
    assert weights.prior.kind == PotentialPrior.kind
    assert weights.sigma_range == (0.05, 0.2)
    noise = np.random.default_rng(0).normal(0, 0.1, (32, 40, 1)).astype(np.float32)
    noisy, restored = tmp_path / "noisy.png", tmp_path / "restored.png"
    write_picture(noisy, waves(1) + noise)
    result = alr("denoise", noisy, "-w", out, "--sigma", "0.1", "-o", restored, "--json")
    assert result.code == 0, result.stderr
    assert json.loads(result.stdout)["iterations"] == 4
    errors = [float(np.mean((read_picture(path).pixels - waves(1)) ** 2)) for path in (noisy, restored)]
    assert errors[1] < 0.9 * errors[0]


@pytest.mark.parametrize("step", [10, 30])
def test_a_training_stopped_in_either_stage_continues_to_the_same_weights(
    alr: Alr, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    straight, stopped = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert alr("train", "--clean-dir", folder, "-o", straight, *QUICK).code == 0

    from alr_cli.cli.train.potential import PotentialSession

    saved = PotentialSession.save_checkpoint

    def save_and_stop(session: PotentialSession) -> None:
        saved(session)
        if session.trainer.step_count == step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PotentialSession, "save_checkpoint", save_and_stop)
        assert alr("train", "--clean-dir", folder, "-o", stopped, *QUICK).code == 130
    result = alr("train", "--clean-dir", folder, "-o", stopped, *QUICK, "--resume")
    assert result.code == 0, result.stderr
    assert f"resuming at step {step} of 40" in result.stderr
    assert straight.read_bytes() == stopped.read_bytes()
    ends = [
        read_tensors(path.with_name(path.name + ".checkpoint"), CHECKPOINT)[0] for path in (straight, stopped)
    ]
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_a_finished_training_is_continued_with_a_longer_one(alr: Alr, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    assert alr("train", "--clean-dir", folder, "-o", out, *QUICK).code == 0
    before = out.read_bytes()
    result = alr("train", "--clean-dir", folder, "-o", out, *QUICK, "--iterations", "60", "--resume")
    assert result.code == 0, result.stderr
    assert "resuming at step 40 of 60" in result.stderr and "step 45:" in result.stderr
    assert out.read_bytes() != before
    shorter = alr("train", "--clean-dir", folder, "-o", out, *QUICK, "--iterations", "50", "--resume")
    assert shorter.code == 2 and "iterations 60, now 50" in " ".join(shorter.stderr.split())


def test_a_potential_is_continued_on_other_pictures(alr: Alr, folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert alr("train", "--clean-dir", folder, "-o", first, *QUICK).code == 0
    more = ("--init", first, "--iterations", "10", "--lr", "0.0001")
    result = alr("train", "--clean-dir", folder, "-o", second, *QUICK, *more, "--json")
    assert result.code == 0, result.stderr
    # The gradient step is trained from the first step on, so that hardly anything has changed yet.
    before, after = (load_weights(str(path)) for path in (first, second))
    noisy = torch.from_numpy(waves(2)).permute(2, 0, 1)[None] + 0.1 * torch.randn(
        1, 1, 32, 40, generator=torch.Generator().manual_seed(0)
    )
    one, other = (weights.prior.at(0.1).denoise(noisy) for weights in (before, after))
    assert 0 < float((one - other).square().mean().sqrt()) < 0.01
    assert after.metadata["recipe"]["start"] == str(first)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("--noisy-dir", "."), "learns from clean pictures only"),
        (("--init", "gray-tuned"), "is no potential"),
        (("--init", "gray-wide"), "has another width"),
        (("--init", "color-wide"), "is a colour prior"),
        (("--size", "12"), "not a multiple of 8"),
        (("--width", "4000"), "unusable U-Net"),
    ],
)
def test_impossible_trainings_are_one_sentence(
    alr: Alr, folder: Path, tmp_path: Path, change: tuple[str, ...], sentence: str
) -> None:
    result = alr("train", "--clean-dir", folder, "-o", tmp_path / "x.safetensors", *QUICK, *change)
    assert result.code == 2
    assert sentence in result.stderr
    assert not list(tmp_path.iterdir())
