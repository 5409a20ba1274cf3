"""Transparent pixels stay unchanged and do not affect visible ones."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Alr, scene

ROWS, COLUMNS = np.mgrid[:40, :44]
DISTANCE = np.hypot(ROWS - 20, COLUMNS - 22)
ALPHA = {"hard": 255 * (DISTANCE < 15), "soft": np.clip(255 * (16 - DISTANCE) / 4, 0, 255).round()}
COMMANDS = {
    "denoise": ("--sigma", "0.1"),
    "deblur": ("--kernel", "box:3", "--sigma", "0.02", "--max-iter", "5"),
    "inpaint": ("--missing", "0.1", "--sigma", "0", "--max-iter", "5"),
}


@pytest.mark.parametrize("edge", ALPHA)
@pytest.mark.parametrize("command", COMMANDS)
def test_hidden_colours_do_not_affect_visible_pixels(
    alr: Alr, tmp_path: Path, command: str, edge: str
) -> None:
    alpha = ALPHA[edge].astype(np.uint8)
    pixels = np.rint(255 * scene(40, 44, 3, sigma=0.1).clip(0, 1)).astype(np.uint8)
    hidden = alpha == 0
    seen = []
    for name, colour in (("a", 0), ("b", 255)):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "in.png"
        stored = np.where(hidden[..., None], np.uint8(colour), pixels)
        Image.fromarray(np.dstack([stored, alpha])).save(path)
        result = alr(command, path, "-o", tmp_path / name / "out.png", *COMMANDS[command])
        assert result.code == 0, result.stderr
        assert "of the pixels are transparent" in result.stderr
        restored = np.asarray(Image.open(tmp_path / name / "out.png"))
        assert np.array_equal(restored[..., 3], alpha)
        assert (restored[hidden][:, :3] == colour).all()
        seen.append(restored[~hidden])
    assert np.array_equal(*seen)


@pytest.mark.parametrize("opacity", [0, 255])
def test_fully_transparent_and_opaque_pictures_are_restored_as_usual(
    alr: Alr, tmp_path: Path, opacity: int
) -> None:
    pixels = np.rint(255 * scene(20, 24, 3).clip(0, 1)).astype(np.uint8)
    Image.fromarray(np.dstack([pixels, np.full((20, 24), opacity, np.uint8)])).save(tmp_path / "a.png")
    result = alr("denoise", tmp_path / "a.png", "-o", tmp_path / "b.png", "--sigma", "0.1")
    assert "pixels are transparent" not in result.stderr
    assert not np.array_equal(np.asarray(Image.open(tmp_path / "b.png"))[..., :3], pixels)
