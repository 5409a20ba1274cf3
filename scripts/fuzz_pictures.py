"""Thousands of damaged pictures: whatever the bytes are, `decode` returns a picture or raises InputError.

    python scripts/fuzz_pictures.py --count 5000 --seed 0

Valid files of every format are made in memory. They are then truncated, altered and spliced, get absurd
headers, palettes, segments and descriptions, and (PNG) correct checksums again. Workers decode them, encode
the decoded pictures in their own and in another format, and read them as masks. With --command, they pass
them through the whole of `alr denoise`.

A mutant is reported if it ends in another error, another exit code than 0 or 3, a crash, unexpected output on
stderr, more than 2 s or more than 1 GB. `--only N` repeats mutant N.
"""

import argparse
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from alr_cli.cli.app import run as alr
from alr_cli.cli.streams import Streams
from alr_cli.errors import InputError, OutputError, UsageError
from alr_cli.files.mask_files import SAVE, marked
from alr_cli.files.pictures import FORMATS, Picture, decode, encode
from alr_cli.files.ranges import Choice
from tests.files.seeds import seed_files

SOUND = ("decoded", "InputError", "OutputError")
SECONDS, BYTES, PATIENCE = 2.0, 1_000_000_000, 60
RANGES: tuple[Choice, ...] = ("found", "usual", "found", (-20.0, 1023.0))
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
ABSURD = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutant(seed: int, number: int, files: dict[str, bytes]) -> tuple[str, bytes]:
    """A description of how the mutant was made, and its bytes. Equal seeds and numbers give equal mutants."""
    rng = np.random.default_rng((seed, number))
    names = sorted(files)
    name = names[number % len(names)]
    data = bytearray(files[name])
    steps = []
    for _ in range(int(rng.choice([1, 1, 1, 2, 4]))):
        step = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        data = bytearray(step(rng, data, files[names[int(rng.integers(len(names)))]]))
        steps.append(step.__name__)
    if data[:8] == PNG_SIGNATURE and rng.random() < 0.7:
        data = bytearray(repair(bytes(data)))
        steps.append("repair")
    return f"{name}: {', '.join(steps)}", bytes(data)


def truncate(rng: np.random.Generator, data: bytearray, other: bytes) -> bytes:
    return bytes(data[: int(rng.integers(len(data) + 1))])


def flip_bits(rng: np.random.Generator, data: bytearray, other: bytes) -> bytes:
    for _ in range(int(rng.choice([1, 3, 20]))):
        if data:
            data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def random_bytes(rng: np.random.Generator, data: bytearray, other: bytes) -> bytes:
    start = int(rng.integers(len(data) + 1))
    data[start : start + int(rng.integers(1, 32))] = rng.bytes(int(rng.integers(0, 32)))
    return bytes(data)


def splice(rng: np.random.Generator, data: bytearray, other: bytes) -> bytes:
    cut, join = int(rng.integers(len(data) + 1)), int(rng.integers(len(other) + 1))
    return bytes(data[:cut]) + other[join:]


def duplicate(rng: np.random.Generator, data: bytearray, other: bytes) -> bytes:
    start, end, to = (int(at) for at in rng.integers(len(data) + 1, size=3))
    return bytes(data[:to]) + bytes(data[min(start, end) : max(start, end)]) + bytes(data[to:])


def absurd_words(rng: np.random.Generator, data: bytearray, other: bytes) -> bytes:
    """Replace a word of a description, or the marker of a segment."""
    words = [each for each in WORDS if each in data]
    if not words:
        return flip_bits(rng, data, other)
    old, new = words[int(rng.integers(len(words)))], WORDS[int(rng.integers(len(WORDS)))]
    return bytes(data).replace(old, (new + bytes(len(old)))[: len(old)] if rng.random() < 0.7 else new, 1)


def absurd_tag(rng: np.random.Generator, data: bytearray, other: bytes) -> bytes:
    """Give a tag of palettes, descriptions, orientation or samples another code, type, length or value."""
    places = [
        at for code in TAGS for order in "<>" if (at := bytes(data).find(struct.pack(order + "H", code))) >= 0
    ]
    if not places:
        return absurd_number(rng, data, other)
    at = places[int(rng.integers(len(places)))] + int(rng.choice([0, 2, 4, 8]))
    order = "<" if data[:2] == b"II" else ">"
    value = int(rng.choice([*TAGS, *range(10)]))
    if at + 2 <= len(data):
        struct.pack_into(order + "H", data, at, value)
    return bytes(data)


def absurd_number(rng: np.random.Generator, data: bytearray, other: bytes) -> bytes:
    """Set a number of 1, 2 or 4 bytes, mostly in the header, to an extreme value."""
    reach = len(data) if rng.random() < 0.3 else min(len(data), 256)
    form = str(rng.choice(["B", "<H", ">H", "<I", ">I"]))
    size = struct.calcsize(form)
    value = int(rng.choice(ABSURD)) & (256**size - 1)
    if reach >= size:
        struct.pack_into(form, data, int(rng.integers(reach - size + 1)), value)
    return bytes(data)


