"""Which numbers of a file mean black and white: given, stated by tags, or found from the numbers."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from alr_cli.errors import InputError
from alr_cli.files.folders import load_folder
from alr_cli.files.pictures import decode, encode
from alr_cli.files.ranges import Choice
from alr_cli.files.stack import opened_stack

SHADES = np.clip(np.random.default_rng(0).normal(0.5, 0.2, (40, 50)), 0, 1)
SHADES.flat[:2] = 0, 1


def tiff(numbers: np.ndarray, **more: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, numbers, photometric="minisblack", metadata=None, **more)
    return file.getvalue()


def stated(kind: int, low: float, high: float) -> list[tuple[int, int, int, float, bool]]:
    """TIFF tags that state the smallest and largest number."""
    return [(340, kind, 1, low, True), (341, kind, 1, high, True)]


CASES: dict[str, tuple[np.ndarray, list[Any], tuple[float, float] | None]] = {
    "16 bits": ((SHADES * 65535).astype(np.uint16), [], None),
    "8 bits": ((SHADES * 40).astype(np.uint8), [], None),
    "10 bits in 16": ((SHADES * 1000).astype(np.uint16), [], (0, 1023)),
    "12 bits in 16": ((SHADES * 4095).astype(np.uint16), [], (0, 4095)),
    "8 bits in 16": ((SHADES * 255).astype(np.uint16), [], (0, 255)),
    "dark in 16": ((SHADES * 9000).astype(np.uint16), [], None),
    "14 bits in 16, stated": ((SHADES * 9000).astype(np.uint16), stated(3, 0, 16000), (0, 16383)),
    "black": (np.zeros((8, 9), np.uint16), [], None),
    "float": (SHADES.astype(np.float32), [], None),
    "float with noise": ((SHADES * 1.4 - 0.2).astype(np.float32), [], None),
    "float to 255": ((SHADES * 250).astype(np.float32), [], (0, 255)),
    "float, stated": ((SHADES * 4000 - 90).astype(np.float32), stated(11, -100, 4000), (-100, 4000)),
    "float, stated wrongly": (SHADES.astype(np.float32), stated(11, 5, 9), None),
    "float to 1e-6": ((SHADES * 1e-6).astype(np.float32), [], (0, 1e-6)),
    "float, black": (np.zeros((8, 9), np.float32), [], None),
    "float64 to 1e6": (SHADES * 1e6, [], (0, 1e6)),
    "float, all one": (np.full((8, 9), 700.0, np.float32), [], (0, 1023)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_range_is_found_reported_and_kept(name: str) -> None:
    numbers, tags, expected = CASES[name]
    picture = decode(tiff(numbers, extratags=tags), range="found")
    assert (picture.range is None) == (expected is None)
    if picture.range is None or expected is None:
        return
    assert picture.range == pytest.approx(expected, rel=0.01)
    assert any("see --range" in note for note in picture.notes)
    low, high = picture.range
    assert np.abs(picture.pixels[..., 0] - (numbers - low) / (high - low)).max() < 1e-6
    back = tifffile.imread(io.BytesIO(encode(picture, "tiff")))
    assert np.abs(back - numbers.astype(back.dtype)).max() <= 1e-6 * high * (back.dtype.kind == "f")


def test_a_range_of_noisy_floats_is_not_that_of_their_farthest_numbers() -> None:
    noisy = 4000 * SHADES + np.random.default_rng(1).normal(0, 400, SHADES.shape)
    noisy[3, 3] = 1e6
    low, high = decode(tiff(noisy.astype(np.float32)), range="found").range or (0, 0)
    assert -1500 < low < 0 < 4000 < high < 6000


@pytest.mark.parametrize("numbers", [CASES["10 bits in 16"][0], CASES["float to 255"][0]])
def test_a_given_range_is_used_without_a_note(numbers: np.ndarray) -> None:
    picture = decode(tiff(numbers), range=(100.0, 300.0))
    assert np.allclose(picture.pixels[..., 0], (numbers - 100.0) / 200, atol=1e-5)
    assert picture.notes == ()
    back = tifffile.imread(io.BytesIO(encode(picture, "tiff")))
    assert np.allclose(back, numbers)


def test_another_depth_is_filled_from_black_to_white() -> None:
    picture = decode(tiff((SHADES * 1023).astype(np.uint16)), range="found")
    assert decode(encode(picture, "png", depth="uint8")).pixels.max() == 1.0


def test_a_mask_or_a_kernel_keeps_its_numbers() -> None:
    assert decode(tiff((SHADES * 1023).astype(np.uint16))).range is None


@pytest.mark.parametrize(("top", "choice"), [(900, (0.0, 1023.0)), (3000, (0.0, 4095.0)), (60000, "usual")])
def test_the_planes_of_a_stack_have_one_range(tmp_path: Path, top: int, choice: Choice) -> None:
    planes = [(SHADES * limit).astype(np.uint16) for limit in (100, top, 200)]
    (tmp_path / "a.tif").write_bytes(tiff(np.stack(planes)))
    with opened_stack(tmp_path / "a.tif") as stack:
        assert stack is not None
        assert stack.in_range("found").numbers == choice


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((SHADES * 5100).astype(np.float32), "give --range LO:HI"),
        ((SHADES * 1023).astype(np.uint16), "taken for 10 bits in 16: give --range"),
    ],
)
def test_training_refuses_pictures_of_unknown_range(tmp_path: Path, numbers: np.ndarray, said: str) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(numbers))
    with pytest.raises(InputError, match=said):
        load_folder(tmp_path, 1, 8)
    high = float(numbers.max())
    folder = load_folder(tmp_path, 1, 8, range=(0.0, high))
    assert folder.pictures[0].max() == pytest.approx(1.0)


def test_dark_pictures_among_bright_ones_are_accepted(tmp_path: Path) -> None:
    for name, top in (("dark", 1000), ("bright", 60000)):
        (tmp_path / f"{name}.tif").write_bytes(tiff((SHADES * top).astype(np.uint16)))
    assert len(load_folder(tmp_path, 1, 8)) == 2
