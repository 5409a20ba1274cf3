"""`alr reconstruct` from the command line: results, refusals and warnings."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from alr_cli.core.operators.geometry import Fan, Geometry
from tests.conftest import Alr
from tests.core.operators.scans import chords, ellipse

SIDE, VIEWS = 40, 24
DENSITY = 0.02
CENTRE, AXES = (4.0, -3.0), (11.0, 7.0)
ANGLES = tuple(np.arange(VIEWS) * math.pi / VIEWS)
SCAN = ("--angles", f"0:180:{VIEWS}")
QUICK = (*SCAN, "-w", "gray-tuned", "--max-iter", "3")


def views(noise: float = 0.002, **geometry: object) -> np.ndarray:
    """Line integrals of an ellipse."""
    scanned = Geometry((SIDE, SIDE), **({"angles": ANGLES, "detectors": SIDE} | geometry))  # type: ignore[arg-type]
    clean = DENSITY * chords(scanned, CENTRE, AXES)
    return (clean + noise * np.random.default_rng(0).standard_normal(clean.shape)).astype(np.float32)


def save(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".png":
        from PIL import Image

        Image.fromarray(values.astype(np.uint16)).save(path)
    else:
        tifffile.imwrite(path, values)
    return path


def truth() -> np.ndarray:
    return DENSITY * ellipse((SIDE, SIDE), CENTRE, AXES)


def error(path: Path, expected: np.ndarray) -> float:
    """Root mean square error, relative to the density."""
    return float(np.sqrt(np.mean((tifffile.imread(path) - expected) ** 2)) / DENSITY)


@pytest.mark.parametrize(
    ("method", "most"), [(("--method", "fbp"), 0.2), (("--method", "tv"), 0.1), (("-w", "gray-tuned"), 0.11)]
)
def test_every_method_gives_the_slice_in_its_units(
    alr: Alr, tmp_path: Path, method: tuple[str, ...], most: float
) -> None:
    sinogram, out = save(tmp_path / "y.tif", views()), tmp_path / "x.tif"
    result = alr("reconstruct", sinogram, "-o", out, *SCAN, *method, "--json")
    assert result.code == 0, result.stderr
    assert error(out, truth()) < most
    (record,) = result.lines()
    assert record["angles"] == VIEWS and record["detectors"] == SIDE and record["center"] == (SIDE - 1) / 2
    assert record["sigma"] == pytest.approx(0.002, rel=0.6) and record["residual"] > 0
    assert result.stderr.startswith(f"{sinogram} -> {out}: ")
    with tifffile.TiffFile(out) as file:
        described = json.loads(file.pages[0].description)
    assert described["angles"] == f"0:180:{VIEWS}" and described["lambda"] == record["lambda"]


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
def test_pages_are_sinograms_and_become_pages(alr: Alr, tmp_path: Path, suffix: str) -> None:
    stack = save(tmp_path / f"y{suffix}", np.stack([views(), 2 * views()]))
    out = tmp_path / "x.tif"
    assert alr("reconstruct", stack, "-o", out, *SCAN, "--method", "fbp").code == 0
    both = tifffile.imread(out)
    assert both.shape == (2, SIDE, SIDE) and np.allclose(both[1], 2 * both[0], atol=1e-6)
    assert (
        alr("reconstruct", stack, "-o", out, *SCAN, "--method", "fbp", "--slice", 1, "--overwrite").code == 0
    )
    assert np.array_equal(tifffile.imread(out), both[1])
    result = alr("reconstruct", stack, "-o", out, *SCAN, "--slice", 2, "--overwrite")
    assert (result.code, "--slice 2 was asked for, but it holds 2" in result.stderr) == (3, True)


def test_counts_become_line_integrals(alr: Alr, tmp_path: Path) -> None:
    dark, flat = 100.0, 30_000.0
    counts = dark + (flat - dark) * np.exp(-views())
    y = save(tmp_path / "y.png", counts.round())
    fields = {"flat": np.full((3, SIDE), flat), "dark": np.full((1, SIDE), dark)}
    options = [f for name, row in fields.items() for f in (f"--{name}", save(tmp_path / f"{name}.png", row))]
    out = tmp_path / "x.tif"
    assert alr("reconstruct", y, "-o", out, *SCAN, "--counts", *options, "--method", "tv").code == 0
    assert error(out, truth()) < 0.11


def test_a_fan_and_a_pitch_in_millimetres(alr: Alr, tmp_path: Path) -> None:
    unit = 0.5  # mm, of a pixel and of a detector as it is seen at the axis
    fan = Geometry((SIDE, SIDE), tuple(2 * np.array(ANGLES)), 60, 1.5, None, Fan(120.0, 60.0))
    y = save(tmp_path / "y.npy", (DENSITY * unit * chords(fan, CENTRE, AXES)).astype(np.float32))
    scan = (
        "--angles",
        f"0:360:{VIEWS}",
        "--geometry",
        f"fan:{120 * unit}:{60 * unit}",
        "--pitch",
        1.5 * unit,
    )
    for method, most in (("fbp", 0.2), ("tv", 0.1)):
        out = tmp_path / f"{method}.tif"
        assert alr("reconstruct", y, "-o", out, *scan, "--size", SIDE, "--method", method).code == 0
        assert error(out, truth()) < most


def test_clockwise_mirrors_the_angles(alr: Alr, tmp_path: Path) -> None:
    y = save(tmp_path / "y.tif", views(angles=tuple(-a for a in ANGLES)))
    out = tmp_path / "x.tif"
    assert alr("reconstruct", y, "-o", out, *SCAN, "--clockwise", "--method", "fbp").code == 0
    assert error(out, truth()) < 0.2


@pytest.mark.parametrize("unit", ["deg", "rad"])
def test_angles_from_a_file_in_either_unit(alr: Alr, tmp_path: Path, unit: str) -> None:
    values = np.degrees(ANGLES) if unit == "deg" else ANGLES
    (tmp_path / "angles.txt").write_text("# a log\n" + "\n".join(f"{a:.9f}" for a in values))
    y, out = save(tmp_path / "y.tif", views()), tmp_path / "x.tif"
    options = ("--angles", tmp_path / "angles.txt", "--unit", unit, "--method", "fbp")
    assert alr("reconstruct", y, "-o", out, *options).code == 0
    assert error(out, truth()) < 0.2


def test_an_axis_off_the_middle_is_noticed_and_found(alr: Alr, tmp_path: Path) -> None:
    y, out = save(tmp_path / "y.tif", views(0.0005, centre=20.0)), tmp_path / "x.tif"
    result = alr("reconstruct", y, "-o", out, *SCAN, "--method", "fbp")
    assert re.search(r"the rotation axis seems to project to detector (19\.9\d|20\.0\d)", result.stderr)
    found = alr("reconstruct", y, "-o", out, *SCAN, "--method", "fbp", "--center", "auto", "--overwrite")
    assert "axis projects to detector" in found.stderr and "warning" not in found.stderr
    assert error(out, truth()) < 0.2


def test_stdin_to_stdout(alr: Alr, tmp_path: Path) -> None:
    y = save(tmp_path / "y.npy", views())
    result = alr("reconstruct", "-", *SCAN, "--method", "fbp", stdin=y.read_bytes())
    assert result.code == 0 and result.stdout.startswith(b"II*\0")


def test_a_folder_continues_after_a_bad_file_and_can_be_resumed(alr: Alr, tmp_path: Path) -> None:
    for name in ("a.npy", "c.tif"):
        save(tmp_path / "in" / name, views())
    (tmp_path / "in" / "b.npy").write_bytes(b"\x93NUMPY rubbish")
    run = ("reconstruct", tmp_path / "in", "-o", f"{tmp_path}/out/", *SCAN, "--method", "fbp", "--json")
    first = alr(*run)
    assert first.code == 7
    assert [line["status"] for line in first.lines()] == ["ok", "failed", "ok"]
    again = alr(*run, "--skip-existing")
    assert [line["status"] for line in again.lines()] == ["skipped", "failed", "skipped"]


def test_it_is_reproducible(alr: Alr, tmp_path: Path) -> None:
    y = save(tmp_path / "y.npy", views())
    first, second = (alr("reconstruct", y, *QUICK).stdout for _ in range(2))
    assert first == second and first


REFUSED = {
    "no angles": ((), views(), 2, "the angles are not in the file: give --angles"),
    "another count": (
        ("--angles", "0:180:30"),
        views(),
        3,
        "there are 30 angles and the sinogram has 24 rows",
    ),
    "transposed": (SCAN, views().T, 3, "it looks transposed"),
    "an angle twice": (("--angles", "0:0.0000001:24"), views(), 3, "angles occur twice"),
    "not a range": (("--angles", "0:180"), views(), 2, "is neither START:STOP:COUNT"),
    "an empty range": (("--angles", "0:0:24"), views(), 2, "is not a range"),
    "nan": (SCAN, np.where(views() > 0.2, np.nan, views()), 3, "are NaN or infinite"),
    "constant": (SCAN, np.ones((VIEWS, SIDE), np.float32), 3, "all its values are the same"),
    "cone beam": ((*SCAN, "--geometry", "cone:500:300"), views(), 2, "cone is not supported"),
    "an unknown geometry": (
        (*SCAN, "--geometry", "fan:5"),
        views(),
        2,
        "write parallel, or fan:SOURCE:DETECTOR",
    ),
    "a source in the slice": ((*SCAN, "--geometry", "fan:5:5"), views(), 2, "lies within the slice"),
    "counts without flat": ((*SCAN, "--counts"), views(), 3, "--counts needs --flat"),
    "dark alone": ((*SCAN, "--dark", "d.tif"), views(), 2, "--dark needs --counts"),
    "four dimensions": (SCAN, np.zeros((1, 1, 3, 3)), 3, "has 4 dimensions"),
    "complex numbers": (SCAN, views().astype(complex), 3, "not real numbers"),
    "strength of fbp": ((*SCAN, "--method", "fbp", "--strength", "2"), views(), 2, "fbp has no lambda"),
    "colour weights": ((*SCAN, "-w", "color-tuned"), views(), 5, "is for colour pictures"),
    "a png": ((*SCAN, "-o", "x.png"), views(), 4, "slices are written as TIFF"),
}


@pytest.mark.parametrize(("options", "values", "code", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_impossible_options_are_refused_in_one_sentence(
    alr: Alr, tmp_path: Path, options: tuple[str, ...], values: np.ndarray, code: int, sentence: str
) -> None:
    y = save(tmp_path / "y.npy", values)
    output = () if "-o" in options else ("-o", tmp_path / "x.tif")
    result = alr("reconstruct", y, *output, *options)
    assert result.code == code, result.stderr
    assert result.stderr.count("\n") == 1 and sentence in result.stderr
    assert not (tmp_path / "x.tif").exists()


@pytest.mark.parametrize("center", ["1e6", "99999999"])
def test_an_axis_beyond_the_slice_is_refused(alr: Alr, tmp_path: Path, center: str) -> None:
    y = save(tmp_path / "y.npy", views())
    scan = (*SCAN, "--center", center, "--pitch", "1e6", "--pixel", "1e-6")
    result = alr("reconstruct", y, "-o", tmp_path / "x.tif", *scan, "--method", "tv")
    assert result.code == 2 and "error: no ray meets the slice" in result.stderr


def test_a_dead_flat_field_and_too_many_dead_counts_are_refused(alr: Alr, tmp_path: Path) -> None:
    y = save(tmp_path / "y.npy", np.exp(-views()) * 1000)
    flat = save(tmp_path / "flat.npy", np.zeros((1, SIDE)))
    result = alr("reconstruct", y, "-o", tmp_path / "x.tif", *SCAN, "--counts", "--flat", flat)
    assert (result.code, "not above the dark one at 40 detectors" in result.stderr) == (3, True)
    save(tmp_path / "flat.npy", np.full((1, SIDE), 1000.0))
    few = np.exp(-views()) * 1000
    few[0, :3] = 0
    save(tmp_path / "y.npy", few)
    run = ("reconstruct", y, "-o", tmp_path / "x.tif", *SCAN, "--counts", "--flat", flat, "--method", "fbp")
    assert "3 counts were not above the dark field" in alr(*run).stderr
    few[:4] = 0
    save(tmp_path / "y.npy", few)
    result = alr(*run, "--overwrite")
    assert (result.code, "160 of 960 counts" in result.stderr) == (3, True)


WARNED = {
    "counts": (SCAN, 1000 * np.exp(-views()), "if they are counts, give --counts"),
    "radians": (("--angles", "0:3.14:24"), views(), "if they are radians, give --unit rad"),
    "degrees": ((*SCAN, "--unit", "rad"), views(), "if they are degrees, give --unit deg"),
    "intensities": (SCAN, np.exp(-20 * views()), "as intensities are: give --counts --flat"),
    "a flat field for other detectors": (
        SCAN,
        views() - 0.1 * np.random.default_rng(1).standard_normal(SIDE),
        "neighbouring detectors differ in the same way at all angles",
    ),
    "half of the angles": (
        ("--angles", "0:90:24"),
        views(angles=tuple(np.arange(24) * math.pi / 48)),
        "there is no view between 86.25 and 180 degrees",
    ),
    "the sign": (SCAN, -views(), "change their sign"),
    "an object cut off": (SCAN, views()[:, 10:28], "the object reaches the end of the row of detectors"),
    "transposed": (
        ("--angles", f"0:180:{SIDE}"),
        views(angles=tuple(np.arange(SIDE) * math.pi / SIDE)).T,
        "be transposed",
    ),
}


@pytest.mark.parametrize(("options", "values", "sentence"), WARNED.values(), ids=WARNED.keys())
def test_suspicious_scans_are_reported_with_a_likely_cause(
    alr: Alr, tmp_path: Path, options: tuple[str, ...], values: np.ndarray, sentence: str
) -> None:
    y = save(tmp_path / "y.npy", values)
    result = alr("reconstruct", y, "-o", tmp_path / "x.tif", *options, "--method", "fbp")
    assert result.code == 0
    assert sentence in result.stderr and result.stderr.count("warning") == 1


def test_a_good_scan_has_no_warning(alr: Alr, tmp_path: Path) -> None:
    y = save(tmp_path / "y.npy", views())
    assert "warning" not in alr("reconstruct", y, "-o", tmp_path / "x.tif", *SCAN, "--method", "fbp").stderr


def test_the_energy_can_be_traced(alr: Alr, tmp_path: Path) -> None:
    y, trace = save(tmp_path / "y.npy", views()), tmp_path / "trace.csv"
    assert alr("reconstruct", y, "-o", tmp_path / "x.tif", *QUICK, "--trace", trace).code == 0
    assert len(trace.read_text().splitlines()) == 5


def test_the_scores_of_a_prior_can_be_drawn(alr: Alr, tmp_path: Path) -> None:
    sinogram, scores = save(tmp_path / "y.tif", views()), tmp_path / "scores.png"
    out = tmp_path / "x.tif"
    result = alr("reconstruct", sinogram, "-o", out, *QUICK, "--heatmap", scores)
    assert result.code == 0, result.stderr
    assert scores.read_bytes().startswith(b"\x89PNG") and f"{scores} written" in result.stderr


@pytest.mark.parametrize(
    ("options", "pages", "sentence"),
    [
        (("--method", "tv"), 1, "shows the scores of a prior, and --method tv has none"),
        (("-w", "gray-tuned"), 2, "is a stack: select one with --slice"),
    ],
)
def test_scores_that_cannot_be_drawn_are_refused_before_any_work(
    alr: Alr, tmp_path: Path, options: tuple[str, ...], pages: int, sentence: str
) -> None:
    sinogram = save(tmp_path / "y.tif", np.stack([views()] * pages))
    out, scores = tmp_path / "x.tif", tmp_path / "scores.png"
    result = alr("reconstruct", sinogram, "-o", out, *SCAN, *options, "--heatmap", scores)
    assert result.code == 2 and sentence in result.stderr
    assert not out.exists() and not scores.exists()
