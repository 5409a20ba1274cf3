"""`alr inpaint --mask auto`: what infrared or a detector marks, what stays, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from alr_cli.core.defects.detector import OUTPUTS, Detector
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.files.pictures import read_picture
from alr_cli.files.weights import save_weights
from tests.conftest import FAST, Alr, write_picture

pytestmark = pytest.mark.usefixtures("tiny_weights")


def scan(folder: Path) -> tuple[Path, np.ndarray]:
    """A photograph of 120 x 120 pixels with opaque dust, and the mask of the dust."""
    pixels = data.astronaut()[60:180, 160:280] / 255
    dust = np.zeros((120, 120), bool)
    for row, column in np.random.default_rng(0).integers(3, 115, (20, 2)):
        dust[row : row + 3, column : column + 4] = True
    return write_picture(folder / "scan.png", np.where(dust[..., None], 0.02, pixels)), dust


def test_infrared_marks_dust_and_the_rest_stays(alr: Alr, tmp_path: Path) -> None:
    picture, dust = scan(tmp_path)
    infrared = write_picture(tmp_path / "ir.png", np.where(dust, 0.01, 0.8)[..., None])
    out, mask = tmp_path / "out.png", tmp_path / "mask.png"
    options = ("--mask", "auto", "--infrared", infrared, "--save-mask", mask)
    result = alr("inpaint", picture, *options, "-o", out, *FAST)
    assert result.code == 0
    assert "% of the pixels are marked" in result.stderr
    marked = read_picture(mask).pixels[..., 0] == 1
    assert marked[dust].all() and marked.mean() < 4 * dust.mean()
    before, after = read_picture(picture).pixels, read_picture(out).pixels
    assert np.array_equal(before[~marked], after[~marked])
    assert (after[dust].mean(axis=1) > 0.05).mean() > 0.8


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--mask", "auto", "--infrared", "scan.png", "--sensitivity", "2"), 2, "no --sensitivity"),
        (("--mask", "auto", "--sensitivity", "0"), 2, "greater than 0"),
        (("--mask", "auto", "--detector", "color-tuned"), 5, "finds no defects"),
        (("--mask", "auto", "--detector", "gone.safetensors"), 5, "no weights"),
        (("--mask", "scan.png", "--sensitivity", "2"), 2, "belongs to --mask auto"),
        (("--mask", "auto", "--infrared", "gone.png"), 3, "does not exist"),
        (("--mask", "auto", "--infrared", "alpha"), 2, "no fourth channel"),
        (("--mask", "auto", "--infrared", "small.png"), 2, "30 x 30"),
        (("--mask", "auto", "--infrared", "scan.png"), 2, "black-and-white"),
        (("--mask", "auto", "--infrared", "small.png", "--invert-mask"), 2, "--invert-mask"),
        (("--mask", "nan", "--save-mask", "m.png"), 2, "belongs to --mask auto"),
    ],
)
def test_contradictory_options_are_refused(
    alr: Alr,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    scan(tmp_path)
    write_picture(tmp_path / "small.png", np.full((30, 30, 1), 0.5))
    result = alr("inpaint", "scan.png", *options, "-o", "out.png")
    assert result.code == code
    assert words in result.stderr
    assert not (tmp_path / "out.png").exists()


@pytest.fixture
def blank(tmp_path: Path) -> Path:
    """A detector whose odds are the same and low everywhere."""
    unet = UNet(UNetArchitecture(3, (4,), (0,), OUTPUTS), torch.Generator().manual_seed(0))
    with torch.no_grad():
        unet.tail.zero_()
    path = tmp_path / "blank.safetensors"
    save_weights(path, Detector(unet), {"sigma_range": [0.0, 0.05], "lam": []})
    return path


def test_a_picture_without_dust_comes_back_exactly(alr: Alr, blank: Path, tmp_path: Path) -> None:
    picture, _ = scan(tmp_path)
    out, mask = tmp_path / "out.png", tmp_path / "mask.png"
    options = ("--mask", "auto", "--detector", blank, "--save-mask", mask)
    result = alr("inpaint", picture, *options, "-o", out, *FAST)
    assert result.code == 0, result.stderr
    assert "no dust was found" in result.stderr
    assert np.array_equal(read_picture(out).pixels, read_picture(picture).pixels)
    assert not read_picture(mask).pixels.any()


@pytest.mark.parametrize(
    ("shape", "opaque", "words"),
    [
        ((40, 40, 3), 0.0, "transparent everywhere"),
        ((12, 40, 3), 1.0, "40 x 12 pixels are too few"),
        ((40, 40, 1), 1.0, "all pixels"),
    ],
)
def test_pictures_without_a_place_for_dust_are_refused(
    alr: Alr, blank: Path, tmp_path: Path, shape: tuple[int, int, int], opaque: float, words: str
) -> None:
    alpha = np.full(shape[:2], opaque, np.float32) if opaque < 1 else None
    picture = write_picture(tmp_path / "a.png", np.zeros(shape), alpha=alpha)
    options = ("--mask", "auto", "--detector", blank, "--sensitivity", "1e12")
    result = alr("inpaint", picture, *options, "-o", tmp_path / "out.png", *FAST)
    assert result.code == 2 and words in " ".join(result.stderr.split())
    assert not (tmp_path / "out.png").exists()


def test_a_detector_restores_nothing(alr: Alr, blank: Path, tmp_path: Path) -> None:
    picture, _ = scan(tmp_path)
    result = alr("denoise", picture, "-w", blank, "-o", tmp_path / "out.png", *FAST)
    assert result.code == 5 and "is no prior" in " ".join(result.stderr.split())
