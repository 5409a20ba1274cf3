"""Parsers for the text of options: sigma, tile, device, pages and plain numbers, and their shell completion.
No mathematics."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from alr_cli.cli.ranks import Shard
from alr_cli.errors import UsageError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class Pages:
    """The pages of a stack from `first` to `last`, counted from 1."""

    first: int
    last: int


@dataclass(frozen=True)
class Range:
    """The numbers of a file that mean black and white."""

    low: float
    high: float

    @property
    def pair(self) -> tuple[float, float]:
        return self.low, self.high


@dataclass(frozen=True)
class Crop:
    """A part of a picture: width x height pixels from column x and row y, both counted from 0."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"


FORMATS = ("png", "jpeg", "tiff", "webp", "bmp", "pnm")
FORMAT_ALIASES = {"jpg": "jpeg", "tif": "tiff", "ppm": "pnm", "pgm": "pnm", "pbm": "pnm"}

KERNEL_EXAMPLES = [
    ("gaussian:7:3", "gaussian:SIZE:SIGMA"),
    ("motion:15:30", "motion:LENGTH:ANGLE"),
    ("disk:2.5", "disk:RADIUS"),
    ("box:5", "box:SIZE"),
    ("auto", "estimated from the picture"),
    ("file:", "file:PATH, a .png or .npy"),
]


def parse_sigma(text: str) -> float | None:
    """Parse a standard deviation of noise on [0,1]: `0.1`, `25/255`, or `auto`, which gives None. Raises
    UsageError."""
    if text == "auto":
        return None
    numerator, slash, denominator = text.partition("/")
    try:
        sigma = _number(numerator) / (_number(denominator) if slash else 1.0)
    except (ValueError, ZeroDivisionError):
        raise UsageError(
            f"--sigma {text} is not a number on [0,1]: write 0.1, or 25/255 for 25 of 255 levels, or auto"
        ) from None
    if not 0 <= sigma <= 1:
        raise UsageError(
            f"--sigma {text} is outside [0,1], the range of the pixels: write 25/255 for 25 of 255 levels"
        )
    return sigma


def parse_format(text: str) -> str:
    """Parse the name or suffix of a format: `jpg` gives `jpeg`. Raises UsageError."""
    name = text.lower().removeprefix(".")
    name = FORMAT_ALIASES.get(name, name)
    if name not in FORMATS:
        raise UsageError(f"--format {text} is not a format: write one of {', '.join(FORMATS)}")
    return name


def parse_tile(text: str) -> int | None:
    """Parse the side of a tile in pixels: a number, `0` for a single tile, or `auto`, which gives None.
    Raises UsageError."""
    if text == "auto":
        return None
    if not re.fullmatch(r"\d{1,9}", text):
        raise UsageError(f"--tile {text} is not a size: write auto, 0 for a single tile, or a side in pixels")
    return int(text)


def parse_device(text: str) -> str:
    """Parse `auto`, `cpu`, `cuda`, `cuda:N` or `mps`. Whether the device exists is checked once torch is
    loaded.
    Raises UsageError."""
    if not _DEVICE.fullmatch(text):
        raise UsageError(f"--device {text} is not a device: write auto, cpu, cuda, cuda:1 or mps")
    return text


def parse_shard(text: str) -> Shard:
    """Parse a part of a batch: `2/8` is the second of eight parts. Raises UsageError."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(
            f"--shard {text} is not a part of the work: write K/N with K from 1 to N, such as 2/8"
        )
    return Shard(int(match[1]), int(match[2]))


def parse_pages(text: str) -> Pages:
    """Parse a range of pages counted from 1: `3-7`, or `3`. Raises UsageError."""
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2] or match[1]):
        raise UsageError(f"--pages {text} is not a part of a stack: write A-B, counted from 1, such as 3-7")
    return Pages(int(match[1]), int(match[2] or match[1]))


def parse_crop(text: str) -> Crop:
    """Parse `100,200,300,300`: column, row, width and height. Raises UsageError."""
    match = re.fullmatch(r"(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})", text)
    if match is None or not (int(match[3]) and int(match[4])):
        raise UsageError(f"--crop {text} is not a part of a picture: write X,Y,WIDTH,HEIGHT in pixels")
    return Crop(*(int(number) for number in match.groups()))


def parse_range(text: str) -> Range:
    """Parse `0:1023` or `-1000:3000`. Raises UsageError."""
    low, colon, high = text.partition(":")
    try:
        numbers = _number(low), _number(high)
    except ValueError:
        numbers = 0.0, 0.0
    if not colon or not numbers[0] < numbers[1]:
        raise UsageError(f"--range {text} is not a range: write BLACK:WHITE, such as 0:1023 or -1000:3000")
    return Range(*numbers)


def number(
    option: str,
    *,
    above: float = -math.inf,
    below: float = math.inf,
    least: float | None = None,
    most: float = math.inf,
) -> Callable[[object], float]:
    """Make a parser of finite numbers x with above < x < below, or with least <= x <= most.

    The parser raises UsageError, which names `option`.
    """

    def parse(value: object) -> float:
        try:
            x = _number(str(value))
        except ValueError:
            raise UsageError(f"{option} {value} is not a finite number") from None
        if not (above < x < below) or (least is not None and x < least) or x > most:
            low = f"at least {least:g}" if least is not None else f"greater than {above:g}"
            high = f" and less than {below:g}" if below < math.inf else ""
            high = f" and at most {most:g}" if most < math.inf else high
            raise UsageError(f"{option} {value} is out of range: it must be {low}{high}")
        return x

    return parse


def whole(option: str, *, least: int) -> Callable[[object], int]:
    """Make a parser of whole numbers of at least `least`. The parser raises UsageError, which names
    `option`."""

    def parse(value: object) -> int:
        if not re.fullmatch(r"\d{1,18}", str(value)) or int(str(value)) < least:
            raise UsageError(f"{option} {value} is not a whole number of at least {least}")
        return int(str(value))

    return parse


def complete_format(incomplete: str) -> list[str]:
    """Complete the name of a format in the shell."""
    return [name for name in FORMATS if name.startswith(incomplete)]


def complete_kernel(incomplete: str) -> list[tuple[str, str]]:
    """Complete a kernel specification in the shell."""
    return [(spec, grammar) for spec, grammar in KERNEL_EXAMPLES if spec.startswith(incomplete)]


def complete_weights(incomplete: str) -> list[str]:
    """Complete the name of shipped weights in the shell. The shell itself completes file names."""
    from alr_cli.files.weights import shipped_names

    return [name for name in shipped_names() if name.startswith(incomplete)]


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError(text)
    return float(text)
