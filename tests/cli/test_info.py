"""`alr info` and `alr weights`."""

import sys
from pathlib import Path

import numpy as np
import pytest

from alr_cli.cli import weights as weights_command
from alr_cli.files import weights as weights_files
from tests.conftest import Alr, scene, write_picture

ROTATED = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


def test_the_facts_of_a_picture(alr: Alr, tmp_path: Path) -> None:
    from PIL import ImageCms

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    alpha = np.full((64, 80), 0.5, np.float32)
    path = write_picture(
        tmp_path / "a.png", scene(64, 80), "uint16", alpha=alpha, icc=icc, exif=ROTATED, dpi=(300.0, 300.0)
    )
    [facts] = alr("info", path, "--json").lines()
    assert facts["file"] == str(path)
    assert facts["kind"] == "picture"
    assert (facts["format"], facts["width"], facts["height"], facts["channels"]) == ("png", 80, 64, 3)
    assert (facts["depth"], facts["alpha"], facts["orientation"]) == ("uint16", True, 6)
    assert "sRGB" in facts["profile"]
    assert facts["dpi"] == pytest.approx([300, 300], abs=0.1)
    assert 0.07 < facts["sigma_estimated"] < 0.13
    table = alr("info", path).stdout.decode()
    assert "depth: uint16" in table
    assert "alpha: yes" in table


def test_the_facts_of_weights(alr: Alr, gray_critic: Path) -> None:
    [facts] = alr("info", gray_critic, "--json").lines()
    assert facts["kind"] == "weights"
    assert facts["architecture"]["channels"] == 1
    assert facts["sigma_range"] == [0.05, 0.3]
    told = alr("info", gray_critic).stdout.decode()
    assert "noise: white noise, sigma 0.05 to 0.3" in told
    assert "for: gray pictures with white noise" in told  # there is no card beside it


@pytest.mark.parametrize("name", weights_files.shipped_names())
def test_a_summary_says_what_weights_are_for(alr: Alr, name: str) -> None:
    lines = alr("info", name).stdout.decode().splitlines()
    assert len(lines) < 20
    assert max(map(len, lines)) < 300
    assert f"all numbers: alr info {name} --json" in lines
    [row] = [line for line in alr("weights", "--json").lines() if line["name"] == name]
    assert f"for: {row['for']}" in lines
    assert len(row["for"].split()) > 3
    assert row["for"] in alr("weights").stdout.decode()
    [facts] = alr("info", name, "--json").lines()
    assert facts["lam"] == weights_files.read_metadata(name)["lam"]  # nothing is left out there


def test_the_noise_of_a_picture_is_described_in_words(alr: Alr, tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", scene(96, 96))
    told = alr("info", path).stdout.decode()
    assert "by brightness and channel; neighbours correlate by" in told
    assert max(map(len, told.splitlines())) < 200
    assert alr("info", path, "--json").lines()[0]["noise"]["brightness"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("color-fre", "color-free"), ("Color-Tuned", "color-tuned"), ("grey-holes", "gray-holes")],
)
def test_similar_names_are_suggested(alr: Alr, picture: Path, typed: str, meant: str) -> None:
    for arguments in (("denoise", picture, "-w", typed), ("info", typed)):
        result = alr(*arguments)
        assert result.code == 5
        assert f"did you mean {meant}?" in result.stderr
    assert "did you mean" not in alr("denoise", picture, "-w", "something-else").stderr


def test_a_picture_can_come_from_stdin(alr: Alr, picture: Path) -> None:
    [facts] = alr("info", "-", "--json", stdin=picture.read_bytes()).lines()
    assert (facts["file"], facts["width"]) == ("-", 32)


