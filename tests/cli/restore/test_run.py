"""A batch: results, messages, and what happens if one picture fails."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alr_cli.cli.restore import models
from alr_cli.cli.restore.denoise import Denoise
from alr_cli.cli.restore.sources import Source
from alr_cli.core.metrics import psnr
from alr_cli.errors import DeviceError, NonFiniteError
from alr_cli.files.pictures import decode, read_picture
from tests.conftest import FAST, Alr, scene, write_picture
from tests.core.noise.test_estimation import photograph, with_noise
from tests.core.noise.test_model import a_model

FIELDS = [
    "input",
    "output",
    "status",
    "reason",
    "seconds",
    "iterations",
    "stop",
    "energy",
    "data_term",
    "regularizer",
    "lambda",
    "sigma",
    "sigma_estimated",
    "noise",
    "strength",
    "device",
    "precision",
    "tile",
    "planes",
    "shape",
    "black_and_white",
    "depth",
    "psnr",
    "ssim",
    "version",
    "weights",
    "weights_sha256",
]


@pytest.fixture
def folder(tmp_path: Path, tiny_weights: Path) -> Path:
    """in/{a,b,c}.png"""
    for index, name in enumerate("abc"):
        write_picture(tmp_path / "in" / f"{name}.png", scene(16 + index, 20))
    return tmp_path


def test_one_json_line_per_picture_in_order_with_the_fields_of_the_contract(alr: Alr, folder: Path) -> None:
    result = alr("denoise", folder / "in", "-o", f"{folder}/out/", "--json", "--sigma", "0.1", *FAST)
    assert result.code == 0
    lines = result.lines()
    assert [Path(line["input"]).name for line in lines] == ["a.png", "b.png", "c.png"]
    for line in lines:
        assert sorted(line) == sorted(FIELDS)
        assert line["status"] == "ok"
        assert line["shape"] == list(read_picture(line["output"]).shape)
        assert (line["iterations"], line["sigma"], line["depth"]) == (2, 0.1, "uint8")
        assert np.isclose(line["energy"], line["data_term"] + line["lambda"] * line["regularizer"], atol=1e-5)


def test_a_bad_file_does_not_stop_the_others(alr: Alr, folder: Path) -> None:
    (folder / "in/b.png").write_text("not a picture")
    result = alr("denoise", folder / "in", "-o", f"{folder}/out/", "--json", *FAST)
    assert result.code == 7
    assert [line["status"] for line in result.lines()] == ["ok", "failed", "ok"]
    assert "it is text" in result.lines()[1]["reason"]
    assert "error: 1 of 3 pictures failed" in result.stderr
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.png", "c.png"]


def test_fail_fast_stops_at_the_first_failure(alr: Alr, folder: Path) -> None:
    (folder / "in/b.png").write_text("not a picture")
    result = alr("denoise", folder / "in", "-o", f"{folder}/out/", "--json", "--fail-fast", *FAST)
    assert result.code == 7
    assert [line["status"] for line in result.lines()] == ["ok", "failed"]
    assert [path.name for path in (folder / "out").iterdir()] == ["a.png"]


def test_a_batch_can_be_resumed(alr: Alr, folder: Path) -> None:
    command = ("denoise", folder / "in", "-o", f"{folder}/out/", "--json", "--skip-existing", *FAST)
    alr(*command)
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    (folder / "out/b.png").unlink()
    result = alr(*command)
    assert result.code == 0
    assert [line["status"] for line in result.lines()] == ["skipped", "ok", "skipped"]
    kept = [path for path in before if path.name != "b.png"]
    assert all(path.stat().st_mtime_ns == before[path] for path in kept)


def test_without_work_no_model_is_loaded(alr: Alr, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("denoise", folder / "in", "-o", f"{folder}/out/", "--skip-existing", *FAST)
    assert alr(*command).code == 0
    monkeypatch.setattr(models, "build_restorer", None)
    assert alr(*command).code == 0


def test_a_folder_without_pictures_is_an_error_only_if_it_is_the_only_input(alr: Alr, folder: Path) -> None:
    (folder / "raw").mkdir()
    (folder / "raw/a.cr2").write_bytes(b"II*\0\x10\0\0\0CR")
    alone = alr("denoise", folder / "raw", "-o", f"{folder}/out/")
    assert (alone.code, alone.stderr.count("\n")) == (3, 1)
    assert "no pictures found" in alone.stderr and "develop camera RAW files" in alone.stderr
    beside = alr("denoise", folder / "raw", folder / "in/a.png", "-o", f"{folder}/out/", *FAST)
    assert beside.code == 0
    assert "no pictures found" in beside.stderr
    assert (folder / "out/a.png").exists()


def test_outputs_of_other_processes_are_neither_repeated_nor_replaced(
    alr: Alr, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process restores the same folder. Each picture that it begins first is left to it."""
    seen: list[str] = []
    restore = Denoise.prepare

    def other_is_faster(self: Denoise, picture: Any, source: Source) -> Any:
        seen.append(source.relative.name)
        if len(seen) == 1:  # while the first is restored, the others appear
            for name in ("a.png", "b.png"):
                write_picture(folder / "out" / name, scene())
        return restore(self, picture, source)

    monkeypatch.setattr(Denoise, "prepare", other_is_faster)
    result = alr("denoise", folder / "in", "-o", f"{folder}/out/", "--skip-existing", "--json", *FAST)
    assert result.code == 0
    assert seen[0] == "a.png" and "b.png" not in seen
    status = {Path(line["input"]).name: line["status"] for line in result.lines()}
    assert (status["a.png"], status["b.png"]) == ("skipped", "skipped")
    assert {path.name for path in (folder / "out").iterdir()} == set(status)  # no temporary file either


