"""Whatever stands behind the three streams: stdout is empty, a picture or JSON, the exit code right."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from alr_cli.files.pictures import decode, read_picture
from tests.conftest import FAST, environment, scene, write_picture

CHEAP = " ".join(FAST)


def shell(script: str, folder: Path, weights: Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    """`script` in bash, `alr` being this package."""
    lines = f'alr() {{ "{sys.executable}" -m alr_cli "$@"; }}; export -f alr; set -o pipefail; {script}'
    return subprocess.run(
        ["bash", "-c", lines], cwd=folder, env=environment(weights) | env, capture_output=True, timeout=60
    )


@pytest.mark.parametrize(
    ("redirections", "env"),
    [
        ("</dev/null", {"TERM": "dumb"}),
        ("2>/dev/null", {"LC_ALL": "C", "LANG": "C"}),
        ("2>&- <&-", {}),
    ],
)
def test_a_picture_goes_to_stdout_whatever_the_other_streams_are(
    tmp_path: Path, gray_critic: Path, redirections: str, env: dict[str, str]
) -> None:
    path = write_picture(tmp_path / "ünï \udcff.png", scene())
    done = shell(f"alr denoise ./*.png {CHEAP} {redirections}", tmp_path, gray_critic, **env)
    assert done.returncode == 0
    assert decode(done.stdout).shape == read_picture(path).shape
    assert b"\x1b" not in done.stderr


def test_json_stays_json_without_a_terminal_in_a_c_locale(tmp_path: Path, gray_critic: Path) -> None:
    write_picture(tmp_path / "ünï.png", scene())
    script = f"setsid -w bash -c 'alr denoise ./*.png -o x.tif --json {CHEAP}'"
    done = shell(script, tmp_path, gray_critic, LC_ALL="C", TERM="")
    assert done.returncode == 0
    assert json.loads(done.stdout)["input"] == "ünï.png"


@pytest.mark.parametrize("options", ["", "-o x.tif --json"])
def test_a_reader_that_leaves_ends_it_quietly(picture: Path, gray_critic: Path, options: str) -> None:
    script = f"alr denoise a.png -q {options} {CHEAP} | true; exit ${{PIPESTATUS[0]}}"
    done = shell(script, picture.parent, gray_critic)
    assert (done.returncode, done.stdout, done.stderr) == (4, b"", b"")


def test_help_into_a_closed_pipe_is_quiet(tmp_path: Path, gray_critic: Path) -> None:
    done = shell("alr denoise --help | true; exit ${PIPESTATUS[0]}", tmp_path, gray_critic)
    assert done.returncode in (0, 4)  # 0 where the pipe took it all before its reader left
    assert done.stderr == b""


def test_a_closed_stdout_is_an_output_that_cannot_be_written(picture: Path, gray_critic: Path) -> None:
    done = shell("alr denoise a.png >&-", picture.parent, gray_critic)
    assert done.returncode == 4
    assert b"stdout is closed" in done.stderr
    assert read_picture(picture).shape == (24, 32, 3)


@pytest.mark.parametrize("redirection", ["</dev/null", "<&-"])
def test_an_empty_stdin_is_an_input_error_only_where_it_is_asked_for(
    picture: Path, gray_critic: Path, redirection: str
) -> None:
    done = shell(f"alr denoise - {redirection}", picture.parent, gray_critic)
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"stdin is empty" in done.stderr


def test_a_full_disk_leaves_the_old_file_whole(picture: Path, gray_critic: Path) -> None:
    """A limit on the size of files stands for the disk."""
    big = write_picture(picture.with_name("big.png"), scene(100, 100))
    output = picture.with_name("out.png")
    output.write_bytes(b"old")
    before = sorted(path.name for path in picture.parent.iterdir())
    assert big.stat().st_size > 8192
    done = shell(
        f"ulimit -f 4; alr denoise big.png -o out.png --overwrite {CHEAP}", picture.parent, gray_critic
    )
    assert done.returncode == 4
    assert b"error: " in done.stderr
    assert output.read_bytes() == b"old"
    assert sorted(path.name for path in picture.parent.iterdir()) == before


def test_a_device_that_is_full_is_an_output_error(picture: Path, gray_critic: Path) -> None:
    done = shell(f"alr denoise a.png {CHEAP} > /dev/full", picture.parent, gray_critic)
    assert done.returncode == 4
    assert b"No space left" in done.stderr
