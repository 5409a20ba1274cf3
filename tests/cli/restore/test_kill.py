"""kill -9 in the middle of a batch: only old or complete files remain."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import environment

SCRIPT = Path(__file__).parents[3] / "scripts" / "kill_batch.py"


def test_after_kill_9_every_output_is_the_old_file_or_the_new_one(gray_critic: Path, tmp_path: Path) -> None:
    """A slice of the 200 moments that the script takes."""
    memory = Path("/dev/shm")
    done = subprocess.run(
        [
            sys.executable,
            SCRIPT,
            "--times",
            "10",
            "--weights",
            gray_critic,
            "--folder",
            memory if memory.is_dir() else tmp_path,
        ],
        env=environment(gray_critic),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
