"""`alr train --recipe unrolled`: from a folder to weights for one task, which other tasks refuse."""

import json
from pathlib import Path

import pytest

from alr_cli.cli.train.unrolled import UnrolledSession
from alr_cli.core.priors.unrolled import UnrolledPrior
from alr_cli.files.weights import load_weights
from tests.cli.train.test_potential import QUICK as POTENTIAL
from tests.cli.train.test_potential import waves
from tests.conftest import Alr, write_picture

QUICK = (
    *("--recipe", "unrolled", "--task", "upscale:2", "--unroll", "3", *POTENTIAL[2:]),
    *("--sigma", "0.1", "--lr", "0.05"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("waves")
    for number in range(4):
        write_picture(folder / f"{number}.png", waves(number))
    return folder


def test_a_folder_gives_weights_for_one_task(alr: Alr, folder: Path, tmp_path: Path) -> None:
    potential, out = tmp_path / "potential.safetensors", tmp_path / "two.safetensors"
    assert alr("train", "--clean-dir", folder, "-o", potential, *POTENTIAL).code == 0
    result = alr("train", "--clean-dir", folder, "-o", out, *QUICK, "--init", potential, "--json")
    assert result.code == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    steps = [event for event in events if event["event"] == "step"]
    assert [event["step"] for event in steps] == [10, 20, 30, 40]
    assert all(event["pixels_per_second"] > 0 and event["loss"] > 0 for event in steps)
    assert [event["step"] for event in events if event["event"] == "validation"] == [15, 30]
    assert events[-1]["psnr"] > events[-1]["psnr_of_start"] + 1

    prior = load_weights(str(out)).prior
    assert prior.kind == UnrolledPrior.kind and prior.description["explicit"] is True
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    write_picture(small, waves(1)[::2, ::2])
    result = alr("upscale", small, "-w", out, "--scale", "2", "--sigma", "0.1", "-o", large, "--json")
    assert result.code == 0, result.stderr
    line = json.loads(result.stdout)
    assert (line["iterations"], line["energy"], line["regularizer"]) == (3, None, None)

    told = alr("info", out).stdout.decode()
    assert "for: gray pictures for upscale:2 alone, with white noise" in told
    for command in (
        ("denoise", "--sigma", "0.1"),
        ("upscale", "--scale", "3"),
        ("deblur", "--kernel", "gaussian:5:1", "--sigma", "0.1"),
    ):
        refused = alr(command[0], small, "-w", out, *command[1:], "-o", tmp_path / "none.png")
        assert refused.code == 2
        assert "trained for upscale:2 and nothing else: choose others with -w" in refused.stderr
        assert not (tmp_path / "none.png").exists()


def test_a_training_that_was_stopped_continues_to_the_same_weights(
    alr: Alr, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, stopped = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert alr("train", "--clean-dir", folder, "-o", straight, *QUICK).code == 0
    saved = UnrolledSession.save_checkpoint

    def save_and_stop(session: UnrolledSession) -> None:
        saved(session)
        if session.trainer.step_count == 20:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(UnrolledSession, "save_checkpoint", save_and_stop)
        assert alr("train", "--clean-dir", folder, "-o", stopped, *QUICK).code == 130
    result = alr("train", "--clean-dir", folder, "-o", stopped, *QUICK, "--resume")
    assert result.code == 0, result.stderr
    assert "resuming at step 20 of 40" in result.stderr
    assert straight.read_bytes() == stopped.read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--noisy-dir", "."), "learns from clean pictures only"),
        (("--init", "gray-tuned"), "has no gradient network"),
        (("--init", "color-reg"), "is a colour prior"),
        (("--size", "18"), "not a multiple of 8"),
        (("--width", "2000"), "unusable U-Net"),
        (("--task", "upscale:7"), "is no task"),
        (("--task", "deblur:gauss:3"), "unknown kernel"),
        (("--unroll", "65"), "give at most 64"),
        (("--recipe", "reg"), "--task belongs to --recipe unrolled"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    options: tuple[str, ...], said: str, alr: Alr, folder: Path, tmp_path: Path
) -> None:
    given = [str(folder) if option == "." else option for option in options]
    result = alr("train", "--clean-dir", folder, "-o", tmp_path / "x.safetensors", *QUICK, *given)
    assert result.code in (2, 5), result.stderr
    assert said in result.stderr


def test_a_task_is_needed(alr: Alr, folder: Path, tmp_path: Path) -> None:
    result = alr("train", "--recipe", "unrolled", "--clean-dir", folder, "-o", tmp_path / "x.safetensors")
    assert (result.code, "is for one task: give --task" in result.stderr) == (2, True)
