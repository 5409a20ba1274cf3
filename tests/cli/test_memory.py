"""Freed memory is kept if the machine and its control group have plenty of it."""

import ctypes
import os
import sys
from pathlib import Path

import pytest

from alr_cli.cli.memory import LARGE_PAGES, limit, prepare_memory

GIB = 1 << 30


@pytest.fixture
def thirty_two_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {"SC_PHYS_PAGES": 32 * GIB // 4096, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)


def grant(root: Path, file: str, text: str) -> None:
    path = root / "sys/fs/cgroup" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)


@pytest.mark.usefixtures("thirty_two_gigabytes")
@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("memory.max", "max\n", 32 * GIB),
        ("memory.max", f"{4 * GIB}\n", 4 * GIB),
        ("memory.max", f"{64 * GIB}\n", 32 * GIB),
        ("memory.max", "not a number", 32 * GIB),
        ("memory/memory.limit_in_bytes", f"{2 * GIB}\n", 2 * GIB),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", 32 * GIB),
        ("other", "1", 32 * GIB),
    ],
)
def test_the_memory_is_that_of_the_machine_or_of_its_control_group(
    file: str, text: str, expected: int, tmp_path: Path
) -> None:
    grant(tmp_path, file, text)
    assert limit(tmp_path) == expected


@pytest.mark.usefixtures("thirty_two_gigabytes")
@pytest.mark.parametrize(("granted", "kept"), [("max", True), (f"{16 * GIB}", True), (f"{8 * GIB}", False)])
def test_a_small_memory_gets_arrays_back(
    granted: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[int, int] = {}

    class Library:
        def __init__(self, name: None) -> None:
            pass

        def mallopt(self, option: int, value: int) -> None:
            asked[option] = value

    monkeypatch.setattr(ctypes, "CDLL", Library)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "environ", {})
    grant(tmp_path, "memory.max", granted)
    prepare_memory(tmp_path)
    assert os.environ == ({LARGE_PAGES: "1"} if kept else {})
    assert asked == ({-3: 32 << 20, -1: GIB} if kept else {-3: 16 << 20, -1: 64 << 20})


def test_other_systems_and_libraries_are_left_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    prepare_memory()  # a C library without mallopt
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", None)
    prepare_memory()
