"""`alr` combined with other tools in a shell. The commands are those of the README."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from alr_cli.files.pictures import read_picture
from tests.conftest import Shell, scene, write_picture

AWKWARD = ("a b", "c'd", "e\nf")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """in.png, and frames/ with names that are difficult for shells."""
    write_picture(tmp_path / "in.png", scene(12, 16))
    for name in AWKWARD:
        write_picture(tmp_path / f"frames/{name}.png", scene(12, 16))
    return tmp_path


def test_a_picture_through_stdin_and_stdout_keeps_format_and_depth(place: Path, shell: Shell) -> None:
    done = shell("cat in.png | alr denoise - --sigma 0.1 > out.png", place)
    assert done.returncode == 0, done.stderr
    out = read_picture(place / "out.png")
    assert (out.format, out.depth, out.shape) == ("png", "uint8", (12, 16, 3))
    assert not np.array_equal(out.pixels, read_picture(place / "in.png").pixels)


def test_two_stages_lose_nothing_between_them(place: Path, shell: Shell) -> None:
    done = shell(
        "alr denoise in.png --sigma 25/255 | tee between.png | alr deblur - --kernel gaussian:7:3 -o out.tif",
        place,
    )
    assert done.returncode == 0, done.stderr
    between, out = (read_picture(place / name) for name in ("between.png", "out.tif"))
    assert (between.format, between.depth) == ("png", "uint16")
    assert (out.format, out.depth, out.shape) == ("tiff", "uint16", (12, 16, 3))
    assert not np.array_equal(out.pixels, between.pixels)


def test_a_failing_stage_makes_the_next_one_fail_and_write_nothing(place: Path, shell: Shell) -> None:
    done = shell("alr denoise gone.png | alr deblur - --kernel box:3 -o out.png", place)
    assert done.returncode == 3
    assert done.stderr.count(b"error: ") == 2
    assert not (place / "out.png").exists()


def test_find_and_xargs(place: Path, shell: Shell) -> None:
    script = "find . -name '*.png' -print0 | xargs -0 alr denoise -o clean/ --sigma 0.1"
    done = shell(script, place / "frames")
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in (place / "frames/clean").iterdir()} == set(AWKWARD)


def test_a_loop_over_names_does_not_swallow_the_list(place: Path, shell: Shell) -> None:
    (place / "list").write_text("frames/a b.png\nframes/c'd.png\n")
    done = shell('while read f; do alr denoise "$f" -o out/; done < list', place)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (place / "out").iterdir()) == ["a b.png", "c'd.png"]


def test_json_lines_are_read_by_another_program(place: Path, shell: Shell) -> None:
    read = "import json, sys; print([json.loads(line)['psnr'] for line in sys.stdin])"
    script = f'alr denoise frames/ -o out/ --json --reference frames | "{sys.executable}" -c "{read}"'
    done = shell(script, place)
    assert done.returncode == 0, done.stderr
    psnr = json.loads(done.stdout)
    assert len(psnr) == 3
    assert np.isfinite(psnr).all()


def test_process_substitution_and_devices_are_read_and_written_directly(place: Path, shell: Shell) -> None:
    done = shell("alr denoise <(cat in.png) -o /dev/null", place)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
    assert Path("/dev/null").is_char_device()
