"""`alr deblur`: kernels, their errors, and that it sharpens."""

from pathlib import Path

import numpy as np
import pytest

from alr_cli.files.pictures import read_picture
from tests.conftest import FAST, Alr, scene, write_picture

pytestmark = pytest.mark.usefixtures("tiny_weights")

WRONG = [
    "gaussian:4:3",
    "gaussian:7",
    "gaussian:7:0",
    "gaussian:7:-1",
    "gaussian:7:nan",
    "motion:0:3",
    "disk:0",
    "disk:-2",
    "box:2",
    "box:0",
    "sharp:3",
    "",
    "gaussian:1e9:3",
]


@pytest.mark.parametrize("spec", WRONG)
def test_a_wrong_kernel_is_a_usage_error_with_the_grammar(alr: Alr, picture: Path, spec: str) -> None:
    result = alr("deblur", picture, "--kernel", spec)
    assert result.code == 2
    assert "gaussian:SIZE:SIGMA" in result.stderr


def test_a_kernel_larger_than_the_picture_is_a_usage_error_with_the_grammar(alr: Alr, picture: Path) -> None:
    result = alr("deblur", picture, "--kernel", "box:25")
    assert result.code == 2
    assert "larger than" in result.stderr
    assert "gaussian:SIZE:SIGMA" in result.stderr
    assert alr("deblur", picture, "--kernel", "box:23", *FAST).code == 0


@pytest.mark.parametrize("boundary", ["valid", "replicate", "reflect", "circular"])
@pytest.mark.parametrize("spec", ["gaussian:5:1", "motion:5:30", "disk:2.5", "box:3"])
def test_kernels_and_boundaries_of_every_kind_restore_a_picture_of_the_same_size(
    alr: Alr, picture: Path, spec: str, boundary: str
) -> None:
    result = alr(
        *("deblur", picture, "--kernel", spec, "--boundary", boundary, "--json"),
        *("-o", picture.with_name("x.png"), *FAST),
    )
    assert result.lines()[0]["shape"] == [24, 32, 3]


def test_a_kernel_file_is_normalised_with_a_note(alr: Alr, picture: Path) -> None:
    path = picture.with_name("k.npy")
    np.save(path, np.ones((3, 3)))
    result = alr("deblur", picture, "--kernel", f"file:{path}", *FAST)
    assert result.code == 0
    assert "sum" in result.stderr
    assert alr("deblur", picture, "--kernel", "file:gone.npy").code == 3
    np.save(path, np.ones((2, 2)))
    assert alr("deblur", picture, "--kernel", f"file:{path}").code == 2


def test_a_kernel_file_is_never_an_output(alr: Alr, picture: Path) -> None:
    kernel = write_picture(picture.with_name("k.png"), scene(3, 3, 1))
    before = kernel.read_bytes()
    result = alr("deblur", picture, "--kernel", f"file:{kernel}", "-o", kernel, "--overwrite")
    assert result.code == 4
    assert kernel.read_bytes() == before


def test_without_regularization_a_blurred_picture_comes_closer_to_the_sharp_one(
    alr: Alr, tmp_path: Path
) -> None:
    from scipy.ndimage import convolve

    sharp = scene(48, 48, sigma=0)
    blurred = np.stack([convolve(sharp[..., c], np.full((3, 3), 1 / 9)) for c in range(3)], axis=-1)
    write_picture(tmp_path / "sharp.tif", sharp, "float32")
    write_picture(tmp_path / "blurred.tif", blurred, "float32")
    result = alr(
        *("deblur", tmp_path / "blurred.tif", "--kernel", "box:3", "--lam", "0", "--solver", "gd"),
        *(
            "--max-iter",
            "60",
            "--tol",
            "0",
            "--reference",
            tmp_path / "sharp.tif",
            "-o",
            tmp_path / "x.tif",
            "--json",
        ),
    )
    mse = float(np.mean((sharp - blurred) ** 2))
    assert result.lines()[0]["psnr"] > -10 * np.log10(mse) + 3


def shaken(folder: Path, spec: str = "disk:2.6") -> Path:
    """A photograph of 120 x 120 pixels with a blur and a little noise."""
    from scipy.signal import fftconvolve
    from skimage import data

    from alr_cli.core.operators.kernels import parse_kernel

    gray = data.astronaut()[60:190, 160:290].mean(axis=2) / 255
    blurred = fftconvolve(gray, parse_kernel(spec), mode="valid")[:120, :120]
    noisy = blurred + np.random.default_rng(0).normal(0, 0.005, blurred.shape)
    return write_picture(folder / "shaken.png", noisy[..., None])


def test_an_estimated_kernel_is_described_saved_and_accepted(alr: Alr, tmp_path: Path) -> None:
    picture, kernel = shaken(tmp_path), tmp_path / "k.png"
    auto = ("deblur", picture, "--kernel", "auto:disk", "--save-kernel", kernel)
    result = alr(*auto, "-o", tmp_path / "a.png", *FAST)
    assert result.code == 0
    assert "kernel disk:2." in result.stderr
    again = alr("deblur", picture, "--kernel", f"file:{kernel}", "-o", tmp_path / "b.png", *FAST)
    assert again.code == 0
    first, second = (read_picture(tmp_path / name).pixels for name in ("a.png", "b.png"))
    assert np.abs(first - second).max() < 0.02
    refused = alr(*auto, "-o", tmp_path / "c.png", *FAST)
    assert refused.code == 4
    assert not (tmp_path / "c.png").exists()


def test_a_sharp_picture_is_recognised_and_stays_unchanged(alr: Alr, tmp_path: Path) -> None:
    picture, out = shaken(tmp_path, "box:1"), tmp_path / "out.png"
    result = alr("deblur", picture, "--kernel", "auto:gaussian", "-o", out, *FAST)
    assert result.code == 0
    assert "sharp" in result.stderr
    assert np.array_equal(read_picture(out).pixels, read_picture(picture).pixels)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--kernel", "auto:box"), "auto: followed by one of"),
        (("--kernel", "auto", "--kernel-size", "8"), "even"),
        (("--kernel", "auto", "--kernel-size", "99"), "cannot be found"),
        (("--kernel", "disk:2", "--kernel-size", "9"), "belong to --kernel auto"),
        (("--kernel", "disk:2", "--save-kernel", "k.png"), "belong to --kernel auto"),
    ],
)
def test_impossible_kernel_estimates_are_usage_errors(
    alr: Alr, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    result = alr("deblur", shaken(tmp_path), *options, "-o", tmp_path / "out.png")
    assert result.code == 2
    assert words in result.stderr
    assert not (tmp_path / "out.png").exists()
