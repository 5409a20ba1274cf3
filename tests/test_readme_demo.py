"""The output of `make demo` agrees with the README, on processors with and without bfloat16."""

import re
import shlex
from pathlib import Path

import pytest

from tests.conftest import Alr

ROOT = Path(__file__).parent.parent
SAID = re.compile(
    r"(?P<input>examples/\w+\.png) -> demo/.*?: (?P<weights>[\w-]+), .*?(?P<iterations>\d+) iterations, "
    r"PSNR (?P<before>[\d.]+) -> (?P<psnr>[\d.]+) dB, SSIM (?P<ssim>[\d.]+)"
)
BOTH_KINDS = 0.03  # dB, and a tenth of it of SSIM: bfloat16 and float32 differ by up to 0.02


def commands() -> dict[str, list[str]]:
    """Input -> the words of its command in the Makefile, without alr and without its output."""
    lines = [line.strip() for line in (ROOT / "Makefile").read_text().splitlines() if "/alr " in line]
    demo = [shlex.split(line.partition(" -o ")[0])[1:] for line in lines if "examples/" in line]
    return {words[1]: words for words in demo}


def promises() -> list[dict[str, str]]:
    return [found.groupdict() for found in SAID.finditer((ROOT / "README.md").read_text())]


def test_the_readme_has_numbers_for_every_picture_of_the_demo() -> None:
    pictures = {name for name in commands() if name.endswith(".png")}
    assert {said["input"] for said in promises()} == pictures
    assert len(pictures) >= 3


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(said, id=said["input"], marks=() if "noisy" in said["input"] else pytest.mark.slow)
        for said in promises()
    ],
)
def test_the_demo_is_as_good_as_the_readme_says(
    said: dict[str, str], alr: Alr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    done = alr(*commands()[said["input"]], "-o", tmp_path / "x.png", "--json")
    assert done.code == 0, done.stderr
    (found,) = done.lines()
    assert (found["weights"], found["iterations"]) == (said["weights"], int(said["iterations"]))
    assert found["psnr"] == pytest.approx(float(said["psnr"]), abs=BOTH_KINDS)
    assert found["ssim"] == pytest.approx(float(said["ssim"]), abs=BOTH_KINDS / 10)
