"""The default prior: the wide energy where it denoises in one step or follows its path, else fields of
experts."""

from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Alr


@pytest.mark.parametrize(
    ("command", "options", "expected"),
    [
        ("denoise", (), "color-wide"),
        ("denoise", ("--strength", "0.8"), "color-wide"),
        ("denoise", ("--sigma", "0.01", "--strength", "1"), "color-wide"),
        ("denoise", ("--sigma", "0.0099", "--strength", "1"), "color-tuned"),
        ("denoise", ("--noise", "poisson:0.01:0.05"), "color-wide"),
        ("denoise", ("--noise", "poisson:0.01:0.05", "--sigma", "0.009"), "color-tuned"),
        ("denoise", ("--solver", "fourier", "--max-iter", "2"), "color-tuned"),
        ("denoise", ("--lam", "0.1", "--max-iter", "2"), "color-tuned"),
        ("denoise", ("--trace", "steps.csv", "--max-iter", "2"), "color-tuned"),
        ("deblur", ("--kernel", "box:3", "--max-iter", "2"), "color-tuned"),
        ("deblur", ("--kernel", "box:3"), "color-wide"),
        ("inpaint", ("--missing", "0.5"), "color-tuned"),
        ("inpaint", ("--missing", "0.5", "--sigma", "0"), "color-wide"),
        ("upscale", ("--scale", "2"), "color-wide"),
    ],
)
def test_the_default_prior_depends_on_the_options(
    alr: Alr,
    picture: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    options: tuple[str, ...],
    expected: str,
) -> None:
    monkeypatch.chdir(picture.parent)
    result = alr(command, picture, "--sigma", "0.1", "--json", "-o", "out.png", *options)
    assert result.code == 0
    assert result.lines()[0]["weights"] == expected


@pytest.mark.parametrize(
    ("command", "options", "expected"),
    [
        ("denoise", (), "gray-wide"),
        ("denoise", ("--sigma", "0.0099"), "gray-tuned"),
        ("deblur", ("--kernel", "box:3"), "gray-wide"),
        ("inpaint", ("--missing", "0.5", "--sigma", "0"), "gray-wide"),
        ("inpaint", ("--missing", "0.9", "--sigma", "0"), "gray-holes"),
        ("upscale", ("--scale", "2"), "gray-wide"),
    ],
)
def test_gray_pictures_have_a_wide_prior_too(
    alr: Alr, picture: Path, command: str, options: tuple[str, ...], expected: str
) -> None:
    gray, out = picture.with_name("gray.png"), picture.with_name("out.png")
    Image.open(picture).convert("L").save(gray)
    result = alr(command, gray, "--sigma", "0.1", "--json", "-o", out, *options)
    assert result.code == 0
    assert result.lines()[0]["weights"] == expected
