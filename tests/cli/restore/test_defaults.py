"""The default prior: color-wide for colour pictures that are denoised in one step, else fields of experts."""

from pathlib import Path

import pytest

from tests.conftest import Alr


@pytest.mark.parametrize(
    ("command", "options", "expected"),
    [
        ("denoise", (), "color-wide"),
        ("denoise", ("--strength", "0.8"), "color-wide"),
        ("denoise", ("--sigma", "0.02", "--strength", "1"), "color-wide"),
        ("denoise", ("--sigma", "0.019", "--strength", "1"), "color-tuned"),
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
