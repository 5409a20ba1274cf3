"""What --noise means: a kind, a model in a file, or the picture that shows it. No mathematics."""

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from alr_cli.cli.options.common import RESTORATION
from alr_cli.errors import UsageError

NoiseName = Literal["auto", "white", "poisson", "correlated", "file", "like"]

GRAMMAR = "auto, white, correlated, poisson, poisson:GAIN:READ[:OFFSET], like:PICTURE or a FILE.json"


@dataclass(frozen=True)
class NoiseChoice:
    """name: the kind, or where to take it from.  path: of the file or the picture.  numbers: gain, read noise
    and offset of poisson, where they were given."""

    name: NoiseName = "auto"
    path: str | None = None
    numbers: tuple[float, float, float] | None = None


WHITE = NoiseChoice("white")


def parse_noise(text: str) -> NoiseChoice:
    """The text of --noise. Raises UsageError."""
    name, colon, rest = text.partition(":")
    if name == "like" and rest:
        return NoiseChoice("like", rest)
    if name == "poisson" and colon:
        return NoiseChoice("poisson", numbers=_numbers(text, rest))
    if text in ("auto", "white", "poisson", "correlated"):
        return NoiseChoice(name)  # type: ignore[arg-type]  # one of the literals, by the line above
    if text.endswith(".json"):
        return NoiseChoice("file", text)
    raise UsageError(f"--noise {text} is no kind of noise: write {GRAMMAR}")


def _numbers(text: str, rest: str) -> tuple[float, float, float]:
    try:
        numbers = [float(number) for number in rest.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or not all(0 <= number <= 1 for number in numbers) or not any(numbers[:2]):
        raise UsageError(
            f"--noise {text}: write poisson:GAIN:READ, the variance being GAIN * x + READ^2 for pixels x "
            "from 0 to 1, and perhaps :OFFSET, the x of no light"
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
        help="Which noise to expect. auto, the default, tells it from each picture and leaves texture alone; "
        "white is the same in all pixels; correlated is alike between neighbours, as a camera's is; poisson "
        "grows with brightness, poisson:GAIN:READ by known amounts. like:PICTURE takes it from a dark frame, "
        "a gray card or a blank slide, FILE.json from what alr info --json wrote.",
    ),
]
