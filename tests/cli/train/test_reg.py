"""`alr train --recipe reg`: from a folder to weights with a gradient and a denoiser."""

import json
from pathlib import Path

import numpy as np
import pytest

from alr_cli.cli.train.reg import JointSession
from alr_cli.core.priors.gradient_network import GradientPrior
from alr_cli.files.pictures import read_picture
from alr_cli.files.weights import load_weights
from tests.cli.train.test_potential import QUICK as POTENTIAL
from tests.cli.train.test_potential import waves
from tests.conftest import Alr, write_picture

QUICK = ("--recipe", "reg", *POTENTIAL[2:], "--plain", "25", "--joint-weight", "0.1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("waves")
    for number in range(4):
        write_picture(folder / f"{number}.png", waves(number))
    return folder


@pytest.fixture
def potential(alr: Alr, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("potential") / "potential.safetensors"
    assert alr("train", "--clean-dir", folder, "-o", out, *POTENTIAL).code == 0
    return out


def test_a_folder_gives_weights_that_restore_without_an_energy(
    alr: Alr, folder: Path, potential: Path, tmp_path: Path
) -> None:
    out = tmp_path / "reg.safetensors"
    result = alr("train", "--clean-dir", folder, "-o", out, *QUICK, "--init", potential, "--json")
    assert result.code == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["step"] for event in events if event["event"] == "step"] == [10, 20, 30, 40]
    scores = [event["levels"] for event in events if event["event"] == "validation"]
    assert [list(score) for score in scores] == [["0.05", "0.1", "0.2"]] * 2
    assert scores[1]["0.2"]["misfit"] < 0.9 * scores[0]["0.2"]["misfit"]

    weights = load_weights(str(out))
    assert weights.prior.kind == GradientPrior.kind
    assert weights.metadata["recipe"]["start"] == str(potential)
    noise = np.random.default_rng(0).normal(0, 0.1, (32, 40, 1)).astype(np.float32)
    noisy, restored = tmp_path / "noisy.png", tmp_path / "restored.png"
    write_picture(noisy, waves(1) + noise)
    result = alr("denoise", noisy, "-w", out, "--sigma", "0.1", "-o", restored, "--json")
    assert result.code == 0, result.stderr
    line = json.loads(result.stdout)
    assert (line["iterations"], line["energy"], line["regularizer"]) == (4, None, None)
    errors = [float(np.mean((read_picture(path).pixels - waves(1)) ** 2)) for path in (noisy, restored)]
    assert errors[1] < 0.9 * errors[0]

    again, trace, plot = (tmp_path / name for name in ("again.png", "trace.csv", "plot.png"))
    command = ("denoise", noisy, "-w", out, "--solver", "adam", "--sigma", "0.1", "--max-iter", "4")
    result = alr(*command, "-o", again, "--trace", trace, "--plot", plot, "--json")
    assert result.code == 0, result.stderr
    line = json.loads(result.stdout)
    assert (line["iterations"], line["energy"], line["stop"]) == (4, None, "max_iter")
    rows = trace.read_text().splitlines()
    assert rows[0].split(",")[-1] == "slope" and float(rows[1].split(",")[-1]) > 0
    assert read_picture(plot).pixels.std() > 0


def test_a_training_that_was_stopped_continues_to_the_same_weights(
    alr: Alr, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight, stopped = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert alr("train", "--clean-dir", folder, "-o", straight, *QUICK).code == 0
    saved = JointSession.save_checkpoint

    def save_and_stop(session: JointSession) -> None:
        saved(session)
        if session.trainer.step_count == 30:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(JointSession, "save_checkpoint", save_and_stop)
        assert alr("train", "--clean-dir", folder, "-o", stopped, *QUICK).code == 130
    result = alr("train", "--clean-dir", folder, "-o", stopped, *QUICK, "--resume")
    assert result.code == 0, result.stderr
    assert "resuming at step 30 of 40" in result.stderr
    assert straight.read_bytes() == stopped.read_bytes()


def test_weights_of_reg_are_trained_further_with_both_networks(
    alr: Alr, folder: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert alr("train", "--clean-dir", folder, "-o", first, *QUICK).code == 0
    options = ("--init", first, "--lr", "1e-6", "--plain", "0")
    assert alr("train", "--clean-dir", folder, "-o", second, *QUICK, *options).code == 0
    before, after = (load_weights(str(path)).prior.network.state_dict() for path in (first, second))
    for name, value in before.items():
        np.testing.assert_allclose(after[name], value, atol=2e-3, err_msg=name)
    result = alr(
        "train", "--clean-dir", folder, "-o", second, *QUICK, "--init", first, "--explicit", "--overwrite"
    )
    assert result.code == 2 and "without --explicit: leave it out" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--noisy-dir", "."), "learns from clean pictures only"),
        (("--init", "gray-tuned"), "is no potential"),
        (("--init", "color-wide"), "is a colour prior"),
        (("--size", "18"), "not a multiple of 8"),
        (("--width", "2000"), "unusable U-Net"),
        (("--init", "nowhere"), "no weights"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    options: tuple[str, ...], said: str, alr: Alr, folder: Path, tmp_path: Path
) -> None:
    given = [str(folder) if option == "." else option for option in options]
    result = alr("train", "--clean-dir", folder, "-o", tmp_path / "x.safetensors", *QUICK, *given)
    assert result.code in (2, 5), result.stderr
    assert said in result.stderr
