"""Stacks on the command line: restored plane by plane, written like their input, and continued."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from alr_cli.cli.restore import run as run_module
from tests.conftest import FAST, Alr, scene, write_picture

pytestmark = pytest.mark.usefixtures("tiny_weights")


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """stack.tif, an ImageJ stack of T 2, C 2 whose second channel is noisier."""
    planes = [scene(40, 48, channels=1, sigma=0.05 + 0.1 * channel)[..., 0] for channel in (0, 1)]
    data = np.stack([planes, planes[::-1][::-1]])
    metadata = {"axes": "TCYX", "unit": "um", "Labels": ["a", "b", "c", "d"]}
    tifffile.imwrite(tmp_path / "stack.tif", (data * 65535).astype(np.uint16), imagej=True, metadata=metadata)
    return tmp_path / "stack.tif"


def test_a_stack_is_restored_as_its_planes_are(alr: Alr, stack: Path, tmp_path: Path) -> None:
    result = alr("denoise", stack, "-o", tmp_path / "out.tif", "--sigma", 0.1, "--json", *FAST)
    assert result.code == 0, result.stderr
    [line] = result.lines()
    assert (line["status"], line["planes"], line["shape"], line["depth"]) == ("ok", 4, [40, 48, 1], "uint16")
    before, after = tifffile.TiffFile(stack), tifffile.TiffFile(tmp_path / "out.tif")
    with before, after:
        assert after.series[0].axes == before.series[0].axes
        assert after.imagej_metadata == before.imagej_metadata
        restored = after.asarray().reshape(4, 40, 48)
        assert not np.array_equal(restored, before.asarray().reshape(4, 40, 48))
        for number, plane in enumerate(before.asarray().reshape(4, 40, 48)):
            tifffile.imwrite(tmp_path / "plane.tif", plane)
            single = alr(
                "denoise", tmp_path / "plane.tif", "-f", "tiff", "--depth", "16", "--sigma", 0.1, *FAST
            )
            (tmp_path / "single.tif").write_bytes(single.stdout)
            assert np.array_equal(tifffile.imread(tmp_path / "single.tif"), restored[number])
    assert "4 planes (T 2, C 2)" in result.stderr


def test_each_channel_has_its_own_level_of_noise(alr: Alr, stack: Path, tmp_path: Path) -> None:
    result = alr("denoise", stack, "-o", tmp_path / "out.tif", *FAST)
    assert result.code == 0, result.stderr
    assert "estimated, of each channel" in result.stderr
    quiet, loud = (float(text) for text in result.stderr.split("sigma ")[1].split(" (")[0].split(", "))
    assert loud > 2 * quiet
    each = alr("denoise", stack, "-o", tmp_path / "each.tif", "--per-plane", *FAST)
    assert each.code == 0 and "of each channel" not in each.stderr


def test_a_part_of_a_stack_is_taken_by_its_pages(alr: Alr, stack: Path, tmp_path: Path) -> None:
    result = alr("denoise", stack, "-o", tmp_path / "out.tif", "--pages", "2-3", "--sigma", 0.1, *FAST)
    assert result.code == 0, result.stderr
    assert tifffile.imread(tmp_path / "out.tif").shape == (2, 40, 48)
    assert "plain list" in result.stderr


def test_a_stack_goes_through_stdout_and_every_command(alr: Alr, stack: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "mask.png", np.pad(np.ones((3, 3, 1), np.float32), ((9, 28), (9, 36), (0, 0))))
    for command in (("inpaint", "--mask", tmp_path / "mask.png"), ("deblur", "--kernel", "gaussian:3:1")):
        result = alr(command[0], stack, *command[1:], "--sigma", 0.1, "--depth", "8", *FAST)
        assert result.code == 0, result.stderr
        (tmp_path / "out.tif").write_bytes(result.stdout)
        assert tifffile.imread(tmp_path / "out.tif").dtype == np.uint8
        assert tifffile.imread(tmp_path / "out.tif").shape == (2, 2, 40, 48)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("-o", "out.png"), 4, "write a TIFF"),
        (("-o", "out.tif", "-f", "png"), 2, "contradict"),
        (("-o", "out.tif", "--reference", "stack.tif"), 2, "--page"),
        (("-o", "out.tif", "--pages", "3-9"), 3, "it holds 4"),
        (("-o", "out.tif", "--pages", "3-2"), 2, "--pages"),
        (("-o", "out.tif", "--pages", "0-2"), 2, "--pages"),
        (("-o", "out.tif", "--pages", "1-2", "--page", "1"), 2, "--page"),
        (("-o", "out.tif", "--trace", "trace.csv"), 2, "is a stack"),
    ],
)
def test_impossible_options_for_stacks_are_refused(
    alr: Alr, stack: Path, options: tuple[str, ...], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(stack.parent)
    result = alr("denoise", "stack.tif", *options, *FAST)
    assert (result.code, result.stderr.count("\n")) == (code, 1) and said in result.stderr
    assert sorted(path.name for path in stack.parent.iterdir()) == ["stack.tif"]


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def mixed(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        for shape in ((40, 48), (40, 40)):
            writer.write(np.zeros(shape, np.uint8), metadata=None)


@pytest.mark.parametrize("spoil", [cut_off, mixed])
def test_a_stack_that_is_cut_off_or_mixed_is_one_sentence(
    alr: Alr, stack: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(stack)
    result = alr("denoise", stack, "-o", tmp_path / "out.tif", *FAST)
    assert (result.code, result.stderr.count("\n")) == (3, 1), result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["stack.tif"]


def test_pages_of_a_single_picture_are_refused(alr: Alr, picture: Path) -> None:
    result = alr("denoise", picture, "--pages", "1-2")
    assert result.code == 3 and "is not a stack" in result.stderr


def test_a_plane_that_is_damaged_leaves_nothing_behind(alr: Alr, tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    data = (np.random.default_rng(0).random((3, 40, 48)) * 65535).astype(np.uint16)
    tifffile.imwrite(path, data, metadata=None, photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset = file.pages[2].dataoffsets[0]
    spoiled = bytearray(path.read_bytes())
    spoiled[offset : offset + 40] = bytes(40)
    path.write_bytes(spoiled)
    result = alr("denoise", path, "-o", tmp_path / "out.tif", "--sigma", 0.1, *FAST)
    assert result.code == 3 and "plane 3" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["stack.tif"]


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """[n]: the restoration after the n-th is interrupted as by Ctrl-C; [-1]: none."""
    left = [-1]
    solve = run_module._Batch._solve

    def watched(batch, loaded):  # type: ignore[no-untyped-def]
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return solve(batch, loaded)

    monkeypatch.setattr(run_module._Batch, "_solve", watched)
    return left


def test_a_stopped_stack_continues_to_the_same_result(
    alr: Alr, stack: Path, tmp_path: Path, stopping: list[int]
) -> None:
    command = ("denoise", stack, "-o", tmp_path / "out.tif", "--sigma", 0.1, "--skip-existing")
    stopping[0] = 2
    stopped = alr(*command, *FAST)
    assert stopped.code == 130 and "2 planes are kept" in stopped.stderr
    kept = tmp_path / ".out.tif.alr-planes"
    assert kept.exists() and not (tmp_path / "out.tif").exists()
    with kept.open("ab") as file:
        file.write(b"half a plane")
    stopping[0] = 2  # as many are left
    resumed = alr(*command, *FAST)
    assert resumed.code == 0 and "continues after 2 planes" in resumed.stderr, resumed.stderr
    stopping[0] = -1
    assert alr("denoise", stack, "-o", tmp_path / "whole.tif", "--sigma", 0.1, *FAST).code == 0
    assert (tmp_path / "out.tif").read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.tif", "stack.tif", "whole.tif"]
    assert "skipped" in alr(*command, *FAST).stderr


@pytest.mark.parametrize("change", [("--strength", "2"), ("--sigma", "0.2"), ("--pages", "1-3")])
def test_planes_of_other_options_are_not_reused(
    alr: Alr, stack: Path, tmp_path: Path, stopping: list[int], change: tuple[str, str]
) -> None:
    command = ["denoise", stack, "-o", tmp_path / "out.tif", "--sigma", "0.1", "--skip-existing", *FAST]
    stopping[0] = 2
    assert alr(*command).code == 130
    stopping[0] = -1
    result = alr(*command, *change)
    assert result.code == 0 and "continues" not in result.stderr


def test_without_skip_existing_a_stopped_stack_leaves_no_files(
    alr: Alr, stack: Path, tmp_path: Path, stopping: list[int]
) -> None:
    stopping[0] = 2
    assert alr("denoise", stack, "-o", tmp_path / "out.tif", "--sigma", 0.1, *FAST).code == 130
    assert [path.name for path in tmp_path.iterdir()] == ["stack.tif"]


def test_a_stack_among_pictures_is_one_of_the_batch(
    alr: Alr, stack: Path, picture: Path, tmp_path: Path
) -> None:
    mixed(tmp_path / "bad.tif")
    inputs = (stack, tmp_path / "bad.tif", picture)
    result = alr("denoise", *inputs, "-o", f"{tmp_path}/out/", "--sigma", 0.1, "--json", *FAST)
    assert result.code == 7
    assert [line["status"] for line in result.lines()] == ["ok", "failed", "ok"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "stack.tif"]
