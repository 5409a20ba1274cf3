"""Format and depth of the output, and the metadata that are copied."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ImageCms

from alr_cli.cli.streams import StdoutKind
from alr_cli.files.pictures import decode, read_picture
from tests.conftest import FAST, Alr, scene, write_picture

pytestmark = pytest.mark.usefixtures("tiny_weights")


@pytest.mark.parametrize(
    ("name", "depth", "kind", "options", "written"),
    [
        ("a.png", "uint8", "pipe", [], ("png", "uint16")),
        ("a.png", "uint8", "file", [], ("png", "uint8")),
        ("a.png", "uint16", "pipe", [], ("png", "uint16")),
        ("a.jpg", "uint8", "pipe", [], ("png", "uint16")),
        ("a.jpg", "uint8", "file", [], ("jpeg", "uint8")),
        ("a.tif", "float32", "pipe", [], ("tiff", "float32")),
        ("a.tif", "float32", "file", [], ("tiff", "float32")),
        ("a.png", "uint8", "pipe", ["--depth", "8"], ("png", "uint8")),
        ("a.png", "uint8", "pipe", ["-f", "png"], ("png", "uint8")),
        ("a.png", "uint8", "pipe", ["-f", "jpeg"], ("jpeg", "uint8")),
        ("a.png", "uint8", "pipe", ["--depth", "float"], ("tiff", "float32")),
        ("a.tif", "float32", "pipe", ["--depth", "16"], ("png", "uint16")),
    ],
)
def test_the_format_on_stdout(
    alr: Alr,
    tmp_path: Path,
    name: str,
    depth: str,
    kind: StdoutKind,
    options: list[str],
    written: tuple[str, str],
) -> None:
    path = write_picture(tmp_path / name, scene(16, 16), depth)
    for result in (
        alr("denoise", path, *options, *FAST, stdout_kind=kind),
        alr("denoise", "-", *options, *FAST, stdout_kind=kind, stdin=path.read_bytes()),
    ):
        picture = decode(result.stdout)
        assert (picture.format, picture.depth) == written


@pytest.mark.parametrize("source", ["a.png", "a.tif", "a.webp", "a.bmp", "a.ppm", "a.jpg"])
@pytest.mark.parametrize("target", ["b.png", "b.tif", "b.webp", "b.bmp", "b.ppm", "b.jpg"])
def test_the_name_of_the_output_decides_the_format(
    alr: Alr, tmp_path: Path, source: str, target: str
) -> None:
    path = write_picture(tmp_path / source, scene(16, 16))
    assert alr("denoise", path, "-o", tmp_path / target, "--sigma", "0").code == 0
    before, after = read_picture(path), read_picture(tmp_path / target)
    assert after.shape == before.shape
    lossy = 0.2 if "jpg" in target else 1 / 255
    assert np.abs(after.pixels - before.pixels).max() <= lossy


CARRIED: list[tuple[str, str, int, dict[str, Any]]] = [
    ("a.png", "uint16", 3, {}),
    ("a.png", "uint16", 1, {"alpha": True}),
    ("a.png", "uint8", 3, {"alpha": True, "dpi": (300.0, 300.0)}),
    ("a.tif", "float32", 3, {"alpha": True, "dpi": (72.0, 72.0)}),
    ("a.tif", "uint16", 1, {"icc": True}),
    ("a.webp", "uint8", 3, {"alpha": True, "icc": True}),
    ("a.jpg", "uint8", 3, {"icc": True, "dpi": (72.0, 72.0)}),
]


@pytest.mark.parametrize(("name", "depth", "channels", "carried"), CARRIED)
def test_depth_alpha_profile_and_resolution_are_preserved(
    alr: Alr, tmp_path: Path, name: str, depth: str, channels: int, carried: dict[str, Any]
) -> None:
    given = dict(carried)
    if "alpha" in given:
        given["alpha"] = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    if "icc" in given:
        given["icc"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = write_picture(tmp_path / name, scene(16, 16, channels), depth, **given)
    output = tmp_path / f"out/{name}"
    assert alr("denoise", path, "-o", f"{tmp_path}/out/", "--sigma", "0.1", *FAST).code == 0
    before, after = read_picture(path), read_picture(output)
    assert (after.depth, after.channels, after.icc, after.dpi) == (
        before.depth,
        channels,
        before.icc,
        before.dpi,
    )
    assert (after.alpha is None) == (before.alpha is None)
    if before.alpha is not None:
        assert np.array_equal(before.alpha, after.alpha)
    assert not np.array_equal(before.pixels, after.pixels)


def test_what_a_format_cannot_store_is_refused_before_the_restoration(
    alr: Alr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alr_cli.cli.restore import models

    monkeypatch.setattr(models, "build_restorer", None)
    alpha = np.full((16, 16), 0.5, np.float32)
    path = write_picture(tmp_path / "a.png", scene(16, 16), alpha=alpha)
    deep = write_picture(tmp_path / "b.tif", scene(16, 16), "float32")
    refused = [(path, f"x.{suffix}") for suffix in ("jpg", "bmp", "ppm")]
    refused += [(deep, f"x.{suffix}") for suffix in ("png", "jpg", "webp", "bmp", "ppm")]
    for source, target in refused:
        result = alr("denoise", source, "-o", tmp_path / target)
        assert result.code == 4
        assert not (tmp_path / target).exists()


def test_dropping_alpha_and_stripping_are_done_when_asked_for(alr: Alr, tmp_path: Path) -> None:
    exif = b"II*\0\x08\0\0\0\x01\0\x0e\x01\x02\0\x04\0\0\0abc\0\0\0\0\0"  # ImageDescription = "abc"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    alpha = np.full((16, 16), 0.5, np.float32)
    path = write_picture(tmp_path / "a.png", scene(16, 16), alpha=alpha, exif=exif, icc=icc)
    assert alr("denoise", path, "-o", tmp_path / "b.jpg", "--drop-alpha", *FAST).code == 0
    assert read_picture(tmp_path / "b.jpg").alpha is None
    assert read_picture(path).exif is not None
    assert alr("denoise", path, "-o", tmp_path / "c.png", "--strip", *FAST).code == 0
    stripped = read_picture(tmp_path / "c.png")
    assert (stripped.exif, stripped.icc) == (None, icc)


def test_floats_outside_0_1_are_kept_with_a_note_and_nan_is_refused(alr: Alr, tmp_path: Path) -> None:
    pixels = scene(16, 16)
    pixels[3, 4], pixels[5, 6] = -0.25, 1.5
    path = write_picture(tmp_path / "a.tif", pixels, "float32")
    result = alr("denoise", path, "-o", tmp_path / "x.tif", "--sigma", "0")
    assert "values outside [0,1]: min -0.25, max 1.5" in result.stderr
    assert np.array_equal(read_picture(tmp_path / "x.tif").pixels, pixels)
    pixels[0, 0] = np.nan
    result = alr("denoise", write_picture(path, pixels, "float32"), "-o", tmp_path / "y.tif")
    assert result.code == 3
    assert "NaN; fill them with alr inpaint" in result.stderr


def test_max_pixels_and_page_reach_the_reader(alr: Alr, picture: Path) -> None:
    assert alr("denoise", picture, "--max-pixels", "10").code == 3
    assert alr("denoise", picture, "--page", "2").code == 3
    assert alr("denoise", picture, "--page", "1", *FAST).code == 0
