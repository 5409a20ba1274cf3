"""A part of scripts/fuzz_pictures.py, and every failure it has found so far."""

import base64
import subprocess
import sys
from typing import Any

import pytest

from alr_cli.errors import InputError
from alr_cli.files.pictures import decode
from scripts.fuzz_pictures import mutant, outcome, repair, run
from tests.files.seeds import seed_files

FOUND = {
    # mutant 75431 of seed 3: a code not yet in the LZW table made tifffile's decoder read a wild address
    "an LZW code from the future": """
SUkqAAgAAAAOAAABBAABAAAAJQAAAAEBBAABAAAAGAAAAAIBAwADAAAAtgAAAAMBAwABAAAABQAAAAYBAwABAAAAAgAAABEBBAABAAAA
0AAAABUBAwABAAAAAwAAABYBBAABAAAAGAAAABcBBAABAAAAlQEAABoBBQABAAAAvAAAABsBBQABAAAAxAAAABwBAwABAAAAAQAAACgB
AwABAAAAAQAAAD0BAwABAAAAAgAAAAAAAAAIAAgACAABAAAAAQAAAAEAAAABAAAAAAAAAIAAIEBwABIIA4JBgBCILAAAAAIBAwADAAAA
tgAAAAMBAwABAAAABQAAAAYBHBENhcJg8SiMQhUMi8Pi8UjETi0ejcQAcakElgoABYGk0dioEh8slkhmUgl8cm0flsrhM1kUUi4ACwLm
8zhcknM9pFEkdJk1KocOplJAAhCM6pM8hVOqMYrFNq1al1HpQAFgWp9HpdZr9rotRsFstNnjAAG4cuE7rdyoddvN9mVGmEcABDEN6i18
wN+qFqtGGolhxMyABOE9sjOKxtXzGRr1tt8LABZFlnv+Zz8xxGOztc00gABkGWrjmA1Vixd3t0r2lbABvG8+r+pzGlzmtv3CyR6Hu1uP
GmO6zfA527saFIe4yG1sHI2XH50JACQJHM6ndpXl23fkXomIATZO7Hc6MF+WnvfGn6mKfk3Pqy7Huw6EAJaABYiy+L0uKyK+Ps7znrQA
BeC8/jGQUuSjQa08MK+ABkDJBEMuC+cMvYwRpjS7T5Qsw7/QC+j/AAbw3ss28WwTEsRtmzYAHSOjSJpG0HtZFbPuIxwAHoPTzRrIkLxz
BMdNOAB/kBBEmwc5jpQW/yAg
""",
}


def test_damaged_files_end_in_a_picture_or_a_sentence() -> None:
    report = run(seed=0, numbers=range(1000))
    assert report.failures == []
    assert report.outcomes["decoded"] > 100
    assert report.outcomes["InputError"] > 500
    assert sum(report.outcomes.values()) == 1000


def test_damaged_files_end_the_command_with_0_or_3() -> None:
    report = run(seed=1, numbers=range(60), command=True)
    assert report.failures == []
    assert report.outcomes["decoded"] > 5
    assert report.outcomes["decoded"] + report.outcomes["InputError"] == 60


def test_a_mutant_depends_only_on_seed_and_number() -> None:
    files = seed_files()
    assert mutant(0, 7, files) == mutant(0, 7, files)
    assert len({mutant(0, number, files)[1] for number in range(300)}) > 250


def test_the_fuzzer_reports_a_crash_and_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies of a signal loses only its current mutant."""
    real, started = subprocess.run, []

    def dying(command: list[str], **options: Any) -> "subprocess.CompletedProcess[str]":
        started.append(command)
        if len(started) == 1:
            first = 'print(\'{"number": 0, "how": "x"}\', flush=True); import os; os.kill(os.getpid(), 11)'
            command = [sys.executable, "-c", first]
        return real(command, **options)

    monkeypatch.setattr(subprocess, "run", dying)
    report = run(seed=0, numbers=range(3))
    assert report.failed == [0]
    assert "crashed or hung (exit -11)" in report.failures[0]
    assert sum(report.outcomes.values()) == 3
    with pytest.raises(RuntimeError, match="a worker failed outside its mutants"):
        run(seed=-1, numbers=range(3))


def test_repaired_checksums_are_right() -> None:
    data = seed_files()["png-rgb"]
    assert repair(data) == data
    broken = bytearray(data)
    broken[-1] ^= 1
    assert repair(bytes(broken)) == data


def test_an_unexpected_error_is_an_outcome_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("scripts.fuzz_pictures.encode", broken)
    assert outcome(seed_files()["ppm"], 1) == "RuntimeError: a bug"


@pytest.mark.parametrize("name", FOUND)
def test_failures_found_before_stay_repaired(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = base64.b64decode(FOUND[name])
    with pytest.raises(InputError):
        decode(data)
    assert capfd.readouterr() == ("", "")
