"""Pictures whose range is not that of their type: sigma is in units of their range."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.conftest import Alr, scene

CLEAN = scene(64, 72, 1, sigma=0)[..., 0]
NOISY = CLEAN + np.random.default_rng(2).normal(0, 0.1, CLEAN.shape)
KINDS = {
    "float to 4000": (4000.0, np.float32),
    "float to 40": (40.0, np.float32),
    "10 bits in 16": (1023.0, np.uint16),
    "12 bits in 16": (4095.0, np.uint16),
}


def save(path: Path, numbers: np.ndarray, dtype: type) -> Path:
    numbers = numbers if dtype is np.float32 else np.rint(numbers)
    tifffile.imwrite(path, numbers.astype(dtype), photometric="minisblack", metadata=None)
    return path


@pytest.mark.parametrize("asked", [(), ("--range",), ("--range", "--sigma")])
@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_removed_in_units_of_the_range(
    alr: Alr, tmp_path: Path, kind: str, asked: tuple[str, ...]
) -> None:
    top, dtype = KINDS[kind]
    noisy = NOISY if dtype is np.float32 else NOISY.clip(0, 1)
    noisy, clean = save(tmp_path / "a.tif", top * noisy, dtype), save(tmp_path / "b.tif", top * CLEAN, dtype)
    options = {"--range": f"0:{top:g}", "--sigma": "0.1"}
    given = [word for option in asked for word in (option, options[option])]
    result = alr("denoise", noisy, "-o", tmp_path / "c.tif", "--reference", clean, "--json", *given)
    (line,) = result.lines()
    assert 0.06 < line["sigma"] < 0.12
    assert line["psnr"] > 25
    assert ("(see --range)" in result.stderr) == (not asked)
    restored = tifffile.imread(tmp_path / "c.tif")
    error = np.sqrt(np.mean((restored / top - CLEAN) ** 2))
    assert restored.dtype == dtype
    assert error < 0.05


def test_a_dark_frame_is_read_in_the_range_of_the_picture(alr: Alr, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    dark = save(tmp_path / "dark.tif", np.abs(rng.normal(100, 20, (96, 96))), np.uint16)
    picture = save(tmp_path / "a.tif", 1023 * NOISY.clip(0, 1), np.uint16)
    (line,) = alr(
        "denoise", picture, "-o", tmp_path / "c.tif", "--noise", f"like:{dark}", "--max-iter", "1", "--json"
    ).lines()
    assert line["sigma"] == pytest.approx(20 / 1023, rel=0.2)


@pytest.mark.parametrize("text", ["1", "5:1", "0:nan", "a:b", "1:1"])
def test_invalid_ranges_are_refused(alr: Alr, picture: Path, text: str) -> None:
    result = alr("denoise", picture, "--range", text)
    assert result.code == 2
    assert "write BLACK:WHITE" in result.stderr
