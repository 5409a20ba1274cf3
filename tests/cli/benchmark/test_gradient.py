"""`alr benchmark reg` and its relatives, with small networks on small pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage
import torch

from alr_cli.bench.studies import reg
from alr_cli.bench.studies.reg_settings import settings
from alr_cli.cli.benchmark import gradient
from alr_cli.core.priors.gradient_network import GradientNetwork, GradientPrior
from alr_cli.core.priors.potential import PotentialPrior
from alr_cli.core.priors.protocol import StoredPrior
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.files.pictures import read_picture
from alr_cli.files.weights import save_weights
from tests.conftest import Alr, write_picture

LEVELS = (0.01, 0.2)


def saved(path: Path, prior: StoredPrior) -> Path:
    save_weights(path, prior, {"sigma_range": LEVELS, "lam": [[level, 2 / 3] for level in LEVELS]})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pictures, and the weights of a gradient network and of a potential."""
    folder = tmp_path_factory.mktemp("pictures")
    cat = skimage.data.chelsea().astype(np.float32) / 255
    (folder / "clean").mkdir()
    for number in range(2):
        rows = slice(90 + 70 * number, 154 + 70 * number)
        write_picture(folder / "clean" / f"{number}.png", cat[rows, 150:222])
    unets = [UNet(UNetArchitecture(3, (4, 8), (1, 1)), torch.Generator().manual_seed(n)) for n in (0, 1)]
    saved(folder / "g.safetensors", GradientPrior(GradientNetwork(*unets), LEVELS, lambda sigma: 2 / 3))
    saved(folder / "p.safetensors", PotentialPrior(unets[0], LEVELS, lambda sigma: 2 / 3))
    return folder


def run(alr: Alr, folder: Path, *words: object) -> list[dict[str, object]]:
    weights = f"{folder}/g.safetensors,{folder}/p.safetensors"
    result = alr("benchmark", *words, "--data", folder / "clean", "-w", weights, "--threads", "1", "--json")
    assert result.code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_every_method_is_measured_on_the_middle_of_every_picture(
    alr: Alr, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = settings(0)[::17]
    monkeypatch.setattr(reg, "settings", lambda seed: few)
    lines = run(alr, folder, "reg", "--limit", "1", "--crop", "32", "--steps", "3", "-o", tmp_path)
    assert {line["method"] for line in lines} == {
        *(
            "tv",
            "p",
            "g",
            "PnP-GD, G of g",
            "PnP-PGD, G of g",
            "PnP-GD, x - D(x) of g (RED)",
            "PnP-ADMM, D of g",
        ),
        *("PnP-GD, grad g of p", "PnP-ADMM, D of p"),
    }
    assert {line["setting"] for line in lines} == {setting.name for setting in few}
    assert read_picture(tmp_path / "reg.png").pixels.std() > 0


def test_convergence_is_followed_on_every_blur(alr: Alr, folder: Path, tmp_path: Path) -> None:
    lines = run(
        alr, folder, "reg-convergence", "--limit", "1", "--crop", "32", "--steps", "4", "-o", tmp_path
    )
    courses = [line for line in lines if line["kind"] == "course"]
    assert len({line["blur"] for line in courses}) == 4 and len(courses) == 4 * 6
    assert [line["weights"] for line in lines if line["kind"] == "asymmetry"] == ["g"]
    assert read_picture(tmp_path / "reg-convergence.png").pixels.std() > 0


def test_three_starts_are_trained(alr: Alr, folder: Path, tmp_path: Path) -> None:
    words = ("reg-unrolled", "--train-dir", folder / "clean", "--steps", "3", "-o", tmp_path)
    points = run(alr, folder, *words, "--task", "deblur:gaussian:5:1")
    assert [point["step"] for point in points] == [0, 1, 2, 3] * 3
    assert list(dict.fromkeys(point["start"] for point in points)) == ["g", "p", "nothing"]
    assert read_picture(tmp_path / "reg-unrolled.png").pixels.std() > 0


def test_three_trainings_are_compared(
    alr: Alr, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradient, "SHOWN_ITERATIONS", 2)
    result = alr(
        *("benchmark", "reg-ablation", "--data", folder / "clean", "--limit", "1", "--crop", "32"),
        *("--train-dir", folder / "clean", "--steps", "3", "-w", folder / "p.safetensors"),
        *("--threads", "1", "--markdown", "-o", tmp_path),
    )
    assert result.code == 0, result.stderr
    rows = [line for line in result.stdout.decode().splitlines() if "PnP" in line]
    assert sum("PnP-GD, G" in row for row in rows) == 2
    assert sum("PnP-ADMM" in row for row in rows) == 3
    assert read_picture(tmp_path / "reg-ablation.png").pixels.std() > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("reg-unrolled",), "give --train-dir a folder"),
        (("reg-ablation",), "give --train-dir a folder"),
        (("reg-unrolled", "--train-dir", ".", "--task", "upscale:9"), "is no task"),
        (("reg-unrolled", "--train-dir", ".", "-w", "color-tuned"), "has no gradient network"),
        (("reg-ablation", "--train-dir", ".", "-w", "color-reg"), "is no potential"),
        (("reg-convergence", "-w", "color-tuned"), "none of these weights"),
        (("reg-unrolled", "--train-dir", ".", "--crop", "64"), "--crop belongs to"),
        (("denoise", "--steps", "5"), "--steps belongs to"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    words: tuple[str, ...], said: str, alr: Alr, folder: Path
) -> None:
    given = [str(folder / "clean") if word == "." else word for word in words]
    result = alr("benchmark", *given, "--data", folder / "clean")
    assert (result.code, said in result.stderr) == (2, True), result.stderr
