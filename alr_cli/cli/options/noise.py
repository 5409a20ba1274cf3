"""The option --noise: the kind of noise, a file with a noise model, or a picture that shows the noise. No
mathematics."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options.common import RESTORATION
from alr_cli.errors import UsageError

NoiseName = Literal["auto", "white", "poisson", "correlated", "file", "like"]

GRAMMAR = "auto, white, correlated, poisson, poisson:GAIN:READ[:OFFSET], like:PICTURE or a FILE.json"


@dataclass(frozen=True)
class NoiseChoice:
    """The parsed value of --noise.

    Attributes:
        name: The kind of noise, or the kind of source it is read from.
        path: The file or picture, for `file` and `like`.
        numbers: Gain, read noise and offset of `poisson`, if they were given.
    """

    name: NoiseName = "auto"
    path: str | None = None
    numbers: tuple[float, float, float] | None = None


WHITE = NoiseChoice("white")


def parse_noise(text: str) -> NoiseChoice:
    """Parse the text of --noise. Raises UsageError."""
    name, colon, rest = text.partition(":")
    if name == "like" and rest:
        return NoiseChoice("like", rest)
    if name == "poisson" and colon:
        return NoiseChoice("poisson", numbers=_numbers(text, rest))
    if text in ("auto", "white", "poisson", "correlated"):
        return NoiseChoice(name)  # type: ignore[arg-type]  # one of the literals, by the line above
    if text.endswith(".json"):
        return NoiseChoice("file", text)
    raise UsageError(f"--noise {text} is not a kind of noise: write {GRAMMAR}")


def _numbers(text: str, rest: str) -> tuple[float, float, float]:
    try:
        numbers = [float(number) for number in rest.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or not all(0 <= number <= 1 for number in numbers) or not any(numbers[:2]):
        raise UsageError(
            f"--noise {text}: write poisson:GAIN:READ or poisson:GAIN:READ:OFFSET; the variance is "
            "GAIN * (x - OFFSET) + READ^2 for pixels x from 0 to 1"
        )
    gain, read, offset = (*numbers, 0.0)[:3]
    return gain, read, offset


Noise = Annotated[
    NoiseChoice | None,
    typer.Option(
        "--noise",
        metavar="KIND",
        parser=parse_noise,
        rich_help_panel=RESTORATION,
        show_default=False,
        help="The kind of noise. auto, the default, recognises it in each picture and leaves texture"
        " alone. white: the same in all pixels. correlated: shared by neighbouring pixels, as "
        "in camera pictures. poisson: grows with brightness; poisson:GAIN:READ by known "
        "amounts. like:PICTURE measures it in a dark frame, a gray card or a blank slide. "
        "FILE.json reads it from the output of alr info --json.",
    ),
]
