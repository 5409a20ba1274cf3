"""`alr train`: from two folders to weights; stopped, resumed, and with wrong input."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from alr_cli.files.pictures import read_picture
from alr_cli.files.weights import CHECKPOINT, load_weights, read_metadata, read_tensors
from tests.conftest import Alr, environment, scene, write_picture

QUICK = (
    "--width",
    "4",
    "--iterations",
    "40",
    "--batch-size",
    "8",
    "--checkpoint-every",
    "10",
    "--threads",
    "1",
)


def quick(folder: Path) -> list[str]:
    """A short training that fits its lambda on one tiny picture."""
    write_picture(folder / "val" / "0.png", scene(18, 16, sigma=0.0))
    return [*QUICK, "--val-dir", str(folder / "val")]


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """clean/{0..3}.png, without noise."""
    for index in range(4):
        write_picture(tmp_path / "clean" / f"{index}.png", scene(40 + index, 36, sigma=0.0))
    return tmp_path / "clean"


@pytest.fixture
def noisy(tmp_path: Path) -> Path:
    """noisy/{0..2}.png, with other sizes than the clean ones."""
    for index in range(3):
        write_picture(tmp_path / "noisy" / f"{index}.png", scene(44, 33 + index, sigma=0.1))
    return tmp_path / "noisy"


def test_two_folders_give_weights_that_denoise(alr: Alr, clean: Path, noisy: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    result = alr("train", "--clean-dir", clean, "--noisy-dir", noisy, "-o", out, *quick(tmp_path))
    assert result.code == 0, result.stderr
    assert result.stdout == b""
    weights = load_weights(str(out))
    assert weights.channels == 3
    assert 0.03 < weights.sigma_range[0] <= weights.sigma_range[1] < 0.3  # the noisy folder has 0.1
    restored = alr("denoise", noisy / "0.png", "-w", out, "-o", tmp_path / "out.png", "--sigma", "0.1")
    assert restored.code == 0, restored.stderr
    assert read_picture(tmp_path / "out.png").shape == (44, 33, 3)


@pytest.mark.slow
def test_without_a_noisy_folder_noise_is_added_and_the_weights_describe_themselves(
    alr: Alr, clean: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine.safetensors"
    result = alr(
        "train",
        "--clean-dir",
        clean,
        "-o",
        out,
        "--sigma",
        "0.05:50/255",
        "--gray",
        "--json",
        *quick(tmp_path),
    )
    assert result.code == 0, result.stderr
    described = read_metadata(str(out))
    assert described["architecture"] == {
        "channels": 1,
        "width": 4,
        "depth": 7,
        "activation": "relu",
        "stride": 1,
    }
    assert described["sigma_range"] == [0.05, 50 / 255]
    assert [sigma for sigma, _ in described["lam"]] == [0.025, 0.05, 0.1, 0.2]
    assert all(lam > 0 for _, lam in described["lam"])
    assert described["recipe"]["iterations"] == 40
    assert described["data"]["clean_pictures"] == 4
    events = result.lines()
    assert [event["event"] for event in events] == ["step"] * 4 + ["done"]
    assert events[-1]["sha256"] == described["sha256"]


@pytest.mark.slow
def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(clean: Path, tmp_path: Path) -> None:
    options = [
        "--clean-dir",
        str(clean),
        *quick(tmp_path),
        "--iterations",
        "400",
        "--batch-size",
        "4",
        "--threads",
        "1",
    ]
    whole, stopped = tmp_path / "whole.safetensors", tmp_path / "stopped.safetensors"
    command = [sys.executable, "-m", "alr_cli", "train", *options]
    env = environment(tmp_path)
    process = subprocess.Popen(
        [*command, "-o", str(stopped), "--checkpoint-every", "20"], env=env, stderr=subprocess.PIPE, text=True
    )
    checkpoint = stopped.with_name(stopped.name + ".checkpoint")
    deadline = time.monotonic() + 60
    while not checkpoint.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "--resume" in stderr
    assert not stopped.exists()
    reached = int(read_tensors(checkpoint, CHECKPOINT)[0]["step"])
    assert 20 <= reached < 400

    subprocess.run([*command, "-o", str(stopped), "--resume"], env=env, check=True, capture_output=True)
    subprocess.run([*command, "-o", str(whole)], env=env, check=True, capture_output=True)
    assert read_metadata(str(stopped))["sha256"] == read_metadata(str(whole))["sha256"]


@pytest.mark.slow
def test_resuming_with_other_options_or_data_is_refused(alr: Alr, clean: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    start = ["train", "--clean-dir", clean, "-o", out, *quick(tmp_path)]
    assert alr(*start).code == 0
    other = alr(*start, "--mu", "7", "--resume")
    assert other.code == 2
    assert "mu 5.0, now 7.0" in other.stderr
    write_picture(clean / "new.png", scene(40, 40))
    changed = alr(*start, "--resume")
    assert changed.code == 2
    assert "another data" in changed.stderr


@pytest.mark.slow
def test_nothing_is_replaced_unless_asked(alr: Alr, clean: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    out.write_bytes(b"mine")
    refused = alr("train", "--clean-dir", clean, "-o", out, *quick(tmp_path))
    assert refused.code == 4
    assert out.read_bytes() == b"mine"
    assert alr("train", "--clean-dir", clean, "-o", out, "--overwrite", *quick(tmp_path)).code == 0


@pytest.mark.slow
def test_a_corrupt_file_among_good_ones_is_left_out_and_named(alr: Alr, clean: Path, tmp_path: Path) -> None:
    (clean / "9.png").write_text("not a picture")
    result = alr("train", "--clean-dir", clean, "-o", tmp_path / "m.safetensors", *quick(tmp_path))
    assert result.code == 0, result.stderr
    assert "9.png" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--clean-dir", "{here}/none", "-o", "{here}/m.safetensors"], 3, "is not a folder"),
        (["--clean-dir", "{here}/empty", "-o", "{here}/m.safetensors"], 3, "has no usable picture"),
        (["--clean-dir", "{here}/tiny", "-o", "{here}/m.safetensors"], 3, "smaller than 15 x 15"),
        (
            ["--clean-dir", "{clean}", "--noisy-dir", "{clean}", "-o", "{here}/m.safetensors"],
            3,
            "hardly any noise",
        ),
        (
            ["--clean-dir", "{clean}", "--noisy-dir", "{here}/one", "-o", "{here}/m.safetensors"],
            3,
            "only one usable picture",
        ),
        (
            ["--clean-dir", "{here}/one", "--noisy-dir", "{clean}", "-o", "{here}/m.safetensors"],
            3,
            "only one usable picture",
        ),
        (
            ["--clean-dir", "{clean}", "--noisy-dir", "{here}/empty", "-o", "{here}/m.safetensors"],
            3,
            "has no usable picture",
        ),
        (
            ["--clean-dir", "{clean}", "--noise-model", "from-noisy-dir", "-o", "{here}/m.safetensors"],
            2,
            "needs a --noisy-dir",
        ),
        (["--clean-dir", "{clean}", "-o", "{here}/m.pt"], 2, ".safetensors"),
        (["--clean-dir", "{clean}", "-o", "{here}/no/m.safetensors"], 4, "does not exist"),
        (["--clean-dir", "{clean}", "-o", "{here}/m.safetensors", "--resume"], 5, "no checkpoint"),
        (["--clean-dir", "{clean}", "-o", "{here}/m.safetensors", "--sigma", "25"], 2, "25/255"),
        (["--clean-dir", "{clean}", "-o", "{here}/m.safetensors", "--sigma", "0.3:0.1"], 2, "0.05:0.3"),
        (["--clean-dir", "{clean}", "-o", "{here}/m.safetensors", "--exclude", "x.png"], 3, "x.png"),
        (["--clean-dir", "{clean}", "-o", "{here}/m.safetensors", "--lr", "nan"], 2, "finite"),
        (["-o", "{here}/m.safetensors"], 2, "clean-dir"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    alr: Alr, clean: Path, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    (tmp_path / "empty").mkdir()
    write_picture(tmp_path / "tiny" / "a.png", scene(10, 40, sigma=0.0))
    write_picture(tmp_path / "one" / "a.png", scene(40, 40, sigma=0.1))
    options = quick(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = alr("train", *(argument.format(here=tmp_path, clean=clean) for argument in arguments), *options)
    assert result.code == code, result.stderr
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_gray_pictures_do_not_train_a_colour_critic(alr: Alr, tmp_path: Path) -> None:
    for index in range(2):
        write_picture(tmp_path / "gray" / f"{index}.png", scene(40, 36, 1, sigma=0.0))
    result = alr(
        "train", "--clean-dir", tmp_path / "gray", "-o", tmp_path / "m.safetensors", *quick(tmp_path)
    )
    assert result.code == 3
    assert "--gray" in result.stderr


@pytest.mark.slow
def test_validation_pictures_are_restored_regularly(
    alr: Alr, clean: Path, noisy: Path, tmp_path: Path
) -> None:
    result = alr(
        *("train", "--clean-dir", clean, "-o", tmp_path / "m.safetensors", "--json"),
        *(*quick(tmp_path), "--validate-every", "20"),
    )
    assert result.code == 0, result.stderr
    values = [event["psnr"] for event in result.lines() if event["event"] == "validation"]
    assert len(values) == 1
    assert np.isfinite(values[0])
    assert os.fspath(tmp_path / "m.safetensors") in result.stderr
