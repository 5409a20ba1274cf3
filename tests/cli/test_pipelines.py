"""The ways `alr` is put together with other tools in a shell."""

import json
from pathlib import Path

import numpy as np
import pytest

from alr_cli.files.pictures import read_picture
from tests.cli.test_streams import CHEAP, shell
from tests.conftest import scene, write_picture


def test_a_picture_through_stdin_and_stdout_keeps_format_and_depth(picture: Path, gray_critic: Path) -> None:
    done = shell(f"cat a.png | alr denoise - --sigma 0.1 {CHEAP} > out.png", picture.parent, gray_critic)
    assert done.returncode == 0
    out = read_picture(picture.with_name("out.png"))
    assert (out.format, out.depth, out.shape) == ("png", "uint8", (24, 32, 3))


def test_two_stages_lose_nothing_between_them(picture: Path, gray_critic: Path) -> None:
    script = f"""
        alr denoise a.png --sigma 25/255 {CHEAP} | tee between.png |
        alr deblur - --kernel gaussian:7:3 -o out.tif {CHEAP}
    """
    done = shell(script, picture.parent, gray_critic)
    assert done.returncode == 0, done.stderr
    between, out = (read_picture(picture.with_name(name)) for name in ("between.png", "out.tif"))
    assert (between.format, between.depth) == ("png", "uint16")
    assert (out.format, out.depth, out.shape) == ("tiff", "uint16", (24, 32, 3))


def test_a_failing_stage_makes_the_next_one_fail_and_write_nothing(picture: Path, gray_critic: Path) -> None:
    script = "alr denoise gone.png | alr deblur - --kernel box:3 -o out.png"
    done = shell(script, picture.parent, gray_critic)
    assert done.returncode == 3
    assert done.stderr.count(b"error: ") == 2
    assert not picture.with_name("out.png").exists()


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    for name in ("a b", "c'd", "e\nf"):
        write_picture(tmp_path / f"frames/{name}.png", scene(16, 16))
    return tmp_path


def test_find_and_xargs(frames: Path, gray_critic: Path) -> None:
    script = f"""
        cd frames
        find . -name '*.png' -print0 | xargs -0 bash -c 'alr denoise -o clean/ --sigma 0.1 {CHEAP} "$@"' alr
    """
    assert shell(script, frames, gray_critic).returncode == 0
    assert len(list((frames / "frames/clean").glob("*.png"))) == 3


def test_a_loop_over_names_does_not_swallow_the_list(frames: Path, gray_critic: Path) -> None:
    script = f"""
        printf '%s\\n' "frames/a b.png" "frames/c'd.png" > list
        while read f; do alr denoise "$f" -o out/ --sigma 0.1 {CHEAP}; done < list
    """
    assert shell(script, frames, gray_critic).returncode == 0
    assert sorted(path.name for path in (frames / "out").iterdir()) == ["a b.png", "c'd.png"]


def test_json_lines_are_read_by_another_program(frames: Path, gray_critic: Path) -> None:
    script = f"""
        alr denoise frames/ -o out/ --sigma 0.1 --json --reference frames {CHEAP} |
        python3 -c 'import json, sys; print(json.dumps([json.loads(line)["psnr"] for line in sys.stdin]))'
    """
    done = shell(script, frames, gray_critic)
    assert done.returncode == 0
    psnr = json.loads(done.stdout)
    assert len(psnr) == 3
    assert np.isfinite(psnr).all()


def test_process_substitution_and_devices_are_read_and_written_directly(
    picture: Path, gray_critic: Path
) -> None:
    done = shell(f"alr denoise <(cat a.png) -o /dev/null {CHEAP}", picture.parent, gray_critic)
    assert (done.returncode, done.stdout) == (0, b"")
    assert Path("/dev/null").is_char_device()
