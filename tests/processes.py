"""Several processes under torchrun, for tests."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent


def torchrun(processes: int, *arguments: str) -> list[str]:
    """A command line that starts this many processes on this machine."""
    here = ["--standalone", "--nproc-per-node", str(processes)]
    return [sys.executable, "-m", "torch.distributed.run", *here, *arguments]


@contextmanager
def started(command: list[str], cwd: Path | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """The running command. What remains of it at the end is killed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
