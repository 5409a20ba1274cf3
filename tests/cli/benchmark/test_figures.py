"""`alr benchmark fig1` to `fig5` and `speed`, on tiny pictures with a tiny critic."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from alr_cli.bench.figures import circle, patches
from alr_cli.bench.studies import machine, speed
from tests.bench.scenes import cartoon
from tests.conftest import FAST, Alr, write_picture

pytestmark = pytest.mark.usefixtures("benchmark_alone")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four clean colour pictures, one corrupt, and one smaller than the tiny critic's patch."""
    for name in "abde":
        write_picture(tmp_path / "data" / f"{name}.png", cartoon(20, 24))
    (tmp_path / "data" / "c.png").write_bytes(b"not a picture")
    write_picture(tmp_path / "data" / "f.png", cartoon(6, 6))
    return tmp_path / "data"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduce all sizes, so that the tests are fast."""
    monkeypatch.setattr(patches, "COUNT", 200)
    monkeypatch.setattr(speed, "SIDES", (16, 24))
    monkeypatch.setattr(speed, "REPEATS", 1)
    learned, share = circle.compute, machine.rate
    monkeypatch.setattr(circle, "compute", lambda seed: learned(seed, iterations=5))
    monkeypatch.setattr(machine, "rate", lambda restorer: share(restorer, side=32, matrix=64, repeats=1))


def test_fig_1_needs_no_data(alr: Alr, tmp_path: Path) -> None:
    result = alr("benchmark", "fig1", "-o", tmp_path / "out")
    assert result.code == 0, result.stderr
    assert (tmp_path / "out" / "fig1.png").read_bytes().startswith(b"\x89PNG")
    assert "correlation" in result.stdout.decode() and "fig1.png written" in result.stderr
    again = alr("benchmark", "fig1", "-o", tmp_path / "out")
    assert again.code == 4 and "--overwrite" in again.stderr
    assert alr("benchmark", "fig1", "-o", tmp_path / "out", "--overwrite").code == 0


@pytest.mark.parametrize(("name", "levels"), [("fig2", ["0", "0.1"]), ("fig3", ["0", "0.05", "0.1", "0.15"])])
def test_patches_of_all_good_pictures_are_scored(
    alr: Alr, folder: Path, tmp_path: Path, colour_critic: Path, name: str, levels: list[str]
) -> None:
    result = alr("benchmark", name, "--data", folder, "-o", tmp_path, "-w", colour_critic, "--json")
    assert result.code == 7
    assert "c.png" in result.stderr and "f.png: a picture of 6 x 6 contains no 7 x 7 patch" in result.stderr
    assert "2 of 6 results are missing" in result.stderr
    (line,) = result.lines()
    assert [row["sigma"] for row in line["numbers"]] == levels
    assert Path(line["file"]) == tmp_path / f"{name}.png" and Path(line["file"]).is_file()


@pytest.mark.parametrize("name", ["fig2", "fig3"])
def test_the_patches_are_those_of_one_critic(
    alr: Alr, folder: Path, tmp_path: Path, colour_critic: Path, gray_critic: Path, name: str
) -> None:
    options = ("benchmark", name, "--data", folder, "-o", tmp_path / "out")
    result = alr(*options, "-w", f"{colour_critic},{gray_critic}")
    assert result.code == 2 and "shows one critic" in result.stderr
    assert alr(*options, "-w", gray_critic, "--limit", 2).code == 0  # luma


def test_no_picture_left_is_one_sentence(alr: Alr, folder: Path, tmp_path: Path, colour_critic: Path) -> None:
    options = ("-o", tmp_path, "-w", colour_critic)
    result = alr("benchmark", "fig3", "--data", folder / "f.png", *options)
    assert result.code == 3 and "no usable picture is left" in result.stderr
    assert alr("benchmark", "fig3", "--data", folder / "c.png", *options).code == 3


@pytest.mark.parametrize(("name", "methods"), [("fig4", "nlm,ours"), ("fig5", "wiener,ours")])
def test_pictures_are_shown_side_by_side(
    alr: Alr, folder: Path, tmp_path: Path, colour_critic: Path, name: str, methods: str
) -> None:
    (folder / "c.png").unlink()
    options = ("benchmark", name, "--data", folder, "--limit", 4, "-w", colour_critic, *FAST)
    result = alr(*options, "-o", tmp_path / "1", "--methods", methods)
    assert result.code == 0, result.stderr
    assert [line.split(" | ")[1] for line in result.stdout.decode().splitlines()[4:]] == [
        "observed",
        *methods.split(","),
    ]
    assert alr(*options, "-o", tmp_path / "2", "--methods", methods).code == 0  # from the cache
    assert all((tmp_path / each / f"{name}.png").is_file() for each in "12")


def test_fig_4_leaves_out_what_cannot_run_and_says_so(
    alr: Alr, folder: Path, tmp_path: Path, colour_critic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "alr_cli.bench.targets.find_spec", lambda name: None if name == "bm3d" else find_spec(name)
    )
    result = alr("benchmark", "fig4", "--data", folder, "-o", tmp_path, "-w", colour_critic, *FAST)
    assert result.code == 7
    assert "bm3d needs the package" in result.stderr and "epll" not in result.stderr
    assert (tmp_path / "fig4.png").is_file()


def test_a_figure_without_matplotlib_names_what_to_install(
    alr: Alr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "alr_cli.bench.targets.find_spec", lambda name: None if name == "matplotlib" else find_spec(name)
    )
    result = alr("benchmark", "fig1", "-o", tmp_path / "out")
    assert result.code == 2 and "fig1 needs the package matplotlib" in result.stderr
    assert "pip install matplotlib" in result.stderr and not (tmp_path / "out").exists()


def test_speed_has_a_row_for_each_method_and_size(alr: Alr, folder: Path, colour_critic: Path) -> None:
    options = ("benchmark", "speed", "--data", folder, "-w", colour_critic, "--methods", "ours,nlm", *FAST)
    result = alr(*options)
    assert result.code == 0, result.stderr
    lines = result.stdout.decode().splitlines()
    assert lines[2] == "| method | pixels | seconds | Mpx/s | PSNR | MB |"
    assert [line.split(" | ")[:2] for line in lines[4:]] == [
        [method, size] for method in ("| ours", "| nlm") for size in ("16 x 16", "24 x 24")
    ]
    assert "ours: the gradient reaches" in result.stderr
    *timings, rate = alr(*options, "--sides", "20", "--json").lines()
    assert [line["side"] for line in timings] == [20, 20] and rate["share"] > 0
    assert alr(*options, "--sides", "20,x").code == 2


def test_a_method_that_cannot_be_timed_stops_no_other(
    alr: Alr, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alr_cli.bench.methods.baselines import BASELINES

    def broken(observation: object) -> object:
        raise MemoryError

    replaced: dict[str, Callable[[object], object]] = {**BASELINES, "chambolle": broken}  # type: ignore[dict-item]
    monkeypatch.setattr("alr_cli.bench.methods.baselines.BASELINES", replaced)
    result = alr("benchmark", "speed", "--data", folder, "--methods", "chambolle,nlm")
    assert result.code == 7 and "2 of 4 results" in result.stderr
    assert "| nlm |" in result.stdout.decode()