def test_without_permission_an_output_that_appears_meanwhile_is_not_replaced(
    alr: Alr, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = picture.with_name("x.png")
    restore = Denoise.prepare

    def appears(self: Denoise, picture: Any, source: Source) -> Any:
        output.write_bytes(b"of another")
        return restore(self, picture, source)

    monkeypatch.setattr(Denoise, "prepare", appears)
    result = alr("denoise", picture, "-o", output, *FAST)
    assert result.code == 4
    assert "has appeared meanwhile; give --overwrite" in result.stderr
    assert output.read_bytes() == b"of another"
    assert alr("denoise", picture, "-o", output, "--overwrite", *FAST).code == 0
    assert output.read_bytes() != b"of another"


def test_the_model_is_loaded_once_for_a_batch_and_not_for_unreadable_pictures(
    alr: Alr, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    build = models.build_restorer
    monkeypatch.setattr(
        models, "build_restorer", lambda name, *rest: loads.append(name) or build(name, *rest)
    )
    (folder / "bad.png").write_bytes(b"bad")
    assert alr("denoise", folder / "bad.png", "-o", folder / "x.png", *FAST).code == 3
    assert loads == []
    assert alr("denoise", folder / "in", "-o", f"{folder}/out/", *FAST).code == 0
    assert len(loads) == 1


def test_gray_pictures_take_gray_weights_and_colour_pictures_colour_weights(
    alr: Alr, tmp_path: Path, gray_critic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALR_WEIGHTS", raising=False)
    loads: list[str] = []
    build = models.build_restorer
    monkeypatch.setattr(
        models, "build_restorer", lambda name, *rest: loads.append(name) or build(str(gray_critic), *rest)
    )
    gray, colour = (write_picture(tmp_path / f"{c}.png", scene(16, 16, c)) for c in (1, 3))
    result = alr("denoise", gray, colour, "-o", f"{tmp_path}/out/", "--json", *FAST)
    assert [line["shape"] for line in result.lines()] == [[16, 16, 1], [16, 16, 3]]
    assert loads == ["gray-tuned", "color-tuned"]


def test_colour_weights_restore_gray_pictures_as_three_equal_channels(
    alr: Alr, tmp_path: Path, colour_critic: Path
) -> None:
    gray = scene(16, 16, 1)
    paths = [write_picture(tmp_path / f"{c}.png", gray.repeat(c, axis=2)) for c in (1, 3)]
    result = alr("denoise", *paths, "-o", f"{tmp_path}/out/", "-w", colour_critic, "--json", *FAST)
    assert [line["shape"] for line in result.lines()] == [[16, 16, 1], [16, 16, 3]]
    one, three = (read_picture(tmp_path / "out" / path.name).pixels for path in paths)
    assert np.array_equal(one.repeat(3, axis=2), three)


@pytest.mark.parametrize(("sigma", "said"), [("0.01", "less than"), ("0.1", ""), ("0.9", "more than")])
def test_a_level_outside_the_range_of_the_weights_is_reported(
    alr: Alr, picture: Path, colour_critic: Path, sigma: str, said: str
) -> None:
    stderr = alr("denoise", picture, "--sigma", sigma, "-w", colour_critic, *FAST, stdout_kind="file").stderr
    assert ("was made for" in stderr) == bool(said)
    assert said in stderr


def test_weights_that_cannot_be_used_end_a_batch_at_once(alr: Alr, folder: Path) -> None:
    (folder / "w.safetensors").write_bytes(b"nothing of the kind")
    result = alr("denoise", folder / "in", "-o", f"{folder}/out/", "-w", folder / "w.safetensors", "--json")
    assert (result.code, result.stdout) == (5, b"")
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("error", "code"), [(DeviceError, 6), (NonFiniteError, 8), (MemoryError, 6), (KeyError, 1)]
)
def test_non_finite_results_are_not_written(
    alr: Alr,
    picture: Path,
    tiny_weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    code: int,
) -> None:
    from alr_cli.core.restore import Restorer

    def fail(*arguments: object) -> None:
        raise error("the reason")

    monkeypatch.setattr(Restorer, "restore", fail)
    output = picture.with_name("out.png")
    output.write_bytes(b"old")
    result = alr("denoise", picture, "-o", output, "--overwrite")
    assert result.code == code
    assert output.read_bytes() == b"old"
    assert sorted(path.name for path in picture.parent.iterdir()) == ["a.png", "out.png"]
    assert result.stderr.count("error:") == 1
    assert "Traceback" not in result.stderr


def test_a_traceback_is_shown_only_when_asked_for(
    alr: Alr, picture: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "build_restorer", lambda *_: 1 / 0)
    command = ("denoise", picture, "-o", picture.with_name("x.png"))
    quiet = alr(*command)
    assert quiet.code == 1
    assert "internal error (ZeroDivisionError" in quiet.stderr
    assert "--debug" in quiet.stderr
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in alr(*command, "--debug").stderr
    monkeypatch.setenv("ALR_DEBUG", "1")
    assert "Traceback" in alr(*command).stderr
    monkeypatch.setenv("ALR_DEBUG", "0")
    assert "Traceback" not in alr(*command).stderr


def test_a_missing_device_is_refused_while_auto_falls_back(
    alr: Alr, picture: Path, tiny_weights: Path
) -> None:
    output = picture.with_name("x.png")
    assert alr("denoise", picture, "-o", output, "--device", "cuda:99", *FAST).code == 6
    assert alr("denoise", picture, "-o", output, "--device", "auto", *FAST).code == 0


def test_flags_win_over_the_environment_and_the_environment_over_defaults(
    alr: Alr, picture: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALR_TILE", "64")
    monkeypatch.setenv("ALR_DEVICE", "cuda:99")
    command = ("denoise", picture, "--json", "-o", picture.with_name("x.png"), "--overwrite", *FAST)
    assert alr(*command).code == 6
    [line] = alr(*command, "--device", "cpu").lines()
    assert line["tile"] == 64
    [line] = alr(*command, "--device", "cpu", "--tile", "0").lines()
    assert line["tile"] == 0
    monkeypatch.setenv("ALR_WEIGHTS", "no-such-weights")
    assert alr(*command, "--device", "cpu").code == 5
    assert alr(*command, "--device", "cpu", "-w", tiny_weights).code == 0


def test_threads_come_from_the_flag_or_the_environment(
    alr: Alr, picture: Path, tiny_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alr_cli.core.numerics import devices

    asked: list[int | None] = []
    monkeypatch.setattr(devices, "set_threads", asked.append)
    for environment, flags in ((None, ()), ("2", ()), ("2", ("--threads", "1"))):
        if environment is not None:
            monkeypatch.setenv("ALR_THREADS", environment)
        assert alr("denoise", picture, *flags, *FAST).code == 0
    assert asked == [None, 2, 1]
    monkeypatch.setenv("ALR_THREADS", "none")
    assert alr("denoise", picture).code == 2


def test_sigma_is_estimated_with_a_note_unless_it_is_given(
    alr: Alr, picture: Path, tiny_weights: Path
) -> None:
    for asked in ((), ("--sigma", "auto")):
        result = alr("denoise", picture, *asked, *FAST)
        assert "sigma" in result.stderr
        assert "(estimated)" in result.stderr
    result = alr("denoise", picture, "--sigma", "25/255", *FAST)
    assert "(estimated)" not in result.stderr


def test_a_sigma_far_from_the_estimate_gives_a_warning(alr: Alr, tmp_path: Path, tiny_weights: Path) -> None:
    path = write_picture(tmp_path / "a.png", scene(96, 96, sigma=0.1))
    assert "warning" not in alr("denoise", path, "--sigma", "0.1", *FAST).stderr
    for sigma in ("0.01", "0.5"):
        result = alr("denoise", path, "--sigma", sigma, *FAST)
        assert f"warning: {path}: sigma is {sigma}, but the picture looks" in result.stderr
        assert result.code == 0


def test_the_noise_of_a_camera_is_estimated_reported_and_removed(alr: Alr, tmp_path: Path) -> None:
    clean = photograph()
    path = write_picture(tmp_path / "a.png", with_noise(clean, a_model()).clip(0, 1))
    result = alr("denoise", path, "-o", tmp_path / "b.png", "--json")
    [record] = result.lines()
    assert record["sigma"] == pytest.approx(a_model().level(clean), rel=0.25)
    assert record["noise"].keys() == {"sigma", "correlation"}
    assert "alike over" in alr("denoise", path, "-o", tmp_path / "c.png", *FAST).stderr
    noisy, restored = (read_picture(tmp_path / name).pixels for name in ("a.png", "b.png"))
    assert psnr(clean, restored) > psnr(clean, noisy) + 1.5


@pytest.mark.parametrize(
    ("kind", "sigma"),
    [("white", None), ("correlated", 0.04), ("poisson", None), ("poisson:0.01:0.02", None), ("like", None)],
)
def test_the_kind_of_noise_can_be_given(
    alr: Alr, tmp_path: Path, tiny_weights: Path, kind: str, sigma: float | None
) -> None:
    path = write_picture(tmp_path / "a.png", with_noise(photograph(), a_model()).clip(0, 1))
    like = write_picture(tmp_path / "card.png", with_noise(np.full((96, 96, 3), 0.5), a_model()))
    asked = f"like:{like}" if kind == "like" else kind
    given = () if sigma is None else ("--sigma", str(sigma))
    [record] = alr(
        "denoise", path, "--noise", asked, *given, "-o", tmp_path / "b.png", "--json", *FAST
    ).lines()
    assert record["status"] == "ok"
    assert (record["noise"] is None) == (kind == "white")
    if sigma is not None:
        assert record["sigma"] == sigma


def test_a_noise_model_written_by_info_can_be_used(alr: Alr, tmp_path: Path, tiny_weights: Path) -> None:
    path = write_picture(tmp_path / "a.png", with_noise(photograph(), a_model()).clip(0, 1))
    (tmp_path / "noise.json").write_text(alr("info", path, "--json").stdout.decode())
    [record] = alr(
        *("denoise", path, "--noise", tmp_path / "noise.json", "-o", tmp_path / "b.png", "--json", *FAST)
    ).lines()
    assert record["noise"] == json.loads((tmp_path / "noise.json").read_text())["noise"]["model"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("pink", "not a kind of noise"),
        ("poisson:2:0", "poisson:GAIN:READ"),
        ("poisson:x", "poisson:GAIN:READ"),
        ("missing.json", "cannot read --noise missing.json"),
    ],
)
def test_impossible_kinds_of_noise_are_refused(alr: Alr, picture: Path, asked: str, said: str) -> None:
    result = alr("denoise", picture, "--noise", asked, *FAST)
    assert result.code in (2, 3)
    assert said in result.stderr


def test_three_equal_channels_are_restored_as_gray(alr: Alr, tmp_path: Path) -> None:
    gray = scene(96, 96, sigma=0.1)[..., :1]
    outputs = []
    for name, pixels in (("gray", gray), ("colour", np.repeat(gray, 3, axis=2))):
        path = write_picture(tmp_path / f"{name}.png", pixels)
        assert alr("denoise", path, "-o", tmp_path / f"{name}_out.png").code == 0
        outputs.append(read_picture(tmp_path / f"{name}_out.png").pixels)
    assert np.array_equal(np.repeat(outputs[0], 3, axis=2), outputs[1])


def test_little_noise_is_reported(alr: Alr, tmp_path: Path, tiny_weights: Path) -> None:
    path = write_picture(tmp_path / "a.png", scene(96, 96, sigma=0.001), "uint16")
    assert "(estimated): there is little noise" in alr("denoise", path, *FAST).stderr


def test_sigma_0_returns_the_input(alr: Alr, picture: Path, tiny_weights: Path) -> None:
    result = alr("denoise", picture, "--sigma", "0", stdout_kind="file")
    assert np.array_equal(decode(result.stdout).pixels, read_picture(picture).pixels)


def test_a_reference_gives_psnr_and_ssim_as_scikit_image_has_them(alr: Alr, folder: Path) -> None:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    for index, name in enumerate("abc"):
        write_picture(folder / "clean" / f"{name}.png", scene(16 + index, 20, sigma=0))
    output, clean = folder / "out", folder / "clean"
    result = alr(
        *(
            "denoise",
            folder / "in",
            "-o",
            f"{output}/",
            "--depth",
            "16",
            "--reference",
            clean,
            "--json",
            *FAST,
        )
    )
    for line in result.lines():
        restored, true = (
            read_picture(folder / d / Path(line["input"]).name).pixels for d in ("out", "clean")
        )
        settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "channel_axis": 2}
        assert line["psnr"] == pytest.approx(
            peak_signal_noise_ratio(true, restored, data_range=1.0), abs=1e-3
        )
        assert line["ssim"] == pytest.approx(
            structural_similarity(true, restored, data_range=1.0, **settings), abs=1e-3
        )
    assert "PSNR" in result.stderr


def test_a_reference_of_another_size_or_missing_is_refused(
    alr: Alr, picture: Path, tiny_weights: Path
) -> None:
    other = write_picture(picture.with_name("other.png"), scene(8, 8))
    assert alr("denoise", picture, "--reference", other, *FAST).code == 2
    assert alr("denoise", picture, "--reference", "gone.png", *FAST).code == 3


def test_a_report_is_appended_and_contains_the_lines_of_json(alr: Alr, folder: Path) -> None:
    report = folder / "log.jsonl"
    for name in "ab":
        alr("denoise", folder / f"in/{name}.png", "-o", folder / f"{name}.png", "--report", report, *FAST)
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert [Path(line["input"]).name for line in lines] == ["a.png", "b.png"]
    assert alr("denoise", folder / "in/c.png", "--report", folder / "no/log", *FAST).code == 4


def test_a_failure_is_in_the_report_too(alr: Alr, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"bad")
    result = alr("denoise", folder / "bad.png", "-o", folder / "x.png", "--json")
    [line] = result.lines()
    assert (result.code, line["status"], line["energy"]) == (3, "failed", None)
    assert line["reason"] in result.stderr


def test_quiet_prints_only_errors_and_verbose_prints_more(
    alr: Alr, picture: Path, tiny_weights: Path
) -> None:
    usual = alr("denoise", picture, *FAST)
    assert alr("denoise", picture, "-q", *FAST).stderr == ""
    assert "error: " in alr("denoise", "gone.png", "-q").stderr
    verbose = alr("denoise", picture, "-v", *FAST)
    assert "energy" in verbose.stderr
    assert len(verbose.stderr) > len(usual.stderr)


def test_control_characters_in_names_are_escaped(alr: Alr, tmp_path: Path, tiny_weights: Path) -> None:
    path = write_picture(tmp_path / "a\x1b[31m\nred [bold].png", scene(16, 16))
    result = alr("denoise", path, "-o", f"{tmp_path}/out/", *FAST)
    assert result.code == 0
    assert "\x1b" not in result.stderr
    assert "a\\x1b[31m\\nred [bold].png" in result.stderr


def test_the_same_command_gives_the_same_bytes_alone_or_in_a_batch(alr: Alr, folder: Path) -> None:
    for out, names in (("one/", ["a"]), ("all/", ["a", "b", "c"]), ("again/", ["a", "b", "c"])):
        inputs = [folder / f"in/{name}.png" for name in names]
        assert alr("denoise", *inputs, "-o", f"{folder}/{out}", "--max-iter", "5").code == 0
    assert (folder / "one/a.png").read_bytes() == (folder / "all/a.png").read_bytes()
    for name in "abc":
        assert (folder / f"all/{name}.png").read_bytes() == (folder / f"again/{name}.png").read_bytes()


def test_the_strength_can_be_chosen_for_each_picture(alr: Alr, picture: Path, tiny_weights: Path) -> None:
    options = ("--sigma", "0.1", "--auto-strength", *FAST)
    result = alr("denoise", picture, *options)
    assert result.code == 0 and "(chosen)" in result.stderr
    assert "contradict" not in result.stderr
    result = alr("denoise", picture, *options, "--strength", "2")
    assert result.code == 2 and "--auto-strength chooses" in result.stderr
