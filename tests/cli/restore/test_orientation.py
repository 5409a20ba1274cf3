"""Options refer to the picture as it is displayed, however the file stores it."""

from pathlib import Path

import numpy as np
import pytest

from alr_cli.files.orientation import turned
from alr_cli.files.pictures import read_picture
from tests.conftest import FAST, Alr, scene, write_picture
from tests.files.seeds import exif

pytestmark = pytest.mark.usefixtures("tiny_weights")

HOLE = np.zeros((24, 32), np.float32)
HOLE[2:6, 3:20] = 1


@pytest.fixture(params=[2, 3, 6, 7, 8])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """The same displayed picture: stored upright, and stored rotated with the corresponding orientation."""
    pixels = scene()
    write_picture(tmp_path / "turned.png", pixels, exif=exif(request.param))
    return write_picture(tmp_path / "upright.png", pixels), tmp_path / "turned.png"


@pytest.mark.parametrize(
    "command",
    [
        ("denoise",),
        ("deblur", "--kernel", "motion:5:20"),
        ("inpaint", "--mask", "mask.png"),
        ("inpaint", "--mask", "turned-mask.png"),
        ("denoise", "--reference", "mask-free.png"),
    ],
)
def test_both_files_give_the_same_picture(
    alr: Alr, pair: tuple[Path, Path], command: tuple[str, ...]
) -> None:
    folder = pair[0].parent
    write_picture(folder / "mask.png", HOLE[..., None])
    write_picture(folder / "turned-mask.png", HOLE[..., None], exif=exif(8))
    write_picture(folder / "mask-free.png", scene(sigma=0))
    name, *options = [str(folder / part) if part.endswith(".png") else part for part in command]
    said = []
    for path in pair:
        result = alr(name, path, *options, "--sigma", "0.1", "-o", path.with_suffix(".tif"), *FAST)
        assert result.code == 0, result.stderr
        said.append(result.stderr.partition("PSNR")[2])
    first, second = (read_picture(path.with_suffix(".tif")) for path in pair)
    assert np.array_equal(first.pixels, second.pixels)
    assert said[0] == said[1]
    assert not np.array_equal(first.pixels, read_picture(pair[0]).pixels)


def test_a_mask_that_fits_the_file_and_not_the_picture_is_refused(alr: Alr, tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", scene(), exif=exif(6))
    mask = write_picture(tmp_path / "mask.png", turned(HOLE, 6)[..., None])
    result = alr("inpaint", path, "--mask", mask)
    assert result.code == 2
    assert "turned" in result.stderr
