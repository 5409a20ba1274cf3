"""Output for people and for programs."""

import io
import json
import math
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from alr_cli.cli.options.common import ReportOptions
from alr_cli.cli.report.records import Record, Report, json_line, printable
from alr_cli.cli.streams import Streams
from tests.conftest import Alr, environment, scene, write_picture


def test_json_holds_no_nan_and_no_infinity() -> None:
    record = Record(
        input="a", output=None, status="ok", energy=math.nan, psnr=math.inf, lam=-math.inf, sigma=0.5
    )
    fields = json.loads(record.as_json(), parse_constant=lambda text: pytest.fail(text))
    assert (fields["energy"], fields["psnr"], fields["lambda"], fields["sigma"]) == (None, None, None, 0.5)
    assert json.loads(json_line({"deep": [{"x": math.nan}]})) == {"deep": [{"x": None}]}


def test_a_json_line_is_ascii_and_one_line_whatever_the_name() -> None:
    line = Record(input="ü\n\x1b\udcff", output="-", status="ok").as_json()
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line)["input"] == "ü\n\x1b\udcff"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ü 図", "plain ü 図"),
        ("a\nb", "a\\nb"),
        ("\x1b[31m", "\\x1b[31m"),
        ("\udcff", "\\udcff"),
        ("\u202e", "\\u202e"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_closed_stderr_does_not_stop_the_work() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    with Report(Streams(None, None, Gone()), ReportOptions()) as report:
        report.say("hello")
        report.warn("careful")
        report.fail("a.png", ValueError("x"))


@pytest.fixture
def batch(tmp_path: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    monkeypatch.setenv("TERM", "xterm")
    for name in "ab":
        write_picture(tmp_path / f"in/{name}.png", scene(16, 16))
    return ["denoise", tmp_path / "in", "-o", f"{tmp_path}/out/", "--overwrite", "--max-iter", "3"]


def test_a_terminal_sees_progress_of_iterations_and_files(alr: Alr, batch: list[object]) -> None:
    seen = alr(*batch, stderr_is_terminal=True).stderr
    assert "\x1b[" in seen
    assert "energy" in seen
    assert re.search(r"(\d|-):(\d\d|--):(\d\d|--)", seen)  # the time left
    assert "3/3" in seen
    assert "2/2" in seen


def test_a_single_picture_has_no_bar_of_files(alr: Alr, batch: list[object], tmp_path: Path) -> None:
    seen = alr("denoise", tmp_path / "in/a.png", *batch[2:], stderr_is_terminal=True).stderr
    assert "energy" in seen
    assert "pictures" not in seen


@pytest.mark.parametrize("option", ["-q", "--json", "--no-progress"])
def test_progress_is_not_shown_where_it_is_not_wanted(alr: Alr, batch: list[object], option: str) -> None:
    assert "\x1b" not in alr(*batch, option, stderr_is_terminal=True).stderr


def test_progress_is_not_shown_without_a_terminal_or_on_a_dumb_one(
    alr: Alr, batch: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "\x1b" not in alr(*batch).stderr
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in alr(*batch, stderr_is_terminal=True).stderr


def test_on_a_real_terminal_the_picture_goes_beside_its_input_and_progress_to_stderr(
    picture: Path, gray_critic: Path
) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "alr_cli", "denoise", str(picture), "--max-iter", "5"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(gray_critic) | {"TERM": "xterm"},
    )
    os.close(slave)
    seen = b""
    while piece := _read(master):
        seen += piece
    os.close(master)
    assert process.wait(timeout=30) == 0
    beside = picture.with_name("a.denoise.png")
    assert beside.exists()
    assert b"energy" in seen
    assert b"a.denoise.png" in seen
    assert b"PNG" not in seen.replace(b".PNG", b"")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # the other end has closed
        return b""
