"""`alr benchmark table1`, `table2`, the published deblurring protocol, several weights, and the cache."""

import csv
import io
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.bench.scenes import cartoon
from tests.conftest import FAST, Alr, write_picture

pytestmark = pytest.mark.usefixtures("benchmark_alone")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five clean colour pictures, one of them corrupt."""
    for name in "abde":
        write_picture(tmp_path / "data" / f"{name}.png", cartoon(20, 24))
    (tmp_path / "data" / "c.png").write_bytes(b"not a picture")
    return tmp_path / "data"


@pytest.fixture
def critics(tmp_path: Path, colour_critic: Path) -> Path:
    """A folder with two critics."""
    (tmp_path / "critics").mkdir()
    for name in ("one", "two"):
        shutil.copy(colour_critic, tmp_path / "critics" / f"{name}.safetensors")
    return tmp_path / "critics"


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    monkeypatch.setattr(
        "alr_cli.bench.targets.find_spec", lambda name: None if name in packages else find_spec(name)
    )


def test_table_1_has_a_row_for_each_critic_and_a_column_for_each_noise(
    alr: Alr, folder: Path, critics: Path, colour_critic: Path
) -> None:
    result = alr(
        *("benchmark", "table1", "--data", folder, "--limit", 4, "-w", f"{critics},{colour_critic}", *FAST)
    )
    assert result.code == 7 and "c.png" in result.stderr  # the others are computed
    lines = result.stdout.decode().splitlines()
    assert "clipped" in lines[0] and "seed 0" in lines[0]
    assert lines[2].startswith("| critic | trained at sigma | sigma 0.05 | sigma 0.1 |")
    rows = [line.split(" | ")[:2] for line in lines[4:]]
    assert rows == [
        ["| observed", "-"],
        ["| ours one", "0.05 to 0.3"],
        ["| ours two", "0.05 to 0.3"],
        ["| ours tiny-3", "0.05 to 0.3"],
    ]
    assert all(line.count("(") == 5 for line in lines[5:])


def test_table_2_has_both_protocols_and_the_papers_numbers(
    alr: Alr, folder: Path, critics: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(monkeypatch, "bm3d")
    options = ("benchmark", "table2", "--data", folder / "a.png", "-w", critics, *FAST)
    result = alr(*options, "--sigmas", "0.1")
    assert result.code == 7 and "some methods are missing" in result.stderr
    for sentence in ("bm3d needs the package bm3d", "cbm3d needs"):
        assert sentence in result.stderr
    rows = [line.strip("| ").split(" | ") for line in result.stdout.decode().splitlines()[4:]]
    names = ["observed", "ours one", "ours two", "epll", "tv", "nlm", "wavelets"]
    assert [row[:2] for row in rows] == [
        [f"denoise, sigma 0.1, {clip}", name] for clip in ("clipped", "unclipped") for name in names
    ]
    printed = {"ours one": ["28.85", "0.29"], "ours two": ["28.85", "0.29"], "epll": ["28.77", "0.28"]}
    nothing = ["-", "-"]  # was printed for unclipped noise
    assert [row[-2:] for row in rows] == [*(printed.get(name, nothing) for name in names), *[nothing] * 7]


def test_lpips_is_measured_where_its_package_is_installed(
    alr: Alr, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alr_cli.bench.lpips.available", lambda: True)
    monkeypatch.setattr("alr_cli.bench.lpips.lpips", lambda clean, estimate: 0.25)
    result = alr("benchmark", "denoise", "--data", folder / "a.png", "--methods", "nlm", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout.decode())))
    assert {row["lpips"] for row in rows} == {"0.25"}


def test_a_stopped_benchmark_continues(alr: Alr, folder: Path, colour_critic: Path) -> None:
    (folder / "c.png").unlink()
    options = ("benchmark", "denoise", "--data", folder, "--json", "-w", colour_critic, *FAST)
    options = (*options, "--methods", "ours,nlm", "--sigma", 0.1)
    some = alr(*options, "--limit", 2).lines()
    everything = alr(*options).lines()
    cached = [line["cached"] for line in everything if line["kind"] == "result"]
    assert cached == [True] * 6 + [False] * 6
    assert [{**line, "cached": False} for line in everything[:6]] == some[:6]
    assert not any(line.get("cached") for line in alr(*options, "--no-cache").lines())


def test_other_weights_or_options_are_computed_again(alr: Alr, folder: Path, colour_critic: Path) -> None:
    options = (
        "benchmark",
        "denoise",
        "--data",
        folder / "a.png",
        "--json",
        "--methods",
        "ours",
        "--sigma",
        0.1,
    )
    options = (*options, "-w", colour_critic, "--precision", "float32")

    def cached(*more: object) -> bool:
        return bool(alr(*options, *more).lines()[1]["cached"])

    assert not cached("--max-iter", 2)
    assert cached("--max-iter", 2) and cached("--max-iter", 2, "--tile", 32)
    assert not cached("--max-iter", 3) and not cached("--max-iter", 2, "--strength", 2)


def test_the_cache_folder_can_be_chosen(
    alr: Alr, folder: Path, tmp_path: Path, benchmark_alone: Path
) -> None:
    options = ("benchmark", "denoise", "--data", folder / "a.png", "--methods", "nlm")
    assert alr(*options, "--cache", tmp_path / "here").code == 0
    assert list((tmp_path / "here").rglob("*.json")) and not list(benchmark_alone.iterdir())
    assert alr(*options, "--no-cache").code == 0 and not list(benchmark_alone.iterdir())
    assert alr(*options).code == 0 and list(benchmark_alone.rglob("*.json"))


def test_pictures_come_out_of_the_cache_too(alr: Alr, folder: Path, tmp_path: Path) -> None:
    options = (
        "benchmark",
        "denoise",
        "--data",
        folder / "a.png",
        "--methods",
        "nlm",
        "--sigma",
        0.1,
        "--json",
    )
    assert [line["cached"] for line in alr(*options, "-o", tmp_path / "1").lines()[:2]] == [False, False]
    assert [line["cached"] for line in alr(*options, "-o", tmp_path / "2").lines()[:2]] == [True, True]
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / each).rglob("*.png")} for each in "12"
    )
    assert first == second and len(first) == 3


def test_the_published_blurs_are_averaged_over(alr: Alr, folder: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "kernels.npz", Levin09_01=np.eye(3) / 3, other=np.ones((3, 3)))
    write_picture(tmp_path / "large.png", cartoon(40, 44))
    options = ("benchmark", "deblur", "--data", tmp_path / "large.png", "--kernels", tmp_path / "kernels.npz")
    result = alr(*options, "--methods", "wiener", "--json")
    assert result.code == 0, result.stderr
    means = [line for line in result.lines() if line["kind"] == "mean" and line["method"] == "wiener"]
    assert {mean["boundary"] for mean in means} == {"circular"}
    assert [mean["kernel"].rpartition(":")[2] for mean in means[::3]] == ["Levin09_01", "9", "1.6"]
    assert [255 * mean["sigma"] for mean in means[:3]] == pytest.approx([2.55, 7.65, 12.75])
    table = alr(*options, "--methods", "wiener").stdout.decode().splitlines()
    assert table[2] == "| PSNR [dB] / SSIM | sigma 2.55/255 | sigma 7.65/255 | sigma 12.75/255 |"
    assert f"{np.mean([mean['psnr'] for mean in means[::3]]):.2f} / " in table[5].split(" | ")[1]


def test_several_shares_and_text_are_inpainted(alr: Alr, folder: Path) -> None:
    result = alr(
        *("benchmark", "inpaint", "--data", folder / "a.png", "--missing", "0.5,0.9,text"),
        *("--methods", "biharmonic", "--csv"),
    )
    rows = list(csv.DictReader(io.StringIO(result.stdout.decode())))
    assert [row["missing"] for row in rows[::2]] == ["0.5", "0.9", "text"]
    gains = [
        float(after["psnr"]) - float(before["psnr"])
        for before, after in zip(rows[::2], rows[1::2], strict=True)
    ]
    assert min(gains) > 1


def test_several_weights_stand_side_by_side(alr: Alr, folder: Path, critics: Path) -> None:
    options = (
        "benchmark",
        "denoise",
        "--data",
        folder / "a.png",
        "--sigma",
        0.1,
        "--methods",
        "ours,nlm",
        *FAST,
    )
    lines = alr(*options, "-w", critics, "--json").lines()
    assert [line["method"] for line in lines[:4]] == ["observed", "ours one", "ours two", "nlm"]
    assert lines[1]["psnr"] == lines[2]["psnr"]
    alone = alr(*options, "-w", critics / "one.safetensors", "--json").lines()
    assert [line["method"] for line in alone[:3]] == ["observed", "ours", "nlm"]
    assert alone[1]["cached"] and alone[1]["psnr"] == lines[1]["psnr"]


def test_a_folder_without_weights_is_refused(alr: Alr, folder: Path) -> None:
    result = alr("benchmark", "denoise", "--data", folder, "-w", folder)
    assert result.code == 5 and "contains no weights" in result.stderr