def larger_size(rng: np.random.Generator, data: bytearray, other: bytes) -> bytes:
    """Set width and height, where the format stores them, to something large."""
    width, height = (int(rng.choice([1, 100, 5000, 9000, 16383, 60000])) for _ in range(2))
    if data[:8] == PNG_SIGNATURE and len(data) > 24:
        struct.pack_into(">II", data, 16, width, height)
    elif data[:2] == b"BM" and len(data) > 26:
        struct.pack_into("<II", data, 18, width, height)
    elif data[:2] == b"\xff\xd8":
        at = max(bytes(data).find(b"\xff\xc0"), bytes(data).find(b"\xff\xc2"))
        if 0 < at < len(data) - 9:
            struct.pack_into(">HH", data, at + 5, height, width)
    elif data[8:12] == b"WEBP" and len(data) > 30:
        if data[12:16] == b"VP8 ":
            struct.pack_into("<HH", data, 26, width & 0x3FFF, height & 0x3FFF)
        elif data[12:16] == b"VP8L":
            struct.pack_into("<I", data, 21, (width - 1 & 0x3FFF) | (height - 1 & 0x3FFF) << 14)
        else:
            data[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    else:
        for code in (struct.pack("<HHI", 256, 4, 1), struct.pack("<HHI", 257, 4, 1)):
            at = bytes(data).find(code)
            if 0 <= at < len(data) - 12:
                struct.pack_into("<I", data, at + 8, width)
    return bytes(data)


WORDS = (
    *(
        b"ImageJ=",
        b"images=",
        b'{"shape":',
        b"<OME",
        b"OME>",
        b"SizeX",
        b"SizeC",
        b"Type=",
        b"uint8",
        b"[24, 37",
    ),
    *(b"GCamera:MotionPhoto", b"hdrgm:Version", b"FLIR", b"Exif\0\0", b"ICC_PROFILE\0", b"ftyp", b"JFIF"),
    *(b"\xff\xd9", b"\xff\xc0", b"\xff\xe1", b"\xff\xf7", b"VP8 ", b"EXIF", b"XMP "),
)
TAGS = (
    254,
    258,
    262,
    270,
    273,
    274,
    277,
    279,
    282,
    296,
    317,
    320,
    338,
    339,
    32997,
    33629,
    34412,
    34665,
    50838,
)
MUTATIONS = (
    *(truncate, flip_bits, random_bytes, splice, duplicate, absurd_number, absurd_number, larger_size),
    *(absurd_words, absurd_tag),
)


def repair(data: bytes) -> bytes:
    """The PNG with correct checksums in all chunks."""
    fixed, offset = bytearray(data[:8]), 8
    while offset + 12 <= len(data):
        length = struct.unpack_from(">I", data, offset)[0]
        end = offset + 8 + length
        if end + 4 > len(data):
            break
        fixed += data[offset:end] + struct.pack(">I", zlib.crc32(data[offset + 4 : end]))
        offset = end + 4
    return bytes(fixed) + data[offset:]


def outcome(data: bytes, number: int) -> str:
    """One of SOUND, or the error that is a bug.

    "OutputError" means that the picture was decoded, but that its format cannot store it.
    """
    try:
        page, range = None if number % 5 else 1 + number % 2, RANGES[number % len(RANGES)]
        picture = decode(data, page=page, allow_nan=number % 7 == 0, range=range)
        encode(picture, picture.format)
        _another(picture, number)
        marked(picture, invert=number % 3 == 0)
    except (InputError, OutputError, UsageError) as error:
        sentence = str(error)
        if isinstance(error, UsageError):
            return "decoded" if SAVE in sentence else f"bad sentence: {sentence}"
        if "more memory than there is" in sentence or "\n" in sentence or not sentence.startswith("cannot "):
            return f"bad sentence: {sentence}"
        return type(error).__name__
    except Exception as error:  # noqa: BLE001 - finding other errors is the purpose of this script
        return f"{type(error).__name__}: {error}"
    return "decoded"


def _another(picture: Picture, number: int) -> None:
    """Write the picture with another depth and format, where descriptions and orientation are checked again.

    The result must be displayed with the same size.
    """
    target = FORMATS[number % len(FORMATS)]
    with suppress(OutputError):
        data = encode(picture, target, depth="uint8", drop_alpha=True, strip=number % 2 == 0)
        back = decode(data)
        if back.shape[:2] != picture.shape[:2]:
            raise ValueError(f"{picture.shape} became {back.shape} as {target}")


def outcome_of_command(data: bytes, number: int) -> str:
    """The outcome of `alr denoise` from stdin to a TIFF, which can store everything: exit code 0 or 3."""
    stderr = io.StringIO()
    streams = Streams(io.BytesIO(data), io.BytesIO(), stderr)
    page = [] if number % 5 else ["--page", "2"]
    code = alr(["denoise", "-", "-o", "-", "-f", "tiff", "--sigma", "0", "-q", *page], streams)
    said = stderr.getvalue()
    if code not in (0, 3) or said.count("\n") != (code == 3) or "Traceback" in said:
        return f"exit {code}: {said[:300]}"
    return "InputError" if code else "decoded"


def work(seed: int, numbers: range, examine: Callable[[bytes, int], str]) -> None:
    """The loop of a worker process, which prints a line of JSON before and after each mutant."""
    import resource

    files = seed_files()
    examine(files["png-rgb"], 1)  # loads the codecs before memory is counted
    resource.setrlimit(resource.RLIMIT_AS, (4 * BYTES, 4 * BYTES))
    for number in numbers:
        how, data = mutant(seed, number, files)
        _say({"number": number, "how": how})
        said, counted, start = os.fstat(2).st_size, _reset_peak(), time.process_time()
        signal.alarm(PATIENCE)  # its default action ends the process, even inside a decoder
        result = examine(data, number)
        signal.alarm(0)
        seconds = time.process_time() - start
        if os.fstat(2).st_size != said:
            result = f"words on stderr: {os.pread(2, 200, said)!r}"
        _say({"result": result, "seconds": seconds, "peak": _peak() if counted else 0})


def _say(record: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(record) + "\n")
    sys.stdout.flush()


def _reset_peak() -> bool:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


@dataclass
class Report:
    """The outcomes of all mutants."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[int, str] = (0, "")

    def add(self, number: int, how: str, result: str, seconds: float, peak: int) -> None:
        sound = result in SOUND
        self.outcomes[result if sound else "FAILED"] += 1
        label = f"{number} ({how})"
        self.slowest = max(self.slowest, (seconds, label))
        self.largest = max(self.largest, (peak, label))
        for broken, what in (
            (not sound, result),
            (seconds > SECONDS, f"{seconds:.1f} s"),
            (peak > BYTES, f"{peak / 1e6:.0f} MB"),
        ):
            if broken:
                self.failures.append(f"{label}: {what}")
                self.failed.append(number)


def run(seed: int, numbers: range, *, command: bool = False) -> Report:
    """Run all mutants in worker processes. If one crashes or hangs, the next mutant follows in a new process.

    `command` runs `alr denoise` instead of the codecs alone.
    """
    report = Report()
    # memory that was never written contains garbage instead of zeros
    env = os.environ | {"MALLOC_PERTURB_": "165"}
    while numbers:
        which = ["--worker", f"{numbers.start}:{numbers.stop}", "--seed", str(seed)]
        which += ["--command"] * command
        with tempfile.TemporaryFile("w+") as errors:
            worker = [sys.executable, __file__, *which]
            done = subprocess.run(
                worker, stdout=subprocess.PIPE, stderr=errors, text=True, env=env, check=False
            )
            errors.seek(0)
            said = errors.read()[-300:]
        records = [json.loads(line) for line in done.stdout.splitlines()]
        for begun, ended in zip(records[::2], records[1::2], strict=False):
            report.add(begun["number"], begun["how"], ended["result"], ended["seconds"], ended["peak"])
        if done.returncode == 0:
            return report
        if len(records) % 2 == 0:
            raise RuntimeError(f"a worker failed outside its mutants (exit {done.returncode}): {said}")
        last = records[-1]
        report.add(last["number"], last["how"], f"crashed or hung (exit {done.returncode}) {said}", 0.0, 0)
        numbers = range(last["number"] + 1, numbers.stop)
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description="Decode damaged pictures and report what goes wrong.")
    parser.add_argument("--count", type=int, default=5000, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0, help="which mutants")
    parser.add_argument("--only", type=int, help="number of a single mutant to repeat")
    parser.add_argument("--command", action="store_true", help="through alr denoise, not the codecs alone")
    parser.add_argument("--save", type=Path, help="folder for the bytes of the failures")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    examine = outcome_of_command if options.command else outcome
    if options.worker:
        work(options.seed, range(*(int(each) for each in options.worker.split(":"))), examine)
        return 0
    files = seed_files()
    if options.only is not None:
        how, data = mutant(options.seed, options.only, files)
        sys.stdout.write(f"{how}, {len(data)} bytes: {examine(data, options.only)}\n")
        return 0
    start = time.perf_counter()
    report = run(options.seed, range(options.count), command=options.command)
    for number in report.failed if options.save else ():
        options.save.mkdir(parents=True, exist_ok=True)
        (options.save / f"{options.seed}-{number}").write_bytes(mutant(options.seed, number, files)[1])
    sys.stdout.writelines(f"FAILED {failure}\n" for failure in report.failures)
    sys.stdout.write(
        f"{options.count} mutants of {len(files)} files in {time.perf_counter() - start:.0f} s: "
        f"{dict(report.outcomes)}\nslowest {report.slowest[0]:.2f} s: {report.slowest[1]}\n"
        f"most memory {report.largest[0] / 1e6:.0f} MB: {report.largest[1]}\n"
        f"{len(report.failures)} failures\n"
    )
    return 1 if report.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
