import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from alr_cli.errors import InputError
from alr_cli.files.scans import read_angles, read_row, read_scan
from alr_cli.files.slices import encode_slices

VALUES = np.arange(12, dtype=np.float32).reshape(3, 4)


def written(path: Path, values: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".png":
        Image.fromarray(values.astype(np.uint16)).save(path)
    else:
        tifffile.imwrite(path, values, photometric="minisblack")
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("y.npy", float),
        ("y.npy", np.int16),
        ("y.tif", np.float32),
        ("y.tif", np.uint16),
        ("y.png", np.uint16),
    ],
)
def test_numbers_are_returned_as_stored(tmp_path: Path, name: str, kind: type) -> None:
    scan = read_scan(written(tmp_path / name, VALUES.astype(kind)))
    assert scan.sinograms.dtype == np.float32 and np.allclose(scan.sinograms, VALUES[None], atol=1e-3)
    assert scan.angles is None and scan.flat is None


@pytest.mark.parametrize("name", ["y.npy", "y.tif"])
def test_a_stack_is_read_whole_or_by_number(tmp_path: Path, name: str) -> None:
    path = written(tmp_path / name, np.stack([VALUES, 2 * VALUES]))
    assert read_scan(path).sinograms.shape == (2, 3, 4)
    assert np.array_equal(read_scan(path, 1).sinograms, 2 * VALUES[None])
    with pytest.raises(InputError, match="--slice 2 was asked for, but it holds 2"):
        read_scan(path, 2)


def test_data_exchange_brings_its_angles_and_fields(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["exchange/data"] = np.stack([VALUES, VALUES + 1])  # 2 angles, 3 rows, 4 detectors
        file["exchange/data_white"] = np.full((5, 3, 4), 90)
        file["exchange/theta"] = [0.0, 90.0]
    scan = read_scan(path, 2)
    assert scan.sinograms.tolist() == [[VALUES[2].tolist(), (VALUES[2] + 1).tolist()]]
    assert scan.angles is not None and scan.angles.tolist() == [0, 90]
    assert scan.flat is not None and scan.flat.tolist() == [[90] * 4] and scan.dark is None
    with pytest.raises(InputError, match="--slice 3 was asked for"):
        read_scan(path, 3)
    with h5py.File(path, "w") as file:
        file["other"] = VALUES
    with pytest.raises(InputError, match="no /exchange/data"):
        read_scan(path)


@pytest.mark.parametrize("name", ["y.npy", "y.tif", "y.png"])
def test_a_file_that_is_too_large_is_refused_by_its_header(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"cannot read {tmp_path / name}: .*limit"):
        read_scan(written(tmp_path / name, VALUES), max_values=11)


def test_colour_is_refused_as_a_sinogram(tmp_path: Path) -> None:
    Image.new("RGB", (4, 3)).save(tmp_path / "y.png")
    with pytest.raises(InputError, match="one gray plane"):
        read_scan(tmp_path / "y.png")


def test_every_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    path = tmp_path / "y"
    for name in ("y.npy", "y.tif", "y.png"):
        whole = bytearray(written(tmp_path / name, VALUES).read_bytes())
        for _ in range(60):
            damaged = whole.copy()
            for place in random.integers(len(whole), size=3):
                damaged[place] = random.integers(256)
            path.write_bytes(bytes(damaged[: random.integers(1, len(whole) + 1)]))
            try:
                assert read_scan(path).sinograms.ndim == 3
            except InputError as error:
                assert str(error).startswith(f"cannot read {path}: ") and "\n" not in str(error)


@pytest.mark.parametrize(
    "text", ["0 60 120", "0\n60\n120", "# log\n0,60,120\n", "0;60;120", "\ufeff0 60 120"]
)
def test_angles_are_separated_by_anything(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    assert read_angles(tmp_path / "a.txt").tolist() == [0, 60, 120]


@pytest.mark.parametrize("data", [b"", b"a b", b"nan 1", b"\x93NUMPY", b"\xff\xfe"])
def test_invalid_lists_of_angles_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(InputError):
        read_angles(tmp_path / "a.txt")


def test_a_field_is_the_mean_of_its_rows_and_as_wide_as_the_sinogram(tmp_path: Path) -> None:
    path = written(tmp_path / "flat.tif", VALUES)
    assert read_row(path, 4, "--flat").tolist() == [4, 5, 6, 7]
    with pytest.raises(InputError, match=r"--flat .* has 4 columns and the sinogram has 5"):
        read_row(path, 5, "--flat")


def test_slices_are_float_pages_with_a_description() -> None:
    data = encode_slices(np.stack([VALUES, -VALUES]), '{"a": 1}')
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert file.asarray().dtype == np.float32
        assert np.array_equal(file.asarray(), [VALUES, -VALUES])
        assert file.pages[0].description == '{"a": 1}'
    assert data == encode_slices(np.stack([VALUES, -VALUES]), '{"a": 1}')
