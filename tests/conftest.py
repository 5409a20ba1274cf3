"""Fixtures of all tests: tiny critics, small pictures, and `alr` in this process or in its own."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alr_cli.cli.streams import StdoutKind, Streams

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: tiny pictures need no more
os.environ.setdefault("ALR_DEVICE", "cpu")  # bits are compared, and a GPU adds up in another order

FAST = ("--max-iter", "2", "--precision", "float32")
"""Options that make a restoration cheap where a test is not about its quality."""


@dataclass(frozen=True)
class Result:
    code: int
    stdout: bytes
    stderr: str

    def lines(self) -> list[dict[str, Any]]:
        """stdout as lines of JSON. Anything else fails."""
        import json

        def refuse(text: str) -> None:
            raise AssertionError(f"{text} in JSON")

        return [json.loads(line, parse_constant=refuse) for line in self.stdout.decode("ascii").splitlines()]


Alr = Callable[..., Result]


@pytest.fixture
def alr() -> Alr:
    """Run a command in this process: alr("denoise", path, stdin=b"", stdout_kind="pipe", ...)."""

    def run_here(
        *arguments: object,
        stdin: bytes = b"",
        stdout_kind: StdoutKind = "pipe",
        stdin_is_terminal: bool = False,
        stderr_is_terminal: bool = False,
    ) -> Result:
        from alr_cli.cli.app import run

        stdout, stderr = io.BytesIO(), io.StringIO()
        streams = Streams(
            io.BytesIO(stdin), stdout, stderr, stdout_kind, stdin_is_terminal, stderr_is_terminal
        )
        code = run([str(argument) for argument in arguments], streams)
        return Result(code, stdout.getvalue(), stderr.getvalue())

    return run_here


@pytest.fixture
def alr_process(gray_critic: Path) -> Alr:
    """Run a command in a process of its own, in a C locale-free, colourless environment with tiny weights."""

    def run_there(*arguments: object, stdin: Any = b"", cwd: Path | None = None, **env: str) -> Result:
        command = [sys.executable, "-m", "alr_cli", *map(str, arguments)]
        feed = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        done = subprocess.run(
            command, capture_output=True, cwd=cwd, env=environment(gray_critic) | env, timeout=60, **feed
        )
        return Result(done.returncode, done.stdout, done.stderr.decode())

    return run_there


Shell = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`alr` as an executable file: the package of this checkout."""
    path = tmp_path_factory.mktemp("bin") / "alr"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m alr_cli "$@"\n')
    path.chmod(0o755)
    return path


@pytest.fixture
def shell(gray_critic: Path, program: Path) -> Shell:
    """Run a script in bash, `alr` on the PATH, with tiny weights: shell("alr ... | ...", folder, TERM="")."""

    def run_in_bash(script: str, folder: Path, **env: str) -> "subprocess.CompletedProcess[bytes]":
        variables = environment(gray_critic) | {"PATH": f"{program.parent}:{os.environ['PATH']}"} | env
        command = ["bash", "-c", f"set -o pipefail; {script}"]
        return subprocess.run(command, cwd=folder, env=variables, capture_output=True, timeout=60)

    return run_in_bash


def environment(weights: Path) -> dict[str, str]:
    """The environment of processes: one thread, tiny weights, the package of this checkout."""
    root = str(Path(__file__).parent.parent)
    return os.environ | {
        "ALR_WEIGHTS": str(weights),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).strip(os.pathsep),
    }


def _critic(folder: Path, channels: int) -> Path:
    import torch

    from alr_cli.core.priors.critic import Architecture, Critic
    from alr_cli.files.weights import save_weights
    from tests.core.toys import deep

    torch.manual_seed(channels)
    critic = Critic(Architecture(channels=channels, width=4, depth=3))
    path = folder / f"tiny-{channels}.safetensors"
    save_weights(path, deep(critic), {"sigma_range": [0.05, 0.3], "lam": [[0.1, 0.02], [0.2, 0.05]]})
    return path


@pytest.fixture(scope="session")
def gray_critic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random critic of one channel, which restores any picture."""
    return _critic(tmp_path_factory.mktemp("weights"), 1)


@pytest.fixture(scope="session")
def colour_critic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random critic of three channels."""
    return _critic(tmp_path_factory.mktemp("weights"), 3)


@pytest.fixture
def tiny_weights(gray_critic: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands without -w use the tiny critic."""
    monkeypatch.setenv("ALR_WEIGHTS", str(gray_critic))
    return gray_critic


def scene(height: int = 24, width: int = 32, channels: int = 3, sigma: float = 0.1) -> np.ndarray:
    """(H, W, C) float32 on [0,1]: smooth shades and an edge, with seeded noise."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    shades = np.stack([x, y, 1 - x], axis=-1)[..., :channels] * 0.5 + 0.2 * (x + y > 0.8)[..., None]
    noise = np.random.default_rng(1).normal(0, sigma, shades.shape)
    return np.clip(shades + noise, 0, 1).astype(np.float32)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A small noisy 8-bit colour PNG."""
    return write_picture(tmp_path / "a.png", scene())


def write_picture(path: Path, pixels: np.ndarray, depth: str = "uint8", **carried: Any) -> Path:
    """Write a picture file in the format of its suffix. `carried` may be alpha, icc, exif and dpi."""
    from alr_cli.files.pictures import Picture, encode, format_of_name

    kind = format_of_name(path)
    assert kind is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(Picture(pixels, depth, kind, **carried), kind))  # type: ignore[arg-type]
    return path


@pytest.fixture
def benchmark_alone(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder for the test, and no LPIPS, even if it is installed."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("ALR_CACHE", str(folder))
    monkeypatch.setattr("alr_cli.bench.lpips.available", lambda: False)
    return folder
