"""`alr train --recipe flow`: from a folder to weights that restore pictures of their size only."""

from pathlib import Path

import numpy as np
import pytest

from alr_cli.core.priors.flow import FlowPrior
from alr_cli.core.training.calibration import LambdaCurve
from alr_cli.core.training.likelihood import LikelihoodTrainer
from alr_cli.core.training.stepwise import Progress
from alr_cli.core.training.validation import Validation
from alr_cli.files.pictures import read_picture
from alr_cli.files.weights import CHECKPOINT, load_weights, read_metadata, read_tensors
from tests.conftest import Alr, write_picture

QUICK = (
    *("--recipe", "flow", "--size", "8", "--levels", "2", "--steps", "1", "--width", "4", "--gray"),
    *("--iterations", "12", "--batch-size", "8", "--checkpoint-every", "6", "--threads", "1"),
    *("--sigma", "0.05:0.1"),
)


def edge(angle: float, side: int = 16) -> np.ndarray:
    """(side, side, 1): a straight edge through the middle."""
    row, column = np.mgrid[:side, :side] - (side - 1) / 2
    distance = np.cos(angle) * row + np.sin(angle) * column
    return np.asarray(1 / (1 + np.exp(-2 * distance)), np.float32)[..., None]


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edges")
    for index in range(70):
        write_picture(folder / f"{index:02}.png", edge(0.09 * index))
    return folder


def test_a_folder_gives_weights_and_samples(alr: Alr, edges: Path, tmp_path: Path) -> None:
    out = tmp_path / "edges.safetensors"
    result = alr("train", "--clean-dir", edges, "-o", out, *QUICK)
    assert result.code == 0, result.stderr
    assert "bits per dimension" in result.stderr
    weights = load_weights(str(out))
    assert weights.prior.kind == FlowPrior.kind
    assert 0 < read_metadata(str(out))["bits_per_dimension"] < 8
    assert read_picture(tmp_path / "edges.samples.png").pixels.shape == (4 * 8, 8 * 8, 1)

    write_picture(tmp_path / "noisy.png", edge(1.0, 8) + np.float32(0.05))
    for formulation in ("analysis", "synthesis"):
        restored = tmp_path / f"{formulation}.png"
        arguments = (tmp_path / "noisy.png", "-w", out, "--sigma", "0.1", "-o", restored)
        result = alr("denoise", *arguments, "--formulation", formulation)
        assert result.code == 0, result.stderr
        assert read_picture(restored).pixels.shape == (8, 8, 1)

    write_picture(tmp_path / "large.png", edge(1.0))
    result = alr("denoise", tmp_path / "large.png", "-w", out, "--sigma", "0.1")
    assert result.code == 5
    assert "8 x 8 pixels, and this one has 16 x 16" in result.stderr


def test_a_stopped_training_continues_to_the_same_weights(
    alr: Alr, edges: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Validation, "fit", lambda *_: LambdaCurve(((0.1, 0.01),)))
    straight, stopped = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    assert alr("train", "--clean-dir", edges, "-o", straight, *QUICK).code == 0

    step = LikelihoodTrainer.step

    def interrupted(trainer: LikelihoodTrainer) -> Progress:
        if trainer.step_count == 9:
            raise KeyboardInterrupt
        return step(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(LikelihoodTrainer, "step", interrupted)
        assert alr("train", "--clean-dir", edges, "-o", stopped, *QUICK).code == 130
    state, description = read_tensors(Path(f"{stopped}.checkpoint"), CHECKPOINT)
    assert int(state["step"]) == 6 and description["recipe"]["iterations"] == 12 and not stopped.exists()
    assert alr("train", "--clean-dir", edges, "-o", stopped, *QUICK, "--resume").code == 0
    assert load_weights(str(straight)).sha256 == load_weights(str(stopped)).sha256


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--size", "9"), 2, "multiple of 4"),
        (("--noisy-dir", "."), 2, "clean pictures only"),
        (("--exclude", "none.png"), 3, "none.png"),
        (("--size", "32"), 3, "smaller than 32 x 32"),
    ],
)
def test_impossible_trainings_are_one_sentence(
    alr: Alr, edges: Path, tmp_path: Path, options: tuple[str, ...], code: int, sentence: str
) -> None:
    result = alr("train", "--clean-dir", edges, "-o", tmp_path / "x.safetensors", *QUICK, *options)
    assert result.code == code, result.stderr
    assert sentence in result.stderr
    assert not list(tmp_path.iterdir())


def test_non_finite_numbers_stop_training_and_leave_the_last_checkpoint(
    alr: Alr, edges: Path, tmp_path: Path
) -> None:
    out = tmp_path / "diverged.safetensors"
    result = alr("train", "--clean-dir", edges, "-o", out, *QUICK, "--lr", "1e30", "--checkpoint-every", "1")
    assert result.code == 8, result.stderr
    assert "diverged" in result.stderr
    assert not out.exists()
    checkpoint = Path(f"{out}.checkpoint")
    if checkpoint.exists():
        state, _ = read_tensors(checkpoint, CHECKPOINT)
        assert all(bool(value.isfinite().all()) for value in state.values() if value.is_floating_point())
