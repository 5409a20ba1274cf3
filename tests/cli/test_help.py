"""Help, version and usage errors are complete and fast, without heavy imports."""

import inspect
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alr_cli import __version__
from alr_cli.cli.commands import COMMANDS, function_of
from tests.conftest import Alr

RESTORING = ("denoise", "deblur", "inpaint")
SHARED = [
    "--weights",
    "--strength",
    "--lam",
    "--solver",
    "--max-iter",
    "--tol",
    "--device",
    "--precision",
    "--tile",
    "--threads",
    "--depth",
    "--format",
    "--suffix",
    "--recursive",
    "--overwrite",
    "--skip-existing",
    "--fail-fast",
    "--strip",
    "--drop-alpha",
    "--page",
    "--max-pixels",
    "--reference",
    "--output",
    "--sigma",
    "--json",
    "--report",
    "--quiet",
    "--verbose",
    "--no-progress",
    "--debug",
]
OWN = {
    "denoise": [],
    "deblur": ["--kernel", "--kernel-size", "--save-kernel", "--boundary"],
    "inpaint": [
        "--mask",
        "--invert-mask",
        "--infrared",
        "--sensitivity",
        "--detector",
        "--save-mask",
        "--missing",
        "--seed",
    ],
}


@pytest.fixture
def help_of(alr: Alr, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setenv("COLUMNS", "100")

    def show(*command: str) -> str:
        assert alr(*command, "--help").code == 0
        return capsys.readouterr().out

    return show


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_opens_with_three_examples(command: str, help_of) -> None:  # type: ignore[no-untyped-def]
    text = help_of(command)
    before_options = text.split("╭", maxsplit=1)[0]
    assert len(re.findall(rf"^ +.*\balr {command} ", before_options + " ", re.MULTILINE)) >= (
        1 if command == "weights" else 3
    )
    assert "Examples:" in before_options


@pytest.mark.parametrize("command", RESTORING)
def test_the_help_of_a_restoring_command_states_the_equation(command: str, help_of) -> None:  # type: ignore[no-untyped-def]
    text = help_of(command)
    assert "argmin" in text
    assert "+ lambda(sigma) R(x)" in text


@pytest.mark.parametrize("command", RESTORING)
def test_every_option_of_the_contract_is_there_in_a_panel(command: str, help_of) -> None:  # type: ignore[no-untyped-def]
    text = help_of(command)
    offered = set(re.findall(r"--[a-z][a-z-]+", text))
    assert not {*SHARED, *OWN[command]} - offered
    for panel in ("Files", "Restoration", "Energy", "Compute", "Reports"):
        assert f"─ {panel} ─" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_every_command_is_described_and_shown(command: str, help_of) -> None:  # type: ignore[no-untyped-def]
    shown = help_of(command)
    for parameter in inspect.signature(function_of(command)).parameters.values():
        for described in getattr(parameter.annotation, "__metadata__", ()):
            assert described.help.strip().endswith("."), parameter.name
            assert described.help.split()[0] in shown
            for flag in getattr(described, "param_decls", None) or ():
                assert flag in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_cut_off_in_80_columns(
    command: str, alr: Alr, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert alr(command, "--help").code == 0
    text = capsys.readouterr().out
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    if command == "deblur":
        for spec in ("gaussian:SIZE:SIGMA", "motion:LENGTH:ANGLE", "disk:RADIUS", "box:SIZE", "file:PATH"):
            assert spec in text


def examples() -> list[list[str]]:
    """The commands on pictures in the help and the README, as words."""
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text()
    texts = [readme, *(inspect.getdoc(function_of(command)) or "" for command in COMMANDS)]
    lines = [line for text in texts for line in text.splitlines()]
    stages = [
        shlex.split(stage.partition(" > ")[0], comments=True)
        for line in lines
        for stage in line.split(" | ")
        if re.match(rf" *alr ({'|'.join((*RESTORING, 'info', 'weights'))})\b", stage)
    ]
    return [words[1:] for words in stages]


def test_every_example_is_understood(alr: Alr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder the error is about the missing file, not about the command."""
    monkeypatch.chdir(tmp_path)
    found = examples()
    assert len(found) > 15
    for words in found:
        result = alr(*words)
        assert result.code in (0, 3), (words, result.stderr)
        needs_none = words[0] == "weights" or words in (["info", "color-paper"], ["info"])
        assert (result.code == 0) == needs_none, words


def test_environment_variables_are_named_in_the_help(help_of) -> None:  # type: ignore[no-untyped-def]
    text = help_of("denoise")
    for variable in ("ALR_DEVICE", "ALR_WEIGHTS", "ALR_THREADS", "ALR_TILE", "ALR_DEBUG"):
        assert variable in text


def test_the_version_is_printed(alr: Alr, capsys: pytest.CaptureFixture[str]) -> None:
    assert alr("--version").code == 0
    assert capsys.readouterr().out == f"alr {__version__}\n"


QUICK = [
    ["--help"],
    ["--version"],
    ["deblur", "--help"],
    ["denoise", "a.png", "--sigma", "25"],
    ["denoise", "missing.png"],
    ["polish", "a.png"],
    ["deblur", "a.png", "--kernel", "gaussian:4:1"],
]
HEAVY = ("torch", "skimage", "scipy", "tifffile", "imagecodecs", "PIL", "numpy")


@pytest.mark.parametrize("arguments", QUICK, ids=" ".join)
def test_quick_answers_import_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from alr_cli.cli.app import main\n"
        "try: main()\n"
        f"except SystemExit: print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=20
    )
    needed = "['numpy']" if "--kernel" in arguments else "[]"  # a kernel's grammar is that of its numbers
    assert done.stderr.splitlines()[-1] == needed


@pytest.mark.slow  # a time: other work on the machine can fail it; that torch stays out is tested always
def test_quick_answers_take_less_than_0_3_seconds_of_processor_time() -> None:
    """The best of three, so that a busy machine does not fail it."""

    def seconds(arguments: list[str]) -> float:
        import resource

        def spent() -> float:
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            return usage.ru_utime + usage.ru_stime

        before, started = spent(), time.perf_counter()
        subprocess.run([sys.executable, "-m", "alr_cli", *arguments], capture_output=True, timeout=20)
        return min(spent() - before, time.perf_counter() - started)

    for arguments in (["--help"], ["--version"], ["denoise", "a.png", "--sigma", "25"]):
        assert min(seconds(arguments) for _ in range(3)) < 0.3
