"""`alr inpaint --mask auto`: what infrared marks, what stays, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from alr_cli.files.pictures import read_picture
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
        (("--mask", "auto"), 2, "--infrared"),
        (("--mask", "auto", "--infrared", "gone.png"), 3, "does not exist"),
        (("--mask", "auto", "--infrared", "alpha"), 2, "no fourth channel"),
        (("--mask", "auto", "--infrared", "small.png"), 2, "30 x 30"),
        (("--mask", "auto", "--infrared", "scan.png"), 2, "black-and-white"),
        (("--mask", "auto", "--infrared", "small.png", "--invert-mask"), 2, "--invert-mask"),
        (("--mask", "nan", "--save-mask", "m.png"), 2, "belong to --mask auto"),
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
