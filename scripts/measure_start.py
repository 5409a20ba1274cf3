"""What `alr denoise` of a 300 x 451 picture costs apart from torch's own import and the descent.

    python scripts/measure_start.py --repeats 5 -- --sigma 0.1

What follows the two dashes are options of `alr denoise`. Each run is a process of its own, and its seconds
are those of the processor. Printed are the medians: of all, of `import torch`, of the descent, and of the
rest: the interpreter, the other imports, reading, estimating, loading, writing. One more run before them
compiles the modules, as an installation does. Other programs make each of them larger: see whether `import
torch` alone takes longer than usual.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]

RUN = """
import json, sys, time
clock = time.process_time
begun = clock()
import torch
torch_seconds = clock() - begun
from alr_cli.core.solvers import base
spent, solve = [], base.solve
def timed(*arguments):
    begun = clock()
    solution = solve(*arguments)
    spent.append(clock() - begun)
    return solution
base.solve = timed
from alr_cli.cli.app import run
from alr_cli.cli.streams import Streams
code = run(sys.argv[1:], Streams.of_process())
assert code == 0, code
seconds = {"all": clock(), "torch": torch_seconds, "descent": sum(spent)}
print(json.dumps(seconds | {"rest": seconds["all"] - torch_seconds - sum(spent)}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("options", nargs="*", help="of alr denoise")
    given = parser.parse_args()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as folder:
        noisy = _noisy(Path(folder) / "noisy.png")
        command = [sys.executable, "-c", RUN, "denoise", str(noisy), "-o", str(noisy.with_name("x.png"))]
        command += ["--overwrite", "--threads", "1", "-q", *given.options]
        runs = [
            json.loads(subprocess.run(command, capture_output=True, check=True, cwd=ROOT, env=env).stdout)
            for _ in range(given.repeats + 1)
        ][1:]
    for name in ("all", "torch", "descent", "rest"):
        sys.stdout.write(f"{name:8} {median(run[name] for run in runs):.2f} s\n")


def _noisy(path: Path) -> Path:
    """A photograph with noise of sigma 0.1, 8 bits."""
    import numpy as np
    from PIL import Image
    from skimage import data

    clean = data.chelsea() / 255
    noisy = clean + np.random.default_rng(0).normal(0, 0.1, clean.shape)
    Image.fromarray((255 * noisy.clip(0, 1)).round().astype(np.uint8)).save(path)
    return path


if __name__ == "__main__":
    main()
