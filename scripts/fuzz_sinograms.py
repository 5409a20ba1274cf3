"""Damaged sinogram files and unusual options for `alr reconstruct`: python scripts/fuzz_sinograms.py [COUNT]

Every run must end with a finite slice, or with one sentence and its exit code. Other outcomes are printed.
"""

import io
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
import tifffile

from alr_cli.cli.app import run
from alr_cli.cli.streams import Streams

EXPECTED = {0, 2, 3, 4, 5, 8}
OPTIONS = {
    "--angles": [
        "0:180:12",
        "0:180:13",
        "0:360:12",
        "3:1:12",
        "0:1e-9:12",
        "0:180:0",
        "x",
        "",
        "0:1e400:12",
        "::",
    ],
    "--unit": ["deg", "rad", "turns"],
    "--center": ["auto", "9.5", "-3", "1e8", "nan", "1e300"],
    "--geometry": ["parallel", "fan:50:30", "fan:5:5", "fan:1e9:1e9", "fan::", "cone:1:1", "fan:50:0"],
    "--pitch": ["1", "0.001", "1e-30", "1e30", "0", "-1"],
    "--pixel": ["1", "0.5", "3", "1e-9", "1e9"],
    "--size": ["1", "2", "7", "24", "100000", "0"],
    "--slice": ["0", "1", "99"],
    "--sigma": ["auto", "0.1", "1e-30", "1e30", "0", "nan"],
    "--range": ["auto", "1", "1e-30", "1e30"],
    "--method": ["fbp", "fbp", "fbp", "tv", "ours"],
    "--window": ["hann", "ram-lak"],
    "--max-pixels": ["10", "100000"],
    "--strength": ["0", "1", "1e30"],
    "--lam": ["0", "1e-30", "1e30"],
    "--max-iter": ["1", "2"],
}


def seeds(rng: np.random.Generator) -> list[bytes]:
    """Sinograms of 12 views as NumPy, TIFF and PNG files, single and stacked."""
    from PIL import Image

    clean = np.abs(np.sin(np.arange(12)[:, None] / 4 + np.arange(20) / 5)).astype(np.float32)
    found = []
    for values in (
        clean,
        np.stack([clean, clean]),
        (clean * 1000).astype(np.uint16),
        clean.astype(np.float64),
    ):
        for write in (np.save, lambda f, v: tifffile.imwrite(f, v, photometric="minisblack")):
            stream = io.BytesIO()
            write(stream, values)
            found.append(stream.getvalue())
    stream = io.BytesIO()
    Image.fromarray((clean * 60000).astype(np.uint16)).save(stream, "PNG")
    return [*found, stream.getvalue()]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The bytes with a few of them changed, truncated, or unchanged."""
    changed = bytearray(data)
    for _ in range(chance.choice([0, 0, 1, 3, 10])):
        changed[chance.randrange(min(len(changed), chance.choice([200, len(changed)])))] = chance.randrange(
            256
        )
    return bytes(changed[: chance.randrange(1, len(changed))]) if chance.random() < 0.1 else bytes(changed)


def arguments(chance: random.Random) -> list[str]:
    """Options, most of them sensible."""
    chosen = ["--angles", "0:180:12"] if chance.random() < 0.7 else []
    for option in chance.sample(sorted(OPTIONS), chance.choice([0, 1, 2, 4])):
        if option not in chosen:
            chosen += [option, chance.choice(OPTIONS[option])]
    chosen += ["--max-iter", "2"] if "--max-iter" not in chosen and {"tv", "ours"} & {*chosen} else []
    return chosen if "--method" in chosen else [*chosen, "--method", "fbp"]


def main(count: int) -> int:
    chance, wrong = random.Random(0), 0
    files = seeds(np.random.default_rng(0))
    codes: dict[int, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        flat, out = Path(folder) / "flat.npy", Path(folder) / "out.tif"
        np.save(flat, np.full((1, 20), 2.0))
        for number in range(count):
            source = Path(folder) / "in"
            source.write_bytes(damaged(chance.choice(files), chance))
            typed = ["reconstruct", str(source), "-o", str(out), "--overwrite", *arguments(chance)]
            typed += ["--counts", "--flat", str(flat)] if chance.random() < 0.1 else []
            out.unlink(missing_ok=True)
            stderr = io.StringIO()
            code = run(typed, Streams(io.BytesIO(), io.BytesIO(), stderr, "pipe"))
            codes[code] = codes.get(code, 0) + 1
            errors = [line for line in stderr.getvalue().splitlines() if line.startswith("error: ")]
            finite = code != 0 or bool(np.isfinite(tifffile.imread(out)).all())
            if (
                code not in EXPECTED
                or len(errors) != (code != 0)
                or not finite
                or (code != 0) == out.exists()
            ):
                wrong += 1
                sys.stdout.write(f"{number}: {code} {' '.join(typed[5:])}\n{stderr.getvalue()}\n")
    sys.stdout.write(f"{count} runs, codes {dict(sorted(codes.items()))}, {wrong} wrong\n")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
