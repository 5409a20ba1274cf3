"""`alr train --recipe defects`: from a folder to a detector that `alr inpaint` uses."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from alr_cli.core.defects.detector import OUTPUTS, Detector
from alr_cli.core.priors.potential import PotentialPrior
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.errors import WeightsError
from alr_cli.files.weights import load_detector, load_weights, save_weights
from tests.conftest import Alr, scene, write_picture

QUICK = (
    *("--recipe", "defects", "--width", "4", "--size", "32", "--batch-size", "2", "--iterations", "4"),
    *("--checkpoint-every", "2", "--validate-every", "2", "--threads", "1", "--precision", "float32"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    for number in range(3):
        write_picture(folder / f"{number}.png", scene(40, 48, sigma=0.01 * number))
    return folder


def test_a_folder_gives_a_detector(alr: Alr, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine.safetensors"
    result = alr("train", "--clean-dir", folder, "-o", out, *QUICK, "--json")
    assert result.code == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    [score] = [event for event in events if event["event"] == "validation"]
    assert 0 <= score["recall"] <= 1 and 0 <= score["false_share"] < 1
    assert f"alr inpaint --mask auto --detector {out}" in " ".join(result.stderr.split())
    assert load_detector(str(out)).kind == Detector.kind
    with pytest.raises(WeightsError, match="is no prior"):
        load_weights(str(out))
    told = alr("info", out).stdout.decode()
    assert "finding dust" in told and "iterations 4" in told


def test_a_training_that_is_resumed_gives_the_same_weights(alr: Alr, folder: Path, tmp_path: Path) -> None:
    straight, stopped = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    command = ("train", "--clean-dir", folder, *QUICK)
    assert alr(*command, "-o", straight).code == 0
    # without its end the step size would fall earlier
    assert alr(*command, "-o", stopped).code == 0
    stopped.unlink()
    assert alr(*command, "-o", stopped, "--resume").code == 0
    found, expected = (load_detector(str(path)).network.state_dict() for path in (stopped, straight))
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_the_network_of_a_potential_is_taken_for_the_start(alr: Alr, folder: Path, tmp_path: Path) -> None:
    start = UNet(UNetArchitecture(3, (4, 6, 8), (1, 1, 1)), torch.Generator().manual_seed(0))
    potential, out = tmp_path / "potential.safetensors", tmp_path / "mine.safetensors"
    prior = PotentialPrior(start, (0.01, 0.2), lambda sigma: 1.0)
    save_weights(potential, prior, {"sigma_range": [0.01, 0.2], "lam": [[0.1, 1.0]]})
    options = ("--init", potential, "--lr", "1e-6")
    assert alr("train", "--clean-dir", folder, "-o", out, *QUICK, *options).code == 0
    trained = load_detector(str(out)).network
    assert trained.architecture == replace(start.architecture, outputs=OUTPUTS)
    torch.testing.assert_close(trained.head, start.head, atol=1e-3, rtol=1e-2)


def test_a_detector_is_trained_further_with_its_last_layer(alr: Alr, folder: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert alr("train", "--clean-dir", folder, "-o", first, *QUICK).code == 0
    options = ("--init", first, "--lr", "1e-6")
    assert alr("train", "--clean-dir", folder, "-o", second, *QUICK, *options).code == 0
    before, after = (load_detector(str(path)).network for path in (first, second))
    torch.testing.assert_close(after.tail, before.tail, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--gray",), 2, "omit --gray"),
        (("--noisy-dir", "."), 2, "defects learns from clean pictures only"),
        (("--size", "30"), 2, "--size 30 is not a multiple of 8"),
        (("--init", "gray-tuned"), 2, "is no potential"),
        (("--init", "gray-wide"), 2, "which --gray decides"),
    ],
)
def test_what_cannot_be_trained_is_refused(
    alr: Alr, folder: Path, tmp_path: Path, options: tuple[str, ...], code: int, sentence: str
) -> None:
    out = tmp_path / "mine.safetensors"
    result = alr("train", "--clean-dir", folder, "-o", out, *QUICK, *options)
    assert result.code == code and sentence in " ".join(result.stderr.split())
    assert not list(tmp_path.iterdir())
