"""Looks at what will come of a restoration: a part of it, fewer iterations, and how long it takes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alr_cli.cli.restore.patience import Patience
from alr_cli.core.restoration import Step
from alr_cli.files.pictures import read_picture
from tests.conftest import Alr, scene, write_picture

FAST = ("--max-iter", "2")
COMMANDS = {
    "denoise": (),
    "deblur": ("--kernel", "box:3"),
    "inpaint": ("--mask", "mask.png"),
    "upscale": ("--scale", "2"),
}


def turned(path: Path, target: Path, orientation: int) -> Path:
    """The picture as a camera held otherwise stores it."""
    image = Image.open(path)
    back = {6: Image.Transpose.ROTATE_90, 3: Image.Transpose.ROTATE_180}
    exif = Image.Exif()
    exif[0x0112] = orientation
    (image.transpose(back[orientation]) if orientation in back else image).save(target, exif=exif)
    return target


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_part_is_restored_alone_as_it_is_seen(
    alr: Alr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, orientation: int
) -> None:
    monkeypatch.chdir(tmp_path)
    mask = np.zeros((40, 52, 1), np.float32)
    mask[14:18, 22:27] = 1
    write_picture(tmp_path / "mask.png", mask)
    whole = write_picture(tmp_path / "whole.png", scene(40, 52))
    alone = tmp_path / "alone.png"
    Image.open(whole).crop((20, 10, 44, 30)).save(alone)
    scale = 2 if command == "upscale" else 1
    reference = write_picture(tmp_path / "clean.png", scene(40 * scale, 52 * scale, sigma=0))
    stored = turned(whole, tmp_path / "stored.png", orientation)
    options = ("--sigma", "0.1", *COMMANDS[command], *FAST)
    result = alr(command, stored, "-o", "a.png", "--crop", "20,10,24,20", "--reference", reference, *options)
    assert result.code == 0, result.stderr
    part = read_picture(tmp_path / "a.png")
    assert part.shape == (20 * scale, 24 * scale, 3)
    assert "PSNR" in result.stderr
    if command in ("denoise", "deblur"):
        assert alr(command, alone, "-o", "b.png", *options).code == 0
        assert np.array_equal(part.pixels, read_picture(tmp_path / "b.png").pixels)


@pytest.mark.parametrize("crop", ["50,0,10,10", "0,0,53,1", "0,39,1,2"])
def test_a_part_beyond_the_picture_is_refused(alr: Alr, tmp_path: Path, crop: str) -> None:
    path = write_picture(tmp_path / "a.png", scene(40, 52))
    result = alr("denoise", path, "--crop", crop)
    assert result.code == 2
    assert "reaches beyond" in result.stderr
    assert "52 x 40" in result.stderr


@pytest.mark.parametrize("crop", ["1,2,3", "a", "1,2,0,4", "-1,0,4,4", "1,2,3,4,5"])
def test_what_is_no_part_is_refused(alr: Alr, picture: Path, crop: str) -> None:
    result = alr("denoise", picture, f"--crop={crop}")
    assert result.code == 2
    assert "write X,Y,WIDTH,HEIGHT" in result.stderr


def test_fast_takes_a_third_of_the_iterations(alr: Alr, tmp_path: Path, picture: Path) -> None:
    iterations = []
    for more in ((), ("--fast",)):
        result = alr("deblur", picture, "--kernel", "box:3", "--sigma", "0.05", "--json", *more,
                     "-o", tmp_path / f"{len(more)}.png")  # fmt: skip
        iterations.append(result.lines()[0]["iterations"])
    assert iterations[1] == round(iterations[0] / 3)
    assert alr("deblur", picture, "--kernel", "box:3", "--fast", *FAST).code == 2


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.1, None), (1.0, "100 seconds"), (30.0, "50 minutes"), (600.0, "16.7 hours")]
)
def test_how_long_a_picture_takes_is_said_once_where_it_is_long(seconds: float, said: str | None) -> None:
    told: list[str] = []
    now = iter(seconds * count for count in range(9))
    patience = Patience(told.append, clock=lambda: next(now))
    for iteration in range(4):
        patience.step(Step(iteration, 100, None, 0.0, None, lambda: np.zeros((1, 1, 1), np.float32)))
    assert len(told) == (said is not None)
    assert said is None or f"up to {said}" in told[0]


@pytest.mark.parametrize("fast", [False, True])
def test_what_was_given_is_not_advised(fast: bool) -> None:
    told: list[str] = []
    now = iter((0.0, 60.0))
    patience = Patience(told.append, fast, clock=lambda: next(now))
    for iteration in range(2):
        patience.step(Step(iteration, 100, None, 0.0, None, lambda: np.zeros((1, 1, 1), np.float32)))
    assert ("--fast" in told[0]) is not fast
