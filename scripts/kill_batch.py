"""kill -9 at random moments of a batch: afterwards every output is the old file or the complete new one.

    python scripts/kill_batch.py --times 200

Each run is a fork of a process that has completed the batch once, so that no time is spent on imports. Prints
the numbers of old and new outputs, and fails at the first output that is neither.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from alr_cli.cli.app import run
from alr_cli.cli.streams import Streams
from alr_cli.core.numerics import devices
from alr_cli.files.pictures import Picture, encode

PICTURES = 4
OLD = b"what stood there before"


def main() -> int:
    arguments = _arguments()
    devices.set_threads(1)
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        place = Path(folder)
        inputs = _inputs(place / "in")
        if code := run(_command(place / "new", arguments.weights), Streams.of_process()):
            return code
        duration = _killed(_command(place / "timed", arguments.weights), after=None)
        new = {path.name: path.read_bytes() for path in sorted((place / "new").iterdir())}
        seen: Counter[str] = Counter()
        for time_number in range(arguments.times):
            out = place / f"out{time_number}"
            _outputs(out, inputs)
            _killed(_command(out, arguments.weights), after=chance.uniform(0, duration))
            states = {name: _state((out / name).read_bytes(), new[name]) for name in inputs}
            seen.update(states.values())
            seen["left-over temporary"] += sum(path.name.startswith(".") for path in out.iterdir())
            broken = [name for name, state in states.items() if state == "broken"]
            unknown = [path.name for path in out.iterdir() if path.name not in inputs and path.name[0] != "."]
            touched = [name for name, data in inputs.items() if (place / "in" / name).read_bytes() != data]
            if broken or unknown or touched:
                sys.stdout.write(f"run {time_number}: broken {broken}, unknown {unknown}, inputs {touched}\n")
                return 1
    sys.stdout.write(f"{arguments.times} runs killed: {dict(seen)}\n")
    return 0 if seen["old"] and seen["new"] else 1  # otherwise no kill happened during the batch


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", default="color-paper")
    parser.add_argument("--folder", help="where to work; memory (/dev/shm) is quicker than a disk")
    return parser.parse_args()


def _inputs(folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    noise = np.random.default_rng(0)
    for index in range(PICTURES):
        pixels = noise.random((100 + index, 120, 1), np.float32)
        (folder / f"{index}.png").write_bytes(encode(Picture(pixels, "uint16", "png"), "png"))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def _outputs(folder: Path, names: dict[str, bytes]) -> None:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(OLD)


def _command(out: Path, weights: str) -> list[str]:
    fast = ["--sigma", "0.1", "--max-iter", "1", "-q"]
    return ["denoise", str(out.parent / "in"), "-o", f"{out}/", "--overwrite", "-w", weights, *fast]


def _killed(command: list[str], after: float | None) -> float:
    """Run `command` in a fork, kill it after `after` seconds, and return how many seconds it ran."""
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = run(command, Streams.of_process())
        finally:
            os._exit(code)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return time.perf_counter() - started


def _state(data: bytes, new: bytes) -> str:
    return "old" if data == OLD else "new" if data == new else "broken"


if __name__ == "__main__":
    sys.exit(main())
