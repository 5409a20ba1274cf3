"""`alr upscale`: sizes, kernels, errors, opacity, and that it inverts the reduction."""

from pathlib import Path

import numpy as np
import pytest

from alr_cli.files.pictures import read_picture
from tests.conftest import FAST, Alr, scene, write_picture

pytestmark = pytest.mark.usefixtures("tiny_weights")


@pytest.mark.parametrize("kernel", ["bicubic", "box", "gaussian:5:1"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_a_picture_is_enlarged_by_its_scale(alr: Alr, picture: Path, scale: int, kernel: str) -> None:
    output = picture.with_name("large.png")
    result = alr(*("upscale", picture, "--scale", scale, "--kernel", kernel, "--json", "-o", output, *FAST))
    assert result.lines()[0]["shape"] == [scale * 24, scale * 32, 3]
    assert read_picture(output).shape == (scale * 24, scale * 32, 3)


@pytest.mark.parametrize("scale", ["1", "5", "2.5", "0", "-2", "two"])
def test_another_scale_is_a_usage_error_and_nothing_is_written(alr: Alr, picture: Path, scale: str) -> None:
    output = picture.with_name("large.png")
    result = alr("upscale", picture, f"--scale={scale}", "-o", output)
    assert result.code == 2
    assert "2, 3 or 4" in result.stderr
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--scale", 4, "--kernel", "gaussian:3:1"), "less than the scale of 4"),
        (("--scale", 2, "--kernel", "lanczos"), "unknown kernel"),
        (("--scale", 2, "--kernel", "box:99"), "larger than"),
        (("--scale", 4, "--max-pixels", "5000"), "more than the limit"),
    ],
)
def test_impossible_options_are_one_sentence(
    alr: Alr, picture: Path, options: tuple[object, ...], said: str
) -> None:
    output = picture.with_name("large.png")
    result = alr("upscale", picture, *options, "-o", output)
    assert result.code == 2
    assert said in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not output.exists()


def test_opacity_is_enlarged_with_the_picture(alr: Alr, tmp_path: Path) -> None:
    opacity = np.zeros((12, 16), np.float32)
    opacity[:, 8:] = 1
    small, output = write_picture(tmp_path / "a.png", scene(12, 16), alpha=opacity), tmp_path / "large.png"
    assert alr("upscale", small, "--scale", 2, "-o", output, *FAST).code == 0
    alpha = read_picture(output).alpha
    assert alpha is not None
    assert alpha.shape == (24, 32)
    assert np.all(alpha[:, :12] == 0)
    assert np.all(alpha[:, 20:] == 1)


def test_the_reference_is_as_large_as_the_result(alr: Alr, picture: Path) -> None:
    large = write_picture(picture.with_name("true.png"), scene(48, 64))
    right = alr("upscale", picture, "--scale", 2, "--reference", large, "--json", *FAST)
    assert right.lines()[0]["psnr"] > 0
    wrong = alr("upscale", picture, "--scale", 2, "--reference", picture, *FAST)
    assert wrong.code == 2


def test_without_regularization_the_result_reproduces_the_input(alr: Alr, tmp_path: Path) -> None:
    from alr_cli.core.tasks import Upscaling, observed

    small = np.clip(observed(Upscaling(2), scene(48, 64, sigma=0)), 0, 1)
    output = tmp_path / "large.png"
    result = alr(
        *("upscale", write_picture(tmp_path / "small.png", small), "--scale", 2, "--lam", 0, "--sigma", 0),
        *("--max-iter", 60, "-o", output),
    )
    assert result.code == 0
    again = observed(Upscaling(2), read_picture(output).pixels)
    assert float(np.abs(again - small).mean()) < 0.01
