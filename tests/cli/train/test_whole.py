"""`alr train --recipe global`: critics of whole pictures, for denoising and for tomography."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tifffile

from alr_cli.core.priors.descent import STEPS
from alr_cli.core.priors.global_critic import GlobalPrior
from alr_cli.core.training.adversarial import AdversarialTrainer
from alr_cli.core.training.calibration import LambdaCurve
from alr_cli.core.training.stepwise import Progress
from alr_cli.core.training.validation import Validation
from alr_cli.files.weights import CHECKPOINT, load_weights, read_tensors
from tests.conftest import Alr, write_picture

SIDE = 16
QUICK = (
    *("--recipe", "global", "--size", str(SIDE), "--width", "2", "--gray", "--threads", "1"),
    *("--iterations", "12", "--batch-size", "4", "--checkpoint-every", "6", "--sigma", "0.1"),
)
SCAN = ("--geometry", "parallel:8")
OWN = (*SCAN, "--own", "0.6", "--strength", "1.5", "--ema", "0.9")


def disk(number: int) -> np.ndarray:
    """(16, 16, 1)."""
    down, across = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    return np.asarray(0.8 * (down**2 + across**2 < (3 + number / 2) ** 2), np.float32)[..., None]


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disks")
    for number in range(6):
        write_picture(folder / f"{number}.png", disk(number))
    return folder


def test_a_critic_for_denoising_has_a_fitted_lambda(
    alr: Alr, disks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Validation, "fit", lambda *_: LambdaCurve(((0.1, 0.07),)))
    out = tmp_path / "disks.safetensors"
    result = alr("train", "--clean-dir", disks, "-o", out, *QUICK, "--geometry", "identity")
    assert result.code == 0, result.stderr
    weights = load_weights(str(out))
    assert (weights.prior.kind, weights.lam(0.1)) == (GlobalPrior.kind, pytest.approx(0.07))
    write_picture(tmp_path / "noisy.png", disk(3) + np.float32(0.05))
    result = alr("denoise", tmp_path / "noisy.png", "-w", out, "--sigma", "0.1", "-o", tmp_path / "x.png")
    assert result.code == 0, result.stderr


def test_a_critic_for_scans_has_the_lambda_of_the_formula(alr: Alr, disks: Path, tmp_path: Path) -> None:
    out = tmp_path / "scans.safetensors"
    result = alr("train", "--clean-dir", disks, "-o", out, *QUICK, *SCAN)
    assert result.code == 0, result.stderr
    assert load_weights(str(out)).lam(0.1) == pytest.approx(0.2)
    assert reconstructed(alr, out, tmp_path)["energy"] is not None  # it is minimised


def reconstructed(alr: Alr, weights: Path, folder: Path) -> dict[str, object]:
    """What the command reports of a slice of 16 x 16 pixels from 8 angles."""
    sinogram, detectors = folder / "y.tif", math.ceil(SIDE * math.sqrt(2)) + 1
    across = np.arange(detectors) - (detectors - 1) / 2
    row = 0.1 * np.sqrt(np.maximum(25 - across**2, 0))
    noise = 0.01 * np.random.default_rng(0).standard_normal((8, detectors))
    tifffile.imwrite(sinogram, (row + noise).astype(np.float32))
    slice = folder / "slice.tif"
    options = ("--angles", "0:180:8", "--size", str(SIDE), "-w", weights, "-o", slice, "--json")
    result = alr("reconstruct", sinogram, *options)
    assert result.code == 0, result.stderr
    assert tifffile.imread(slice).shape == (SIDE, SIDE)
    return dict(json.loads(result.stdout.splitlines()[-1]))


def test_a_critic_that_is_trained_on_its_own_reconstructions_descends_as_in_training(
    alr: Alr, disks: Path, tmp_path: Path
) -> None:
    first, out = tmp_path / "first.safetensors", tmp_path / "own.safetensors"
    assert alr("train", "--clean-dir", disks, "-o", first, *QUICK, *SCAN).code == 0
    result = alr("train", "--clean-dir", disks, "-o", out, *QUICK, *OWN, "--init", first)
    assert result.code == 0, result.stderr
    weights = load_weights(str(out))
    assert weights.lam(0.1) == pytest.approx(0.3) and weights.metadata["architecture"]["own"] is True
    recipe = weights.metadata["recipe"]
    assert (recipe["own"], recipe["strength"], recipe["start"]) == (0.6, 1.5, str(first))
    found = reconstructed(alr, out, tmp_path)
    assert found["iterations"] == STEPS and found["energy"] is None


def test_sinograms_of_other_objects_are_the_measured_side(alr: Alr, disks: Path, tmp_path: Path) -> None:
    out, folder = tmp_path / "scans.safetensors", tmp_path / "sinograms"
    folder.mkdir()
    across = np.arange(24) - 11.5
    for number in range(2):
        row = 0.1 * np.sqrt(np.maximum((4 + number) ** 2 - across**2, 0))
        noise = 0.02 * np.random.default_rng(number).standard_normal((8, 24))
        tifffile.imwrite(folder / f"{number}.tif", (row + noise).astype(np.float32))
    options = ("--clean-dir", disks, "--noisy-dir", folder, "-o", out)
    result = alr("train", *options, *QUICK, *SCAN)
    assert result.code == 0, result.stderr
    weights = load_weights(str(out))
    assert weights.metadata["data"]["noisy"] == "sinograms" and not weights.metadata["recipe"]["normalise"]
    low, high = weights.sigma_range
    assert 0.01 < low <= high < 1
    result = alr("train", *options, *QUICK, "--geometry", "parallel:9", "--overwrite")
    assert result.code == 3 and "has 8 rows, but --geometry says 9 angles" in result.stderr


@pytest.mark.parametrize("options", [SCAN, OWN])
def test_a_stopped_training_continues_to_the_same_weights(
    alr: Alr, disks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    straight, stopped = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert alr("train", "--clean-dir", disks, "-o", straight, *QUICK, *options).code == 0
    step = AdversarialTrainer.step

    def interrupted(trainer: AdversarialTrainer) -> Progress:
        if trainer.step_count == 9:
            raise KeyboardInterrupt
        return step(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(AdversarialTrainer, "step", interrupted)
        assert alr("train", "--clean-dir", disks, "-o", stopped, *QUICK, *options).code == 130
    state, _ = read_tensors(Path(f"{stopped}.checkpoint"), CHECKPOINT)
    assert int(state["step"]) == 6 and not stopped.exists()
    assert alr("train", "--clean-dir", disks, "-o", stopped, *QUICK, *options, "--resume").code == 0
    assert load_weights(str(straight)).sha256 == load_weights(str(stopped)).sha256


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--geometry", "fan:1:1"), 2, "write identity, or parallel:ANGLES"),
        (("--geometry", "parallel:0"), 2, "write identity, or parallel:ANGLES"),
        (("--recipe", "flow", *SCAN), 2, "--geometry belongs to --recipe global and post"),
        (("--size", "17"), 2, "must be a multiple of 16"),
        (("--noisy-dir", "."), 2, "give --geometry parallel:ANGLES as well"),
        (("--size", "32"), 3, "smaller than 32 x 32"),
        (("--own", "0.5"), 2, "--own is for scans: give --recipe global --geometry parallel:ANGLES"),
        (("--strength", "2"), 2, "--strength is for scans"),
        (("--own", "0.5", "--recipe", "post", *SCAN), 2, "--own is for scans"),
        ((*OWN, "--noisy-dir", "."), 2, "leave --noisy-dir or --own out"),
        (("--own", "1.5", *SCAN), 2, "at most 1"),
        (("--init", "gray-tuned", *SCAN), 2, "gray-tuned is no critic of whole pictures"),
        (("--init", "ct-global", *SCAN), 2, "another size or width: leave --size and --width out"),
    ],
)
def test_impossible_trainings_are_one_sentence(
    alr: Alr, disks: Path, tmp_path: Path, options: tuple[str, ...], code: int, sentence: str
) -> None:
    result = alr("train", "--clean-dir", disks, "-o", tmp_path / "x.safetensors", *QUICK, *options)
    assert result.code == code and sentence in result.stderr
    assert not list(tmp_path.iterdir())
