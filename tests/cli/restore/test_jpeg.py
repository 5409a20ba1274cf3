"""`alr denoise --jpeg`: the coefficients of the file are what was observed."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from alr_cli.core.metrics import psnr
from alr_cli.files.pictures import read_picture
from tests.conftest import FAST, Alr, write_picture
from tests.files.coded import a_photograph, decoded_by_pillow, jpeg_of


def a_file(path: Path, quality: int = 15, gray: bool = False, **more: int) -> Path:
    path.write_bytes(jpeg_of(a_photograph(91, 99, gray), quality, subsampling=2, **more))
    return path


@pytest.mark.parametrize("gray", [False, True])
def test_it_comes_nearer_to_the_picture_than_any_decoder(alr: Alr, tmp_path: Path, gray: bool) -> None:
    file, output = a_file(tmp_path / "old.jpg", gray=gray), tmp_path / "new.png"
    truth = np.asarray(a_photograph(91, 99, gray), np.float64).reshape(91, 99, -1) / 255
    assert alr("denoise", file, "--jpeg", "-o", output, "--precision", "float32").code == 0
    before, after = decoded_by_pillow(file.read_bytes()), read_picture(output).pixels
    gain = psnr(truth, after) - psnr(truth, before)
    assert gain > 0.4


@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
@pytest.mark.usefixtures("tiny_weights")
def test_a_file_that_is_stored_turned_is_restored_as_it_lies(
    alr: Alr, tmp_path: Path, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    results = []
    for name, more in (("upright", {}), ("turned", {"exif": exif.tobytes()})):
        file, output = tmp_path / f"{name}.jpg", tmp_path / f"{name}.png"
        file.write_bytes(jpeg_of(a_photograph(41, 59, gray=True), **more))
        assert alr("denoise", file, "--jpeg", "-o", output, *FAST).code == 0
        results.append(np.asarray(Image.open(output)))
    assert np.array_equal(*results)


@pytest.mark.usefixtures("tiny_weights")
def test_it_says_what_the_file_has_lost_and_reads_it_from_a_pipe(alr: Alr, tmp_path: Path) -> None:
    file = a_file(tmp_path / "old.jpg", gray=True)
    result = alr(
        "denoise", "-", "--jpeg", "--json", "-o", tmp_path / "new.png", *FAST, stdin=file.read_bytes()
    )
    assert result.code == 0
    assert "rounded by JPEG" in result.stderr
    (record,) = result.lines()
    assert 0 < record["sigma"] < 0.2
    assert record["sigma_estimated"] is None


@pytest.mark.usefixtures("tiny_weights")
@pytest.mark.parametrize("options", [("--sigma", 0.1), ("--noise", "white"), ("--auto-strength",)])
def test_the_noise_is_not_given_twice(alr: Alr, tmp_path: Path, options: tuple[object, ...]) -> None:
    result = alr("denoise", a_file(tmp_path / "old.jpg"), "--jpeg", *options)
    assert result.code == 2
    assert "--jpeg determines the noise from the file" in result.stderr


@pytest.mark.usefixtures("tiny_weights")
def test_of_a_folder_what_is_no_jpeg_is_refused_by_name(alr: Alr, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    a_file(folder / "a.jpg", gray=True)
    write_picture(folder / "b.png", np.full((20, 30, 1), 0.5, np.float32))
    result = alr("denoise", folder, "--jpeg", "-o", f"{tmp_path}/out/", *FAST)
    assert result.code == 7
    assert "b.png is not a JPEG" in result.stderr
    assert (tmp_path / "out" / "a.jpg").exists()


@pytest.mark.usefixtures("tiny_weights")
def test_a_prior_of_other_colours_is_refused(alr: Alr, tmp_path: Path) -> None:
    result = alr("denoise", a_file(tmp_path / "old.jpg"), "--jpeg", "-w", "gray-tuned", *FAST)
    assert result.code == 2
    assert "choose it with -w" in result.stderr


def test_a_clean_file_hardly_changes(alr: Alr, tmp_path: Path) -> None:
    file, output = a_file(tmp_path / "fine.jpg", quality=97), tmp_path / "new.png"
    assert alr("denoise", file, "--jpeg", "-o", output, "--precision", "float32").code == 0
    with Image.open(io.BytesIO(file.read_bytes())) as image:
        moved = 255 * np.abs(read_picture(output).pixels - np.asarray(image, np.float32) / 255)
    assert moved.mean() < 1.0
