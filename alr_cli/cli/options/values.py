"""What an option's text means: sigma, tile, device, kernel and the plain numbers. No mathematics."""

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
    """The numbers of a file that are black and white."""

    low: float
    high: float

    @property
    def pair(self) -> tuple[float, float]:
        return self.low, self.high


@dataclass(frozen=True)
class Crop:
    """W x H pixels from column x and row y, both counted from 0."""

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
    ("auto", "found in the picture"),
    ("file:", "file:PATH, a .png or .npy"),
]


def parse_sigma(text: str) -> float | None:
    """`0.1`, `25/255` or `auto` (None): the standard deviation of the noise, on [0,1]."""
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
    """A format by its name or by a suffix: `jpg` is `jpeg`."""
    name = text.lower().removeprefix(".")
    name = FORMAT_ALIASES.get(name, name)
    if name not in FORMATS:
        raise UsageError(f"--format {text} is not a format: write one of {', '.join(FORMATS)}")
    return name


def parse_tile(text: str) -> int | None:
    """`auto` (None), `0` (one piece) or the side of a tile in pixels."""
    if text == "auto":
        return None
    if not re.fullmatch(r"\d{1,9}", text):
        raise UsageError(f"--tile {text} is not a size: write auto, 0 for one piece, or a side in pixels")
    return int(text)


def parse_device(text: str) -> str:
    """`auto`, `cpu`, `cuda`, `cuda:N` or `mps`; whether it is there is known when torch is loaded."""
    if not _DEVICE.fullmatch(text):
        raise UsageError(f"--device {text} is not a device: write auto, cpu, cuda, cuda:1 or mps")
    return text


def parse_shard(text: str) -> Shard:
    """`2/8`: the second of eight parts."""
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(
            f"--shard {text} is not a part of the work: write K/N with K from 1 to N, such as 2/8"
        )
    return Shard(int(match[1]), int(match[2]))


def parse_pages(text: str) -> Pages:
    """`3-7`, or `3`: the first and the last page, from 1."""
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2] or match[1]):
        raise UsageError(f"--pages {text} is not a part of a stack: write A-B, counted from 1, such as 3-7")
    return Pages(int(match[1]), int(match[2] or match[1]))


def parse_crop(text: str) -> Crop:
    """`100,200,300,300`: column, row, width and height."""
    match = re.fullmatch(r"(\d{1,9}),(\d{1,9}),(\d{1,9}),(\d{1,9})", text)
    if match is None or not (int(match[3]) and int(match[4])):
        raise UsageError(f"--crop {text} is no part of a picture: write X,Y,WIDTH,HEIGHT, in pixels")
    return Crop(*(int(number) for number in match.groups()))


def parse_range(text: str) -> Range:
    """`0:1023`, or `-1000:3000`."""
    low, colon, high = text.partition(":")
    try:
        numbers = _number(low), _number(high)
    except ValueError:
        numbers = 0.0, 0.0
    if not colon or not numbers[0] < numbers[1]:
        raise UsageError(f"--range {text} is no range: write BLACK:WHITE, such as 0:1023 or -1000:3000")
    return Range(*numbers)


def number(
    option: str,
    *,
    above: float = -math.inf,
    below: float = math.inf,
    least: float | None = None,
    most: float = math.inf,
) -> Callable[[object], float]:
    """A parser of finite numbers x with above < x < below, or least <= x <= most."""

    def parse(value: object) -> float:
        try:
            x = _number(str(value))
        except ValueError:
            raise UsageError(f"{option} {value} is not a finite number") from None
        if not (above < x < below) or (least is not None and x < least) or x > most:
            low = f"at least {least:g}" if least is not None else f"greater than {above:g}"
            high = f" and less than {below:g}" if below < math.inf else ""
            high = f" and at most {most:g}" if most < math.inf else high
            raise UsageError(f"{option} {value} is out of range: it is {low}{high}")
        return x

    return parse


def whole(option: str, *, least: int) -> Callable[[object], int]:
    """A parser of whole numbers from `least` on."""

    def parse(value: object) -> int:
        if not re.fullmatch(r"\d{1,18}", str(value)) or int(str(value)) < least:
            raise UsageError(f"{option} {value} is not a whole number of at least {least}")
        return int(str(value))

    return parse


def complete_format(incomplete: str) -> list[str]:
    """Names of formats for the shell's completion."""
    return [name for name in FORMATS if name.startswith(incomplete)]


def complete_kernel(incomplete: str) -> list[tuple[str, str]]:
    """Kernel specs for the shell's completion."""
    return [(spec, grammar) for spec, grammar in KERNEL_EXAMPLES if spec.startswith(incomplete)]


def complete_weights(incomplete: str) -> list[str]:
    """Names of shipped weights for the shell's completion; files are completed by the shell itself."""
    from alr_cli.files.weights import shipped_names

    return [name for name in shipped_names() if name.startswith(incomplete)]


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError(text)
    return float(text)
