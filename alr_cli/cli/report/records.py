"""Everything that a command reports: sentences on stderr, progress on a terminal, and JSON lines."""

import json
import math
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal, Self

from alr_cli import __version__
from alr_cli.cli.exits import explain
from alr_cli.cli.options.common import ReportOptions
from alr_cli.cli.report.progress import Progress, Silent
from alr_cli.cli.streams import Streams
from alr_cli.cli.streams import printable as printable  # reports contain file names
from alr_cli.errors import OutputError

if TYPE_CHECKING:
    from rich.console import Console

Status = Literal["ok", "skipped", "failed"]
_WORDS: dict[Status, str] = {"ok": "restored", "skipped": "skipped", "failed": "failed"}


@dataclass(frozen=True, kw_only=True)
class Record:
    """What happened to one input: the JSON line of that input."""

    input: str
    output: str | None
    status: Status
    reason: str | None = None
    seconds: float | None = None  # of the restoration alone; reading and writing overlap with other pictures
    iterations: int | None = None
    stop: str | None = None
    energy: float | None = None
    data_term: float | None = None
    regularizer: float | None = None
    lam: float | None = None
    sigma: float | None = None
    sigma_estimated: float | None = None
    noise: dict[str, Any] | None = None  # a model by brightness and correlation; None for white noise
    strength: float | None = None
    device: str | None = None
    precision: str | None = None
    tile: int | None = None
    planes: int | None = None  # of a stack; iterations and seconds are sums over its planes
    shape: tuple[int, int, int] | None = None
    black_and_white: tuple[float, float] | None = None  # numbers of the file, or None for those of its type
    depth: str | None = None
    psnr: float | None = None
    ssim: float | None = None
    weights: str | None = None
    weights_sha256: str | None = None

    def as_json(self) -> str:
        """One line of ASCII. Unknown, NaN or infinite values become null."""
        fields = {"lambda" if name == "lam" else name: value for name, value in asdict(self).items()}
        return json_line(fields | {"version": __version__})


def json_line(fields: dict[str, Any]) -> str:
    """`fields` as one line of ASCII JSON without a newline. NaN and infinities become null."""
    return json.dumps(_finite(fields), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Report:
    """All output of a command for people and programs. As a context manager it closes the report file."""

    def __init__(self, streams: Streams, options: ReportOptions) -> None:
        self._streams = streams
        self._options = options
        self._live: Console | None = None  # while a bar is drawn, sentences appear above it
        self._file: IO[str] | None = None
        self.counts: Counter[Status] = Counter()

    def __enter__(self) -> Self:
        """Open the report file, so that a file that cannot be written is found before any work."""
        if self._options.report is not None:
            try:
                self._file = Path(self._options.report).open("a", encoding="utf-8")
            except OSError as error:
                raise self._report_error(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def say(self, text: str) -> None:
        """Print a result or a fact; silent with -q."""
        if not self._options.quiet:
            self._print(printable(text))

    def detail(self, text: str) -> None:
        """Print only with -v."""
        if self._options.verbose:
            self._print(printable(text))

    def warn(self, text: str) -> None:
        """Print a warning; silent with -q."""
        self.say(f"warning: {text}")

    def fail(self, name: str, error: Exception) -> None:
        """Print that one input failed, with a traceback if --debug was given."""
        _, sentence = explain(error)
        if self._options.debug:
            self._print("".join(traceback.format_exception(error)))
        self._print(printable(f"error: {sentence}" if name in sentence else f"error: {name}: {sentence}"))

    def summary(self, pictures: int, seconds: float) -> None:
        """Print the last line of a batch."""
        if pictures > 1:
            done = [f"{self.counts[status]} {word}" for status, word in _WORDS.items() if self.counts[status]]
            self.say(f"{pictures} pictures: {', '.join(done) or 'none done'}, {seconds:.1f} s")

    def record(self, record: Record) -> None:
        """Count one input and write its JSON line if requested."""
        self.counts[record.status] += 1
        self._write_line(record.as_json() + "\n")

    def event(self, fields: dict[str, Any]) -> None:
        """Write a JSON line that is not about one picture, if requested."""
        self._write_line(json_line(fields | {"version": __version__}) + "\n")

    def _write_line(self, line: str) -> None:
        if self._options.json:
            self._streams.write_stdout(line.encode())
        if self._file is not None:
            try:
                self._file.write(line)
                self._file.flush()
            except OSError as error:
                raise self._report_error(error) from error

    @contextmanager
    def progress(self, pictures: int) -> Iterator[Progress | Silent]:
        """A progress bar on stderr if that is a terminal that can draw one and the options allow it."""
        with self.live() as console:
            if console is None:
                yield Silent()
                return
            with Progress(console, pictures) as progress:
                yield progress

    @contextmanager
    def live(self) -> Iterator["Console | None"]:
        """The console on which to draw a bar, or None. Meanwhile sentences are printed above the bar."""
        self._live = self._bar_console()
        try:
            yield self._live
        finally:
            self._live = None

    def _bar_console(self) -> "Console | None":
        unwanted = self._options.quiet or self._options.json or self._options.no_progress
        if unwanted or not self._streams.stderr_is_terminal:
            return None
        from rich.console import Console

        console = Console(file=self._streams.stderr, force_terminal=True, emoji=False)
        return None if console.is_dumb_terminal else console

    def _print(self, text: str) -> None:
        try:
            if self._live is not None:
                self._live.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                self._streams.stderr.write(text + "\n")
                self._streams.stderr.flush()
        except OSError:
            pass  # stderr is closed, but the exit code still tells

    def _report_error(self, error: OSError) -> OutputError:
        return OutputError(f"report {self._options.report} cannot be written ({error.strerror})")