def test_a_picture_that_is_all_nan_still_has_facts(alr: Alr, tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.tif", np.full((8, 8, 1), np.nan, np.float32), "float32")
    [facts] = alr("info", path, "--json").lines()
    assert facts["sigma_estimated"] is None
    assert facts["notes"] == ["64 values are NaN"]


@pytest.mark.parametrize(
    ("names", "code"), [(["gone.png"], 3), (["bad.safetensors"], 5), (["a.png", "gone.png"], 7)]
)
def test_failures_have_the_usual_exit_codes(
    alr: Alr, picture: Path, names: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(picture.parent)
    Path("bad.safetensors").write_bytes(b"bad")
    result = alr("info", *names)
    assert result.code == code
    assert b"error" not in result.stdout


def test_without_a_file_the_installation_is_described(
    alr: Alr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ALR_CACHE", str(tmp_path))
    [facts] = alr("info", "--json").lines()
    assert facts["kind"] == "installation" and facts["problems"] == []
    assert facts["device"] == "cpu" and facts["precision"] in ("float32", "bfloat16")
    assert facts["cache"] == str(tmp_path) and "color-tuned" in facts["weights"]
    assert facts["environment"]["ALR_CACHE"] == str(tmp_path)
    table = alr("info").stdout.decode()
    for known in ("version: ", "torch: ", "device: cpu", "processor: ", "weights_folder: ", "problems: none"):
        assert known in table
    assert alr("info", "--plot", "x.png").code == 2


def test_a_damaged_installation_is_reported(
    alr: Alr, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(weights_files, "shipped_folder", lambda: tmp_path)
    assert "no shipped weights" in alr("info", "--json").lines()[0]["problems"][0]
    (tmp_path / "half.safetensors").write_bytes(b"half")
    [facts] = alr("info", "--json").lines()
    assert len(facts["problems"]) == 1 and "half.safetensors" in facts["problems"][0]
    monkeypatch.setitem(sys.modules, "torch", None)
    [facts] = alr("info", "--json").lines()
    assert facts["torch"] is None and "install it again" in facts["problems"][0]


def test_a_stack_shows_its_axes(alr: Alr, tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "stack.tif"
    data = np.stack([scene(40, 50, channels=1)[..., 0]] * 6).reshape(3, 2, 40, 50)
    tifffile.imwrite(path, (data * 65535).astype(np.uint16), imagej=True, metadata={"axes": "TCYX"})
    [facts] = alr("info", path, "--json").lines()
    assert (facts["kind"], facts["dialect"], facts["planes"]) == ("stack", "ImageJ", 6)
    assert facts["axes"] == {"T": 3, "Z": 1, "C": 2} or facts["axes"] == {"T": 3, "C": 2}
    assert (facts["width"], facts["height"], facts["depth"]) == (50, 40, "uint16")
    assert 0.05 < facts["sigma_estimated"] < 0.2
    assert "  T: 3" in alr("info", path).stdout.decode()


def test_the_shipped_weights_are_listed(alr: Alr, gray_critic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights_files, "shipped_folder", lambda: gray_critic.parent)
    name = gray_critic.stem
    assert weights_command.__doc__
    listed = alr("weights").stdout.decode()
    assert listed.startswith(name)
    assert "gray" in listed
    [facts] = alr("weights", "--json").lines()
    assert (facts["name"], facts["channels"], facts["sigma_range"]) == (name, 1, [0.05, 0.3])
    assert alr("info", name).code == 0
    assert alr("info", "no-such-name").code == 3


def test_without_shipped_weights_the_list_is_empty(
    alr: Alr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_files, "shipped_folder", lambda: tmp_path)
    assert alr("weights", "--json").stdout == b""
    assert alr("weights").code == 0


def test_the_noise_of_a_picture_is_described_and_drawn(alr: Alr, tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", scene(128, 160, sigma=0.05), "uint16")
    plot = tmp_path / "noise.png"
    result = alr("info", path, "--plot", plot, "--json")
    [facts] = result.lines()
    assert facts["noise_found"].startswith("sigma 0.05")
    assert facts["noise"]["sigma"] == pytest.approx(0.05, rel=0.2)
    assert abs(facts["noise"]["neighbours_correlate_by"]) < 0.1
    assert len(facts["noise"]["sigma_by_channel_and_brightness"][0]) == len(facts["noise"]["brightness"])
    assert plot.read_bytes().startswith(b"\x89PNG") and f"{plot} written" in result.stderr
    again = alr("info", path, "--plot", plot)
    assert again.code == 4 and "--overwrite" in again.stderr
    assert alr("info", path, "--plot", plot, "--overwrite").code == 0


def test_a_plot_needs_one_picture_that_is_large_enough(alr: Alr, picture: Path, tmp_path: Path) -> None:
    plot = tmp_path / "noise.png"
    small = write_picture(tmp_path / "small.png", scene(12, 12))
    for names, said in (
        ((picture, small), "name one"),
        ((small,), "too small"),
        (("color-paper",), "not a picture"),
    ):
        result = alr("info", *names, "--plot", plot)
        assert result.code == 2 and said in result.stderr and not plot.exists()


def test_a_range_can_be_said(alr: Alr, tmp_path: Path) -> None:
    dark = np.random.default_rng(0).normal(0.01, 0.002, (64, 64, 1)).clip(0, 1).astype(np.float32)
    path = write_picture(tmp_path / "dark.png", dark, "uint16")
    found, said = (alr("info", path, "--json", *more).lines()[0] for more in ((), ("--range", "0:65535")))
    assert found["range"] == [0, 4095]
    assert said["range"] is None
    assert said["sigma_estimated"] == pytest.approx(0.002, rel=0.1)
    assert found["sigma_estimated"] == pytest.approx(0.002 * 65535 / 4095, rel=0.1)
