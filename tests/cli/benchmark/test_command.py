"""`alr benchmark` on tiny synthetic pictures, with a tiny random critic."""

import csv
import io
import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from alr_cli.files.weights import read_metadata
from tests.bench.scenes import cartoon
from tests.conftest import FAST, Alr, write_picture

pytestmark = pytest.mark.usefixtures("benchmark_alone")

CHEAP = ("--methods", "chambolle,wiener,biharmonic")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three clean colour pictures of different sizes."""
    for name, height, width in (("a.png", 24, 28), ("b.tif", 21, 30), ("c.png", 26, 22)):
        write_picture(tmp_path / "data" / name, cartoon(height, width))
    return tmp_path / "data"


def test_json_has_a_line_for_each_result_and_then_each_mean(
    alr: Alr, folder: Path, colour_critic: Path
) -> None:
    result = alr("benchmark", "denoise", "--data", folder, "--json", "-w", colour_critic, *FAST)
    assert result.code == 0, result.stderr
    lines = result.lines()
    methods = ["observed", "ours", "tv", "chambolle", "nlm"]
    assert [line["kind"] for line in lines] == ["result"] * 30 + ["mean"] * 10
    assert [(line["picture"], line["sigma"], line["method"]) for line in lines[:30]] == [
        (picture, sigma, method)
        for picture in ("a.png", "b.tif", "c.png")
        for sigma in (0.1, 0.2)
        for method in methods
    ]
    for mean in lines[30:]:
        scores = [
            line["psnr"]
            for line in lines[:30]
            if (line["sigma"], line["method"]) == (mean["sigma"], mean["method"])
        ]
        assert mean["pictures"] == 3 and mean["psnr"] == pytest.approx(np.mean(scores))
    assert all((line["weights_sha256"] is not None) == (line["method"] == "ours") for line in lines[:30])
    assert not any(line["clip"] for line in lines)
    assert not any(line["cached"] for line in lines[:30])


@pytest.mark.parametrize(
    ("asked", "weights"),
    [
        (("denoise", "--sigmas", "0.1"), "color-wide"),
        (("denoise", "--sigmas", "0.005"), "color-tuned"),
        (("deblur", "--kernel", "gaussian:3:1"), "color-wide"),
        (("inpaint", "--missing", "0.5"), "color-wide"),
        (("inpaint", "--missing", "0.9"), "color-holes"),
        (("denoise", "--sigmas", "0.1", "--solver", "adam", "--max-iter", "2"), "color-tuned"),
    ],
)
def test_without_weights_ours_has_those_that_the_command_of_the_task_uses(
    alr: Alr, folder: Path, asked: tuple[str, ...], weights: str
) -> None:
    result = alr("benchmark", *asked, "--data", folder, "--limit", 1, "--methods", "ours", "--json")
    assert result.code == 0, result.stderr
    used = {
        line["weights_sha256"]
        for line in result.lines()
        if line.get("method") == "ours" and "picture" in line
    }
    assert used == {read_metadata(weights)["sha256"]}


def test_without_a_task_all_three_are_run(alr: Alr, folder: Path, colour_critic: Path) -> None:
    result = alr("benchmark", "--data", folder, "--limit", 1, "--csv", "-w", colour_critic, *FAST)
    assert result.code == 0, result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout.decode())))
    assert [(row["task"], row["sigma"], row["method"]) for row in rows] == [
        *(
            ("denoise", sigma, name)
            for sigma in ("0.1", "0.2")
            for name in ("observed", "ours", "tv", "chambolle", "nlm")
        ),
        *(("deblur", "0.03", name) for name in ("observed", "ours", "tv", "wiener", "richardson-lucy")),
        *(("inpaint", "0.0", name) for name in ("observed", "ours", "tv", "biharmonic")),
    ]


def test_tv_gains_many_decibels_on_a_cartoon(alr: Alr, folder: Path) -> None:
    result = alr("benchmark", "--data", folder, "--limit", 1, "--methods", "tv", "--json")
    psnr = {(m["task"], m["sigma"], m["method"]): m["psnr"] for m in result.lines() if m["kind"] == "mean"}
    for task, sigma, gain in (
        ("denoise", 0.1, 6),
        ("denoise", 0.2, 6),
        ("deblur", 0.03, 1),
        ("inpaint", 0, 10),
    ):
        assert psnr[task, sigma, "tv"] > psnr[task, sigma, "observed"] + gain


@pytest.mark.parametrize(
    ("stdout_kind", "options", "start"),
    [
        ("pipe", (), "1 picture of "),
        ("file", ("--markdown",), "1 picture of "),
        ("terminal", ("--markdown",), "1 picture of "),
        ("pipe", ("--csv",), "task,sigma,clip,seed,kernel,boundary,missing,method,psnr"),
    ],
)
def test_a_pipe_gets_markdown_unless_told_otherwise(
    alr: Alr, folder: Path, stdout_kind: str, options: tuple[str, ...], start: str
) -> None:
    result = alr(
        *("benchmark", "deblur", "--data", folder, "--limit", 1, "--methods", "wiener", *options),
        stdout_kind=stdout_kind,
    )
    assert result.code == 0, result.stderr
    assert result.stdout.decode().startswith(start)
    assert b"\x1b" not in result.stdout


def test_a_terminal_gets_a_drawn_table(alr: Alr, folder: Path) -> None:
    brackets = folder.rename(folder.with_name("[data]"))
    result = alr("benchmark", "deblur", "--data", brackets, "--methods", "wiener", stdout_kind="terminal")
    text = result.stdout.decode()
    assert "┃" in text and text.count("wiener") == 1 and text.count("[data]") == 1


@pytest.mark.parametrize("clip", [True, False])
def test_the_table_says_whether_noise_was_clipped(alr: Alr, folder: Path, clip: bool) -> None:
    option = "--clip" if clip else "--no-clip"
    text = alr("benchmark", "denoise", "--data", folder, "--methods", "chambolle", option).stdout.decode()
    assert f", {'clipped' if clip else 'unclipped'} |" in text


def test_order_and_choice_of_pictures_change_no_number(alr: Alr, folder: Path) -> None:
    def psnrs(data: Path, *options: object) -> dict[str, float]:
        lines = alr(
            "benchmark", "denoise", "--data", data, *CHEAP[:1], "chambolle", "--json", *options
        ).lines()
        return {
            line["picture"]: line["psnr"]
            for line in lines
            if line["method"] == "chambolle" and "picture" in line
        }

    everything = psnrs(folder)
    (folder / "0.png").write_bytes((folder / "c.png").read_bytes())
    assert psnrs(folder / "c.png") == {"c.png": everything["c.png"]}
    assert psnrs(folder).items() >= everything.items()
    assert psnrs(folder, "--seed", 1)["c.png"] != everything["c.png"]


def test_pictures_are_saved_below_the_folder(alr: Alr, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("benchmark", "--data", folder, "--limit", 1, "--methods", "chambolle,wiener,tv", "-o", out)
    result = alr(*options)
    assert result.code == 0, result.stderr
    kinds = {
        "denoise-sigma-0.1-unclipped": ("chambolle", "clean", "observed", "tv"),
        "denoise-sigma-0.2-unclipped": ("chambolle", "clean", "observed", "tv"),
        "deblur-gaussian-7-3-valid-sigma-0.03-unclipped": ("clean", "observed", "tv", "wiener"),
        "inpaint-50-missing-sigma-0-unclipped": ("clean", "observed", "tv"),
    }
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.png")) == sorted(
        f"{place}/a.{kind}.png" for place in kinds for kind in kinds[place]
    )
    again = alr(*options)
    assert again.code == 4 and "--overwrite" in again.stderr
    assert alr(*options, "--sigma", 0.1, "--overwrite").code == 0


def test_a_kernel_file_is_normalised_with_a_note(alr: Alr, folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "blur.npy", np.ones((3, 3)))
    options = ("benchmark", "deblur", "--data", folder, "--limit", 1, "--methods", "wiener", "--json")
    result = alr(*options, "--kernel", f"file:{tmp_path}/blur.npy")
    assert result.code == 0 and "its sum was 9" in result.stderr
    expected = [line["psnr"] for line in alr(*options, "--kernel", "box:3").lines()]
    assert [line["psnr"] for line in result.lines()] == pytest.approx(expected)


def test_a_corrupt_picture_is_reported_and_the_rest_computed(alr: Alr, folder: Path) -> None:
    (folder / "aa.png").write_bytes(b"not a picture")
    result = alr("benchmark", "denoise", "--data", folder, "--methods", "chambolle", "--json")
    assert result.code == 7
    assert "aa.png" in result.stderr and "4 of 16 results are missing" in result.stderr
    lines = result.lines()
    failed = [line for line in lines if line.get("status") == "failed"]
    assert [line["picture"] for line in failed] == ["aa.png"] and failed[0]["reason"]
    assert [line["pictures"] for line in lines if line["kind"] == "mean"] == [3] * 4


def test_a_picture_too_small_for_the_kernel_is_left_out_of_deblurring_only(alr: Alr, folder: Path) -> None:
    write_picture(folder / "tiny.png", cartoon(5, 6))
    result = alr("benchmark", "--data", folder, *CHEAP, "--json")
    assert result.code == 7
    assert "tiny.png: deblur" in result.stderr and "smaller kernel" in result.stderr
    counts = {line["task"]: line["pictures"] for line in result.lines() if line["kind"] == "mean"}
    assert counts == {"denoise": 4, "deblur": 3, "inpaint": 4}


@pytest.mark.parametrize("side", [1, 2, 5, 14])
def test_pictures_smaller_than_the_receptive_field_are_restored(
    alr: Alr, tmp_path: Path, colour_critic: Path, side: int
) -> None:
    path = write_picture(tmp_path / "small.png", cartoon(side, side))
    result = alr("benchmark", "denoise", "--data", path, "-w", colour_critic, "--methods", "ours,tv", *FAST)
    assert result.code == 0, result.stderr


def test_gray_pictures_take_a_gray_critic(alr: Alr, tmp_path: Path, gray_critic: Path) -> None:
    path = write_picture(tmp_path / "gray.png", cartoon(channels=1))
    result = alr("benchmark", "--data", path, "-w", gray_critic, "--json", *FAST)
    assert result.code == 0, result.stderr


def test_a_colour_critic_restores_gray_pictures(alr: Alr, tmp_path: Path, colour_critic: Path) -> None:
    path = write_picture(tmp_path / "gray.png", cartoon(channels=1))
    result = alr("benchmark", "denoise", "--data", path, "-w", colour_critic, "--sigma", 0.1, "--json", *FAST)
    assert result.code == 0, result.stderr
    methods = [line["method"] for line in result.lines() if line["kind"] == "mean"]
    assert methods == ["observed", "ours", "tv", "chambolle", "nlm"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--sigmas", "25"), 2, "25/255"),
        (("--sigmas", "0.1,auto"), 2, "as a number"),
        (("--sigmas", "0.1,0.1"), 2, "once"),
        (("--sigmas", ""), 2, "0.1"),
        (("denoise", "--sigmas", "0"), 2, "nothing to denoise"),
        (("--methods", "magic"), 2, "'magic' is not a method, choose from ours, tv"),
        (("denoise", "--missing", "0.5"), 2, "belongs to alr benchmark inpaint"),
        (("deblur", "--kernels", "nowhere.npz"), 3, "nowhere.npz does not exist"),
        (("deblur", "--kernels", "a.npz", "--kernel", "box:3"), 2, "give one of them"),
        (("table1", "--methods", "tv"), 2, "belongs to alr benchmark denoise, deblur"),
        (("fig1", "--data", "photos"), 2, "--data belongs to alr benchmark"),
        (("fig3",), 2, "fig3 is a picture: name a folder for it with -o"),
        (("speed", "-o", "out"), 2, "saves no pictures"),
        (("inpaint", "--missing", "0.5,words"), 2, "--missing words"),
        (("--cache", "a", "--no-cache"), 2, "give one of them"),
        (("-w", "nothing,color-paper"), 5, "no weights 'nothing'"),
        (("-w", "a/x.safetensors,b/x.safetensors"), 2, "two weights called x"),
        (("denoise", "--methods", "wiener"), 2, "wiener cannot denoise, only deblur"),
        (("denoise", "--kernel", "box:3"), 2, "belongs to alr benchmark deblur"),
        (("denoise", "--boundary", "circular"), 2, "belongs to alr benchmark deblur"),
        (("deblur", "--missing", "0.5"), 2, "belongs to alr benchmark inpaint"),
        (("deblur", "--kernel", "box:4"), 2, "box:SIZE"),
        (("inpaint", "--missing", "1"), 2, "less than 1"),
        (("--limit", "0"), 2, "at least 1"),
        (("--json", "--csv"), 2, "give one of them"),
        (("sharpen",), 2, "sharpen"),
        (("--data", "-"), 2, "stdin"),
        (("--data", "nowhere"), 3, "nowhere does not exist"),
        (("-w", "nothing"), 5, "no weights 'nothing'"),
    ],
)
def test_contradictory_options_are_one_sentence(
    alr: Alr, arguments: tuple[str, ...], code: int, words: str
) -> None:
    result = alr("benchmark", *arguments)
    assert result.code == code
    assert words in result.stderr and result.stderr.count("\n") == 1
    assert not result.stdout


def test_an_empty_folder_is_refused(alr: Alr, tmp_path: Path) -> None:
    result = alr("benchmark", "--data", tmp_path)
    assert result.code == 3 and "no pictures found" in result.stderr


def test_a_single_corrupt_picture_is_the_error_itself(alr: Alr, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG no")
    assert alr("benchmark", "denoise", "--data", tmp_path, "--methods", "tv").code == 3


def test_values_outside_the_range_are_refused(alr: Alr, tmp_path: Path) -> None:
    write_picture(tmp_path / "a.tif", 2 * cartoon(), "float32")
    result = alr("benchmark", "denoise", "--data", tmp_path, "--methods", "tv")
    assert result.code == 3 and "outside 0 to 1" in result.stderr


def test_two_pictures_of_one_stem_cannot_be_saved(alr: Alr, folder: Path, tmp_path: Path) -> None:
    (folder / "b.png").write_bytes((folder / "a.png").read_bytes())
    result = alr("benchmark", "--data", folder, "--methods", "tv", "-o", tmp_path / "out")
    assert result.code == 4 and "2 pictures are called b" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file_is_refused(alr: Alr, folder: Path) -> None:
    result = alr("benchmark", "--data", folder, "--methods", "tv", "-o", folder / "a.png")
    assert result.code == 4 and "name a folder" in result.stderr


@pytest.mark.parametrize("method", ["bm3d", "cbm3d"])
def test_a_missing_extra_names_what_to_install(
    alr: Alr, folder: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "alr_cli.bench.targets.find_spec", lambda name: None if name == "bm3d" else find_spec(name)
    )
    result = alr("benchmark", "denoise", "--data", folder, "--methods", method)
    assert result.code == 2 and "pip install bm3d" in result.stderr


def test_the_report_file_gets_the_lines_that_json_would_print(alr: Alr, folder: Path, tmp_path: Path) -> None:
    report = tmp_path / "lines.jsonl"
    result = alr("benchmark", "deblur", "--data", folder, "--methods", "wiener", "--report", report)
    assert result.code == 0 and result.stdout.startswith(b"3 pictures")
    assert len(report.read_text().splitlines()) == 3 * 2 + 2


def test_a_bar_is_drawn_only_on_a_terminal(alr: Alr, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TERM", "xterm")
    options = ("benchmark", "deblur", "--data", folder, "--methods", "wiener")
    assert alr(*options).stderr == ""
    drawn = alr(*options, stderr_is_terminal=True).stderr
    assert "6/6" in drawn
    assert alr(*options, "--json", stderr_is_terminal=True).stderr == ""


def test_usage_errors_need_no_torch(alr_process: Alr) -> None:
    result = alr_process("benchmark", "--methods", "magic", PYTHONPROFILEIMPORTTIME="1")
    assert result.code == 2 and "is not a method" in result.stderr
    assert " torch" not in result.stderr and " skimage" not in result.stderr


def test_pages_hold_the_table_and_each_picture_with_all_methods(
    alr: Alr, folder: Path, tmp_path: Path, colour_critic: Path
) -> None:
    pages = tmp_path / "pages"
    command = ("benchmark", "denoise", "--data", folder, "--limit", 2, "--methods", "ours,chambolle", *FAST)
    result = alr(*command, "-w", colour_critic, "--html", pages, "--markdown")
    assert result.code == 0, result.stderr
    index = (pages / "index.html").read_text()
    assert f"{pages / 'index.html'} written" in result.stderr
    for cell in result.stdout.decode().splitlines()[-1].strip("| ").split(" | "):
        assert f">{cell}</td>" in index
    others = sorted(path.name for path in pages.iterdir() if path.name != "index.html")
    assert len(others) == 4 and all(f'href="{name}"' in index for name in others)
    for name in others:
        text = (pages / name).read_text()
        assert text.count("data:image/png;base64,") == 4
        assert "as observed, " in text and "chambolle, " in text and ">clean<" in text
    assert alr(*command, "-w", colour_critic, "--html", pages).code == 4
    assert alr("benchmark", "fig4", "--html", tmp_path / "new", "-o", tmp_path / "o").code == 2
    assert alr(*command, "--html", tmp_path / "new", "-o", tmp_path / "new").code == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        ((), 2, "give --data FOLDER"),
        (("--methods", "tv"), 2, "leave it out"),
        (("--data", ".", "-o", "out"), 2, "oberlin saves no pictures"),
        (("--data", ".", "-w", "gray-tuned"), 2, "gray-tuned holds no flow"),
    ],
)
def test_a_table_of_flows_that_cannot_be_made_is_one_sentence(
    alr: Alr, tmp_path: Path, options: tuple[str, ...], code: int, sentence: str
) -> None:
    write_picture(tmp_path / "a.png", cartoon(32, 32))
    result = alr("benchmark", "oberlin", *(str(tmp_path) if o == "." else o for o in options))
    assert result.code == code, result.stderr
    assert sentence in result.stderr
