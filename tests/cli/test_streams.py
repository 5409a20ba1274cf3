"""All kinds of standard streams: stdout is empty, a picture or JSON, and the exit code is right."""

import json
from pathlib import Path

import pytest

from alr_cli.files.pictures import decode, read_picture
from tests.conftest import FAST, Alr, Shell, scene, write_picture

CHEAP = " ".join(FAST)


TASKS = {
    "denoise": [],
    "deblur": ["--kernel", "box:3"],
    "inpaint": ["--missing", "0.1"],
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.usefixtures("tiny_weights")
def test_stdout_is_empty_a_picture_or_json_and_all_else_goes_to_stderr(
    alr: Alr, picture: Path, task: str
) -> None:
    out = picture.with_name("out.tif")
    command = (task, picture, *TASKS[task], "-v", "--overwrite", *FAST)
    assert decode(alr(*command).stdout).shape == (24, 32, 3)
    assert decode(alr(*command, "-o", "-").stdout).shape == (24, 32, 3)
    [line] = alr(*command, "-o", out, "--json").lines()
    assert line["status"] == "ok"
    assert alr(*command, "-o", out).stdout == b""
    refused = alr(*command, "--sigma", "25")
    assert (refused.stdout, refused.stderr.count("\n")) == (b"", 1)


@pytest.mark.usefixtures("tiny_weights")
def test_at_a_terminal_the_picture_is_written_beside_its_input_and_its_path_said(
    alr: Alr, picture: Path
) -> None:
    result = alr("denoise", picture, *FAST, stdout_kind="terminal")
    beside = picture.with_name("a.denoise.png")
    assert (result.code, result.stdout) == (0, b"")
    assert str(beside) in result.stderr
    assert read_picture(beside).shape == (24, 32, 3)


@pytest.mark.parametrize(
    ("redirections", "env"),
    [
        ("</dev/null 2>/dev/null", {"TERM": "dumb", "LC_ALL": "C", "LANG": "C"}),
        ("2>&- <&-", {}),
    ],
)
def test_a_picture_goes_to_stdout_whatever_the_other_streams_are(
    tmp_path: Path, shell: Shell, redirections: str, env: dict[str, str]
) -> None:
    path = write_picture(tmp_path / "ünï \udcff.png", scene())
    done = shell(f"alr denoise ./*.png {CHEAP} {redirections}", tmp_path, **env)
    assert done.returncode == 0
    assert decode(done.stdout).shape == read_picture(path).shape
    assert b"\x1b" not in done.stderr


def test_json_stays_json_without_a_terminal_in_a_c_locale(tmp_path: Path, shell: Shell) -> None:
    write_picture(tmp_path / "ünï.png", scene())
    done = shell(f"setsid -w alr denoise ./*.png -o x.tif --json {CHEAP}", tmp_path, LC_ALL="C", TERM="")
    assert done.returncode == 0
    assert json.loads(done.stdout)["input"] == "ünï.png"


@pytest.mark.parametrize("options", ["", "-o x.tif --json"])
def test_a_reader_that_leaves_ends_it_quietly(picture: Path, shell: Shell, options: str) -> None:
    script = f"alr denoise a.png -q {options} {CHEAP} | true; exit ${{PIPESTATUS[0]}}"
    done = shell(script, picture.parent)
    assert (done.returncode, done.stdout, done.stderr) == (4, b"", b"")


def test_help_into_a_closed_pipe_is_quiet(tmp_path: Path, shell: Shell) -> None:
    done = shell("alr denoise --help | true; exit ${PIPESTATUS[0]}", tmp_path)
    assert done.returncode in (0, 4)  # 0 where the pipe took it all before its reader left
    assert done.stderr == b""


def test_a_closed_stdout_is_an_output_that_cannot_be_written(picture: Path, shell: Shell) -> None:
    done = shell("alr denoise a.png >&-", picture.parent)
    assert done.returncode == 4
    assert b"stdout is closed" in done.stderr
    assert read_picture(picture).shape == (24, 32, 3)


@pytest.mark.parametrize("redirection", ["</dev/null", "<&-"])
def test_an_empty_stdin_is_an_input_error_only_where_it_is_asked_for(
    picture: Path, shell: Shell, redirection: str
) -> None:
    done = shell(f"alr denoise - {redirection}", picture.parent)
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"stdin is empty" in done.stderr


def test_a_full_disk_leaves_the_old_file_whole(picture: Path, shell: Shell) -> None:
    """A limit on the size of files stands for the disk."""
    big = write_picture(picture.with_name("big.png"), scene(100, 100))
    output = picture.with_name("out.png")
    output.write_bytes(b"old")
    before = sorted(path.name for path in picture.parent.iterdir())
    assert big.stat().st_size > 8192
    done = shell(f"ulimit -f 4; alr denoise big.png -o out.png --overwrite {CHEAP}", picture.parent)
    assert done.returncode == 4
    assert b"error: " in done.stderr
    assert output.read_bytes() == b"old"
    assert sorted(path.name for path in picture.parent.iterdir()) == before


def test_a_device_that_is_full_is_an_output_error(picture: Path, shell: Shell) -> None:
    done = shell(f"alr denoise a.png {CHEAP} > /dev/full", picture.parent)
    assert done.returncode == 4
    assert b"No space left" in done.stderr
