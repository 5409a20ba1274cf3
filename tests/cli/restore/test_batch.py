"""Inputs and outputs: names, folders, collisions and existing files, all checked before any work."""

import io
import os
from pathlib import Path
from typing import Any

import pytest

from alr_cli.cli.options.files import FileOptions
from alr_cli.cli.restore.batch import Job, Remaining, plan
from alr_cli.cli.restore.sources import find_sources, partner
from alr_cli.cli.streams import StdoutKind, Streams
from alr_cli.errors import AlrError, InputError, OutputError, UsageError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


def streams(kind: StdoutKind = "pipe", file: tuple[int, int] | None = None) -> Streams:
    return Streams(io.BytesIO(), io.BytesIO(), io.StringIO(), kind, stdout_file=file)


def planned(*inputs: object, kind: StdoutKind = "pipe", json: bool = False, **options: Any) -> list[Job]:
    return plan(
        [str(each) for each in inputs],
        FileOptions(**options),
        command="denoise",
        streams=streams(kind),
        json_on_stdout=json,
    ).jobs


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """in/{b.png, a.jpg, sub/c.tif, sub/deep/d.png}, a hidden file, a text file and a folder of outputs."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "in/b.png",
        "in/a.jpg",
        "in/sub/c.tif",
        "in/sub/deep/d.png",
        "in/.hidden.png",
        "in/notes.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PNG)
    return tmp_path


def outputs(jobs: list[Job]) -> list[str]:
    return [job.output for job in jobs]


def test_one_input_without_output_goes_to_a_pipe_or_a_file(tree: Path) -> None:
    for kind in ("pipe", "file"):
        assert outputs(planned("in/b.png", kind=kind)) == ["-"]


def test_one_input_without_output_at_a_terminal_is_written_beside_itself(tree: Path) -> None:
    assert outputs(planned("in/b.png", kind="terminal")) == ["in/b.denoise.png"]
    assert outputs(planned("in/b.png", kind="terminal", format="jpeg")) == ["in/b.denoise.jpg"]


def test_with_json_on_stdout_the_picture_is_written_beside_its_input(tree: Path) -> None:
    assert outputs(planned("in/b.png", json=True)) == ["in/b.denoise.png"]


def test_several_inputs_without_output_are_written_beside_themselves(tree: Path) -> None:
    assert outputs(planned("in/b.png", "in/a.jpg")) == ["in/b.denoise.png", "in/a.denoise.jpg"]


def test_a_folder_is_sorted_and_its_subfolders_are_ignored(tree: Path) -> None:
    assert outputs(planned("in", output="out/")) == ["out/a.jpg", "out/b.png"]


def test_recursion_mirrors_the_tree(tree: Path) -> None:
    found = outputs(planned("in", output="out/", recursive=True))
    assert found == ["out/a.jpg", "out/b.png", "out/sub/c.tif", "out/sub/deep/d.png"]


def test_recursion_does_not_read_its_own_outputs(tree: Path) -> None:
    (tree / "in/out").mkdir()
    (tree / "in/out/old.png").write_bytes(PNG)
    assert "in/out/old.png" not in [str(job.source) for job in planned("in", output="in/out", recursive=True)]


def test_earlier_outputs_with_the_same_suffix_are_not_inputs(tree: Path) -> None:
    (tree / "in/b_x.png").write_bytes(PNG)
    jobs = planned("in", suffix="_x", skip_existing=True)
    assert [(str(job.source), job.output, job.skip) for job in jobs] == [
        ("in/a.jpg", "in/a_x.jpg", False),
        ("in/b.png", "in/b_x.png", True),
    ]


@pytest.mark.parametrize(
    ("files", "options", "words"),
    [
        ((), {}, ["no pictures found in x: it is empty"]),
        (("a/b.png", "c/d.png"), {}, ["no pictures found in x: it holds 2 folders: -r looks into folders"]),
        (
            ("a/b.txt",),
            {"recursive": True},
            ["in x and its folders: it holds 1 file with none of the suffixes"],
        ),
        (("a.CR2", "b.nef"), {}, ["2 files .cr2, .nef (develop camera RAW files to 16-bit TIFF first"]),
        (("a.HEIC", "b.dng", "n.txt"), {}, [".dng (develop", ".heic (convert", "1 file with none of"]),
        (("a_x.png",), {"suffix": "_x"}, ["1 file that --suffix takes for earlier outputs"]),
        (("a/c.arw",), {"recursive": True}, ["1 file .arw (develop"]),
    ],
)
def test_a_folder_without_pictures_is_an_error_that_lists_its_contents(
    tree: Path, files: tuple[str, ...], options: dict[str, Any], words: list[str]
) -> None:
    (tree / "x").mkdir()
    for name in files:
        (tree / "x" / name).parent.mkdir(exist_ok=True)
        (tree / "x" / name).write_bytes(PNG)
    for output in ({"output": "out/"}, {}) if "suffix" in options else ({"output": "out/"},):
        with pytest.raises(InputError) as caught:
            planned("x", **output, **options)
        for word in words:
            assert word in str(caught.value)


def test_beside_pictures_only_others_that_look_like_pictures_are_mentioned(tree: Path) -> None:
    assert find_sources(["in"]).notes == ()
    (tree / "in/a.cr2").write_bytes(PNG)
    (tree / "in/b.heic").write_bytes(PNG)
    (tree / "empty").mkdir()
    first, second = find_sources(["in", "empty"]).notes
    assert first.startswith("left out of in: 1 file .cr2 (develop")
    assert ".heic (convert" in first
    assert second == "no pictures found in empty: it is empty"


def test_pipes_and_devices_in_a_folder_are_left_out_with_a_note(tree: Path) -> None:
    os.mkfifo(tree / "in/pipe.png")
    (tree / "in/null.jpg").symlink_to("/dev/null")
    (tree / "in/gone.png").symlink_to("nothing")
    found = find_sources(["in"])
    assert [str(source) for source in found.sources] == ["in/a.jpg", "in/b.png", "in/gone.png"]
    assert len(found.notes) == 2
    assert all("is skipped: it is a pipe or a device" in note for note in found.notes)
    assert [str(source) for source in find_sources(["in/pipe.png"]).sources] == ["in/pipe.png"]


def test_a_pipe_in_a_folder_of_masks_or_outputs_is_refused(tree: Path) -> None:
    for folder in ("masks", "out"):
        (tree / folder).mkdir()
        os.mkfifo(tree / folder / "b.png")
    [source] = find_sources(["in/b.png"]).sources
    with pytest.raises(InputError, match="pipe or a device"):
        partner(Path("masks"), source, "--mask")
    assert partner(Path("masks/b.png"), source, "--mask") == Path("masks/b.png")
    with pytest.raises(OutputError, match="pipe or a device"):
        planned("in/b.png", output="out/")


@pytest.mark.parametrize(
    ("given", "output"),
    [
        ({"output": "out/"}, "out/b.png"),
        ({"output": "out/", "suffix": "_clean"}, "out/b_clean.png"),
        ({"output": "out/", "format": "tiff"}, "out/b.tif"),
        ({"output": "in"}, None),
        ({"output": "x.jpeg"}, "x.jpeg"),
        ({"output": "-"}, "-"),
        ({"suffix": "_clean"}, "in/b_clean.png"),
    ],
)
def test_the_name_of_an_output(tree: Path, given: dict[str, Any], output: str | None) -> None:
    if output is None:
        with pytest.raises(OutputError, match="also read"):
            planned("in/b.png", **given)
    else:
        assert outputs(planned("in/b.png", **given)) == [output]


def test_a_name_without_a_known_suffix_gets_that_of_the_format(tree: Path) -> None:
    (tree / "scan.v2").write_bytes(PNG)
    assert outputs(planned("scan.v2", output="out/")) == ["out/scan.v2.png"]


REFUSED: list[tuple[list[str], dict[str, Any], type[AlrError], str]] = [
    (["in/b.png", "in/a.jpg"], {"output": "one.png"}, UsageError, "slash"),
    (["in/b.png", "in/a.jpg"], {"output": "-"}, UsageError, "folder"),
    (["in"], {}, UsageError, "a place"),
    (["in"], {"output": "out"}, UsageError, "slash"),
    (["-", "in/b.png"], {"output": "out/"}, UsageError, "cannot be combined"),
    (["in/b.png"], {"output": "x.jpg", "format": "png"}, UsageError, "contradict"),
    (["in/b.png"], {"output": "x.gif"}, OutputError, "format"),
    (["in/b.png"], {"output": "x"}, OutputError, "format"),
    (["in/b.png"], {"output": "in/b.png", "overwrite": True}, OutputError, "also read"),
    (["in/b.png"], {"output": "in/../in/b.png", "overwrite": True}, OutputError, "also read"),
    (["in/b.png", "in/a.jpg"], {"output": "in", "overwrite": True}, OutputError, "also read"),
    (["in/b.png", "copy/b.png"], {"output": "out/"}, OutputError, "both"),
    (["in/b.png", "in/b.png"], {"output": "out/"}, OutputError, "both"),
    (["in/b.png"], {"output": "nowhere/x.png"}, OutputError, "make it first"),
    (["in/b.png"], {"output": "in/a.jpg/x.png"}, OutputError, "not an existing folder"),
    (["in/b.png"], {"output": "in/notes.txt/"}, OutputError, "not an existing folder"),
    (["in/b.png"], {"output": "old.png"}, OutputError, "--overwrite"),
]


@pytest.mark.parametrize(("inputs", "options", "error", "words"), REFUSED)
def test_impossible_outputs_are_refused_before_any_work(
    tree: Path, inputs: list[str], options: dict[str, Any], error: type[AlrError], words: str
) -> None:
    (tree / "copy").mkdir()
    (tree / "copy/b.png").write_bytes(PNG)
    (tree / "old.png").write_bytes(b"old")
    with pytest.raises(error, match=words):
        planned(*inputs, **options)
    assert (tree / "old.png").read_bytes() == b"old"
    assert not (tree / "out").exists()


def test_a_folder_without_permission_is_refused_before_any_work(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # who runs the tests may be allowed everything
    with pytest.raises(OutputError, match="no permission"):
        planned("in/b.png", output="x.png")


@pytest.mark.parametrize(
    "name",
    [
        "https://example.org/a.png",
        "file:///a.png",
        "imageio:chelsea.png",
        "<screen>",
        "<video0>",
        "a.zip/a.png",
    ],
)
def test_addresses_that_imageio_would_open_are_names_of_files(tree: Path, name: str) -> None:
    [job] = planned(name, output="x.png")
    assert isinstance(job.problem, InputError)
    assert "does not exist" in str(job.problem) or "cannot be opened" in str(job.problem)


def test_links_do_not_hide_that_an_output_is_an_input(tree: Path) -> None:
    (tree / "link.png").symlink_to("in/b.png")
    (tree / "door").symlink_to("in")
    for name in ("link.png", "door/b.png"):
        with pytest.raises(OutputError, match="also read"):
            planned("in/b.png", output=name, overwrite=True)


@pytest.mark.parametrize(
    ("output", "reads", "report"),
    [
        ("masks/b.png", ("masks/b.png", None), None),
        ("masks", ("masks",), None),
        ("log.png", (), "log.png"),
        ("x.png", (), "in/b.png"),
        ("x.png", ("masks/b.png",), "masks/b.png"),
    ],
)
def test_masks_references_and_reports_are_never_replaced_or_mixed_up(
    tree: Path, output: str, reads: tuple[str | None, ...], report: str | None
) -> None:
    (tree / "masks").mkdir()
    (tree / "masks/b.png").write_bytes(PNG)
    options = FileOptions(output=output, overwrite=True)
    with pytest.raises(OutputError, match="also read"):
        plan(["in/b.png"], options, command="inpaint", streams=streams(), reads=reads, report=report)


def test_stdout_that_is_the_input_itself_is_refused(tree: Path) -> None:
    status = (tree / "in/b.png").stat()
    with pytest.raises(OutputError, match="itself"):
        plan(
            ["in/b.png"],
            FileOptions(),
            command="denoise",
            streams=streams("file", (status.st_dev, status.st_ino)),
        )


@pytest.mark.parametrize(
    ("kind", "options", "json", "error"),
    [
        ("terminal", {"output": "-"}, False, UsageError),
        ("terminal", {}, False, UsageError),
        ("pipe", {"output": "-"}, True, UsageError),
        ("pipe", {}, True, UsageError),
        ("closed", {}, False, OutputError),
    ],
)
def test_stdin_needs_a_stdout_that_can_take_the_picture(
    kind: StdoutKind, options: dict[str, Any], json: bool, error: type[AlrError]
) -> None:
    with pytest.raises(error):
        planned("-", kind=kind, json=json, **options)


def test_existing_outputs_are_kept_replaced_or_refused(tree: Path) -> None:
    (tree / "out").mkdir()
    (tree / "out/a.jpg").write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"):
        planned("in", output="out")
    assert [job.skip for job in planned("in", output="out", skip_existing=True)] == [True, False]
    assert [job.skip for job in planned("in", output="out", overwrite=True)] == [False, False]


def test_pipes_and_devices_are_not_existing_files(tree: Path) -> None:
    os.mkfifo(tree / "fifo")
    for name in ("fifo", "/dev/null"):
        [job] = planned("in/b.png", output=name)
        assert (job.output, job.format, job.skip) == (name, None, False)


def test_a_missing_file_does_not_stop_the_batch(tree: Path) -> None:
    jobs = planned("in/b.png", "in/gone.png", "in/" + "x" * 300 + ".png", output="out/")
    assert [job.problem is None for job in jobs] == [True, False, False]
    assert isinstance(jobs[1].problem, InputError)


def test_partners_are_found_by_equal_names_in_a_folder(tree: Path) -> None:
    (tree / "clean/sub").mkdir(parents=True)
    (tree / "clean/sub/c.tif").write_bytes(PNG)
    by_name = {str(source.relative): source for source in find_sources(["in"], recursive=True).sources}
    assert partner(Path("clean"), by_name["sub/c.tif"], "--reference") == Path("clean/sub/c.tif")
    assert partner(Path("in/a.jpg"), by_name["b.png"], "--reference") == Path("in/a.jpg")
    with pytest.raises(InputError, match="--reference"):
        partner(Path("clean"), by_name["b.png"], "--reference")


def test_jobs_are_taken_in_order_until_another_process_works_on_them(tree: Path) -> None:
    jobs = planned(*(f"in/{number}.png" for number in range(40)), output="out/")
    left = Remaining(jobs)
    taken = []
    for job in left:
        taken.append(job)
        if len(taken) == 5:
            left.scatter()
    assert taken[:5] == jobs[:5]
    assert taken[5:] != jobs[5:]
    assert sorted(taken, key=jobs.index) == jobs
