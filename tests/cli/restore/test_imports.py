"""`alr denoise` imports neither a compiler nor other commands, which would take time for every picture."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import environment, scene, write_picture

NEVER = ("torch._dynamo", "torch._inductor", "torch.onnx", "sympy", "skimage")
NEVER += ("scipy.ndimage", "matplotlib", "alr_cli.bench")
OTHERS = ("alr_cli.cli.benchmark", "alr_cli.cli.train", "alr_cli.core.training.bilevel")

CODE = f"""
import sys, torch, typer, rich
before = set(sys.modules)
from alr_cli.cli.app import run
from alr_cli.cli.streams import Streams
assert run(sys.argv[1:], Streams.of_process()) == 0
assert not [name for name in {NEVER + OTHERS} if name in sys.modules], sorted(sys.modules)
print(len(set(sys.modules) - before))
"""


@pytest.mark.parametrize("weights", ["color-tuned", "color-wide"])
def test_denoise_imports_what_it_uses(weights: str, tmp_path: Path) -> None:
    picture = write_picture(tmp_path / "a.png", scene(64, 64))
    options = ["--max-iter", "1", "-w", weights, "-o", str(tmp_path / "b.png")]
    command = [sys.executable, "-c", CODE, "denoise", str(picture), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(picture))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 400
