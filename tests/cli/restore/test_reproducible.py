"""The same command gives the same bytes: twice, with one thread or two, alone or in a batch."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Alr, scene, write_picture

COMMANDS = {
    "denoise": [],
    "deblur": ["--kernel", "gaussian:5:1"],
    "inpaint": ["--missing", "0.5"],
}


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("command", "solver", "precision"),
    [
        *((command, "default", precision) for command in COMMANDS for precision in ("float32", "auto")),
        ("denoise", "adam", "float32"),
        ("denoise", "gd", "float32"),
        ("denoise", "nmapg", "float32"),
    ],
)
def test_threads_repetition_and_company_do_not_change_the_bytes(
    alr: Alr, tmp_path: Path, tiny_weights: Path, command: str, solver: str, precision: str
) -> None:
    """The output is a float TIFF, so that rounding hides no difference."""
    first, second = (
        write_picture(tmp_path / f"in/{name}.tif", scene(72, 80, 1), "float32") for name in ("a", "b")
    )
    runs = {
        "one": ("1", [second]),
        "two": ("2", [second]),
        "again": ("2", [second]),
        "batch": ("2", [first, second]),
    }
    for out, (count, inputs) in runs.items():
        result = alr(
            *(command, *inputs, "-o", f"{tmp_path}/{out}/", "--threads", count, "--solver", solver),
            *(*COMMANDS[command], "--sigma", "0.1", "--max-iter", "3", "--precision", precision),
        )
        assert result.code == 0, result.stderr
    written = {out: (tmp_path / out / "b.tif").read_bytes() for out in runs}
    assert {out for out, data in written.items() if data != written["one"]} == set()
