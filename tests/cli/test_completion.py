"""The shell completes commands, options, kernel kinds and weight names."""

import subprocess
import sys
from pathlib import Path

import pytest

from alr_cli.cli.options.values import complete_weights
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.files import weights as weights_files

ALR = "from alr_cli.cli.app import main; main()"


def completed(line: str) -> list[str]:
    """What bash would offer at the end of `line`."""
    words = line.split(" ")
    env = {
        "_ALR_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run([sys.executable, "-c", ALR], env=env, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return done.stdout.split()


def test_commands_and_options_are_offered() -> None:
    assert set(completed("alr de")) == {"denoise", "deblur"}
    assert "--kernel" in completed("alr deblur --k")


def test_kernel_kinds_are_offered_in_a_form_that_works() -> None:
    offered = completed("alr deblur a.png --kernel ")
    assert [spec.split(":")[0] for spec in offered] == ["gaussian", "motion", "disk", "box", "auto", "file"]
    for spec in offered[:-2]:
        assert parse_kernel(spec).sum() == pytest.approx(1)


def test_choices_are_offered() -> None:
    assert set(completed("alr deblur --boundary re")) == {"replicate", "reflect"}


def test_weight_names_are_offered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("color-paper", "color-other", "gray-paper"):
        (tmp_path / f"{name}.safetensors").touch()
    monkeypatch.setattr(weights_files, "shipped_folder", lambda: tmp_path)
    assert complete_weights("color") == ["color-other", "color-paper"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_shown(shell: str) -> None:
    env = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", ALR, "--show-completion", shell],
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0
    assert f"_ALR_COMPLETE=complete_{shell}" in done.stdout
