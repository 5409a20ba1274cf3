"""`alr denoise --trace --plot --heatmap`."""

import csv
from pathlib import Path

import numpy as np
import pytest

from alr_cli.cli.report.viewer import Viewer, ViewerOptions
from alr_cli.errors import UsageError
from tests.conftest import FAST, Alr, scene, write_picture

pytestmark = pytest.mark.usefixtures("tiny_weights")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_trace_is_the_energy_of_every_iteration(alr: Alr, picture: Path, tmp_path: Path) -> None:
    clean = write_picture(tmp_path / "clean.png", scene(sigma=0.0))
    result = alr(
        *("denoise", picture, "-o", tmp_path / "out.png", "--sigma", 0.1, "--reference", clean, "--json"),
        *("--solver", "gd", "--max-iter", 4, "--tol", 0, "--trace", tmp_path / "t.csv"),
    )
    assert result.code == 0, result.stderr
    (record,) = result.lines()
    trace = rows(tmp_path / "t.csv")
    assert [row["iteration"] for row in trace] == ["0", "1", "2", "3", "4"]
    energies = [float(row["energy"]) for row in trace]
    assert energies == sorted(energies, reverse=True)
    for row in trace:
        parts = float(row["data_term"]) + record["lambda"] * float(row["regularizer"])
        assert float(row["energy"]) == pytest.approx(parts, abs=1e-6)
    last = trace[-1]
    assert float(last["energy"]) == pytest.approx(record["energy"])
    assert float(last["psnr"]) == pytest.approx(record["psnr"], abs=0.05)  # the file is rounded to 8 bits


def test_without_a_reference_there_is_no_psnr(alr: Alr, picture: Path, tmp_path: Path) -> None:
    alr("denoise", picture, "-o", tmp_path / "o.png", "--sigma", 0.1, *FAST, "--trace", tmp_path / "t.csv")
    assert {row["psnr"] for row in rows(tmp_path / "t.csv")} == {""}


@pytest.mark.parametrize("sigma", [0, 0.1])
def test_plot_and_heatmap_are_pictures(alr: Alr, picture: Path, tmp_path: Path, sigma: float) -> None:
    options = ("--plot", tmp_path / "p.png", "--heatmap", tmp_path / "h.png", "--trace", tmp_path / "t.csv")
    result = alr("denoise", picture, "-o", tmp_path / "o.png", "--sigma", sigma, *FAST, *options)
    assert result.code == 0, result.stderr
    for name in ("p.png", "h.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
        assert f"{name} written" in result.stderr
    assert len(rows(tmp_path / "t.csv")) == (0 if sigma == 0 else 3)


def test_viewing_does_not_change_the_result(alr: Alr, picture: Path, tmp_path: Path) -> None:
    plain = ("denoise", picture, "--sigma", 0.1, *FAST, "-o")
    alr(*plain, tmp_path / "1.png")
    alr(*plain, tmp_path / "2.png", "--trace", tmp_path / "t.csv", "--heatmap", tmp_path / "h.png")
    assert (tmp_path / "1.png").read_bytes() == (tmp_path / "2.png").read_bytes()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--plot", "p.jpg"), 2, "ending in .png"),
        (("--trace", "nowhere/t.csv"), 4, "folder does not exist"),
        (("--trace", "a.png"), 2, "used otherwise by this command"),
        (("--heatmap", "o.png"), 2, "used otherwise by this command"),
        (("--trace", "x.png", "--plot", "x.png"), 2, "used otherwise by this command"),
        (("--trace", "old.csv"), 4, "--overwrite"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(
    alr: Alr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "a.png", scene())
    (tmp_path / "old.csv").write_text("kept")
    result = alr("denoise", "a.png", "-o", "o.png", "--sigma", 0.1, *FAST, *options)
    assert result.code == code and words in result.stderr
    assert not (tmp_path / "o.png").exists() and (tmp_path / "old.csv").read_text() == "kept"


def test_a_batch_cannot_be_traced(alr: Alr, tmp_path: Path) -> None:
    for name in "ab":
        write_picture(tmp_path / "in" / f"{name}.png", scene())
    result = alr("denoise", tmp_path / "in", "-o", f"{tmp_path}/out/", "--trace", tmp_path / "t.csv")
    assert result.code == 2 and "is for one picture and there are 2" in result.stderr


@pytest.mark.parametrize("option", ["--plot", "--heatmap"])
def test_without_matplotlib_it_says_what_to_install(
    alr: Alr, picture: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setattr("alr_cli.cli.report.viewer.find_spec", lambda name: None)
    result = alr("denoise", picture, "--sigma", 0.1, option, "p.png")
    assert result.code == 2 and "needs the package matplotlib: pip install matplotlib\n" in result.stderr


def test_the_map_is_brighter_where_there_is_noise(tmp_path: Path) -> None:
    from alr_cli.core.restore import Restorer
    from alr_cli.core.settings import Settings
    from alr_cli.files.weights import default_name, load_weights

    picture = np.full((40, 40, 3), 0.5, np.float32)
    picture[:, 20:] += np.random.default_rng(0).normal(0, 0.1, (40, 20, 3)).astype(np.float32)
    scores = Restorer(load_weights(default_name(3)), Settings(precision="float32", device="cpu")).scores(
        picture
    )
    assert scores[:, 30:].mean() > scores[:, :10].mean()


def test_a_file_beside_the_result_is_of_a_single_picture(tmp_path: Path) -> None:
    viewer = Viewer(ViewerOptions(), {"--save-kernel": str(tmp_path / "k.png")})
    viewer.check(1, (), overwrite=False)
    with pytest.raises(UsageError, match="--save-kernel"):
        viewer.check(2, (), overwrite=False)
    with pytest.raises(UsageError, match="stack"):
        viewer.refuse_stack("a.tif")
