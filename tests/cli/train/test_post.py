"""`alr train --recipe post`: networks that remove the artefacts of filtered backprojection."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from alr_cli.core.priors.postprocessor import PostProcessorPrior
from alr_cli.core.training.postprocessing import LAM
from alr_cli.files.weights import load_weights
from tests.cli.train.test_whole import SIDE, disk
from tests.conftest import Alr, write_picture

QUICK = (
    *("--recipe", "post", "--size", str(SIDE), "--width", "4", "--gray", "--geometry", "parallel:8"),
    *("--iterations", "12", "--batch-size", "2", "--validate-every", "6", "--threads", "1"),
)


@pytest.fixture(scope="module")
def disks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disks")
    for number in range(4):
        write_picture(folder / f"{number}.png", disk(number))
    return folder


def test_a_network_is_trained_and_reconstructs(alr: Alr, disks: Path, tmp_path: Path) -> None:
    out, y, slice = (tmp_path / name for name in ("post.safetensors", "y.tif", "slice.tif"))
    result = alr("train", "--clean-dir", disks, "--val-dir", disks, "-o", out, *QUICK)
    assert result.code == 0, result.stderr
    assert "dB at sigma 0.05" in result.stderr and "alr reconstruct -w" in result.stderr
    weights = load_weights(str(out))
    assert (weights.prior.kind, weights.lam(0.1)) == (PostProcessorPrior.kind, pytest.approx(LAM))
    across = np.arange(24) - 11.5
    row = 0.1 * np.sqrt(np.maximum(25 - across**2, 0))
    noise = 0.01 * np.random.default_rng(0).standard_normal((8, 24))
    tifffile.imwrite(y, (row + noise).astype(np.float32))
    options = ("--angles", "0:180:8", "--size", str(SIDE), "-w", out, "-o", slice)
    for iterations, extra in ((5, ()), (3, ("--solver", "splitting"))):
        result = alr("reconstruct", y, *options, *extra, "--overwrite")
        assert result.code == 0, result.stderr
        assert f"{iterations} iterations" in result.stderr
        assert tifffile.imread(slice).shape == (SIDE, SIDE) and "was trained for" not in result.stderr
    result = alr("reconstruct", y, *options[:-2], "-o", slice, "--size", "24", "--overwrite")
    assert result.code == 0
    told = "was trained for parallel:8 and 16 x 16 pixels, and this scan is parallel:8 with 24 x 24"
    assert told in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (("--geometry", "identity"), 2, "give --gray and --geometry parallel:ANGLES"),
        (("--noisy-dir", "."), 2, "post learns from clean pictures only"),
        (("--size", "20"), 2, "is not a multiple of 8"),
        (("--init", "color-wide"), 2, "is a colour prior"),
        (("--init", "gray-tuned"), 2, "is no potential"),
    ],
)
def test_impossible_trainings_are_one_sentence(
    alr: Alr, disks: Path, tmp_path: Path, options: tuple[str, ...], code: int, sentence: str
) -> None:
    result = alr("train", "--clean-dir", disks, "-o", tmp_path / "x.safetensors", *QUICK, *options)
    assert (result.code, sentence in result.stderr) == (code, True)
    assert not list(tmp_path.iterdir())
