"""Kernels from specs and from files: what is read, noted and refused."""

import io
import pickle
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.errors import AlrError, InputError, UsageError
from alr_cli.files.kernel_files import read_kernel

WEIGHTS = np.array([[0, 1, 0], [1, 6, 2], [0, 2, 0]])


def saved(path: Path, array: NDArray[Any]) -> str:
    np.save(path, array)
    return f"file:{path}"


def test_a_spec_is_parsed_without_a_note() -> None:
    kernel, note = read_kernel("gaussian:7:3")
    np.testing.assert_array_equal(kernel, parse_kernel("gaussian:7:3"))
    assert note is None


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "uint8", "int64", ">f8"])
def test_an_array_of_any_real_type_is_normalised_with_a_note(tmp_path: Path, dtype: str) -> None:
    kernel, note = read_kernel(saved(tmp_path / "k.npy", WEIGHTS.astype(dtype)))
    np.testing.assert_allclose(kernel, WEIGHTS / 12, rtol=1e-12)
    assert note == "kernel normalised: its sum was 12"


def test_a_kernel_that_sums_to_one_needs_no_note(tmp_path: Path) -> None:
    kernel, note = read_kernel(saved(tmp_path / "k.npy", WEIGHTS / 12))
    np.testing.assert_allclose(kernel, WEIGHTS / 12, rtol=1e-12)
    assert note is None


def test_a_name_may_contain_colons_and_needs_no_suffix(tmp_path: Path) -> None:
    saved(tmp_path / "k.npy", WEIGHTS)
    (tmp_path / "k.npy").rename(tmp_path / "a:b")
    np.testing.assert_allclose(read_kernel(f"file:{tmp_path / 'a:b'}")[0], WEIGHTS / 12)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_gray_picture_is_a_kernel(tmp_path: Path, mode: str) -> None:
    Image.fromarray((WEIGHTS * 40).astype(np.uint8)).convert(mode).save(tmp_path / "k.png")
    kernel, note = read_kernel(f"file:{tmp_path / 'k.png'}")
    np.testing.assert_allclose(kernel, WEIGHTS / 12, rtol=1e-6)
    assert note == f"kernel normalised: its sum was {12 * 40 / 255:.6g}"


def test_a_16_bit_picture_keeps_its_precision(tmp_path: Path) -> None:
    Image.fromarray((WEIGHTS * 10001).astype(np.uint16)).save(tmp_path / "k.png")
    np.testing.assert_allclose(read_kernel(f"file:{tmp_path / 'k.png'}")[0], WEIGHTS / 12, rtol=1e-6)


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.ones((4, 4)), "not 4 x 4"),
        (np.ones(5), "two axes"),
        (np.zeros((3, 3)), "positive number"),
        (np.full((3, 3), np.nan), "NaN"),
        (np.full((3, 3), 1e308) * [[1, 1, np.inf]], "infinite"),
        (np.full((3, 3), "a"), "real numbers"),
    ],
)
def test_an_invalid_array_is_refused_by_name(tmp_path: Path, array: NDArray[Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence) as caught:
        read_kernel(saved(tmp_path / "k.npy", array))
    assert str(caught.value).startswith(f"kernel file {tmp_path / 'k.npy'}: ")


def test_huge_weights_neither_overflow_nor_warn(tmp_path: Path) -> None:
    kernel, note = read_kernel(saved(tmp_path / "k.npy", np.full((3, 3), 1e308)))
    np.testing.assert_allclose(kernel, 1 / 9)
    assert note == "kernel normalised: its sum was inf"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_picture_with_colours_or_transparency_is_refused(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (5, 5), "red").save(tmp_path / "k.png")
    with pytest.raises(UsageError, match="colours or transparency: save it as a gray picture"):
        read_kernel(f"file:{tmp_path / 'k.png'}")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "there is no such file"),
        (b"", "empty"),
        (b"0.1 0.2 0.1\n", "cannot read"),
        (b"\x89PNG\r\n\x1a\n", "cannot read"),
        (b"\x93NUMPY", "damaged"),
        (b"\x93NUMPY\x01\x00\x46\x00{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3)", "damaged"),
        (b"PK\x03\x04", "zip archive"),
    ],
)
def test_a_missing_or_damaged_file_is_an_input_error(
    tmp_path: Path, data: bytes | None, sentence: str
) -> None:
    path = tmp_path / "k.npy"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=sentence) as caught:
        read_kernel(f"file:{path}")
    assert str(path) in str(caught.value)


class Trap:
    """An object whose unpickling leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_objects_in_a_file_are_refused_and_nothing_is_executed(tmp_path: Path) -> None:
    array = np.empty((1, 1), object)
    array[0, 0] = Trap(tmp_path / "executed")
    spec = saved(tmp_path / "k.npy", array)
    with pytest.raises(InputError, match="holds objects"):
        read_kernel(spec)
    (tmp_path / "k.npy").write_bytes(pickle.dumps(array))
    with pytest.raises(InputError):
        read_kernel(spec)
    assert not (tmp_path / "executed").exists()


def test_a_header_that_promises_a_huge_array_is_refused_at_once(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f8", "fortran_order": False, "shape": (10**6 + 1, 10**6 + 1)}
    )
    (tmp_path / "k.npy").write_bytes(file.getvalue())
    start = time.monotonic()
    with pytest.raises(InputError, match="damaged"):
        read_kernel(f"file:{tmp_path / 'k.npy'}")
    assert time.monotonic() - start < 1


def test_mutated_files_give_a_kernel_or_one_sentence(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.save(file, WEIGHTS.astype(np.float32))
    chance = random.Random(0)
    path = tmp_path / "k.npy"
    outcomes = set()
    for _ in range(400):
        data = bytearray(file.getvalue())
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.choice([len(data), chance.randrange(1, len(data))])])
        try:
            kernel, _ = read_kernel(f"file:{path}")
        except AlrError as error:
            assert isinstance(error, InputError | UsageError) and "\n" not in str(error)
            outcomes.add(type(error))
        else:
            assert kernel.sum() == pytest.approx(1)
            outcomes.add(np.ndarray)
    assert outcomes >= {InputError, np.ndarray}


@pytest.mark.parametrize("spec", ["file:", "file", "FILE:k.npy", ""])
def test_a_spec_without_a_file_is_answered_with_the_grammar(spec: str) -> None:
    with pytest.raises(UsageError, match="box:SIZE or file:PATH"):
        read_kernel(spec)


def test_a_spec_is_read_without_the_codecs_and_torch() -> None:
    code = (
        "import sys; from alr_cli.files.kernel_files import read_kernel; read_kernel('box:3'); "
        "assert not {'torch', 'PIL', 'tifffile', 'imageio', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
