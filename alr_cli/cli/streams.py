"""The standard streams. Tests pass their own streams and say of what kind they are."""

import os
import stat
import sys
from dataclasses import dataclass
from typing import BinaryIO, Literal, TextIO

from alr_cli.errors import InputError, OutputError, UsageError

StdoutKind = Literal["terminal", "pipe", "file", "closed"]


class StdoutClosed(OutputError):
    """The reader of stdout is gone (`alr ... | head`). Nothing needs to be printed."""


@dataclass(frozen=True)
class Streams:
    """The three standard streams, and what they are connected to."""

    stdin: BinaryIO | None
    stdout: BinaryIO | None
    stderr: TextIO
    stdout_kind: StdoutKind = "pipe"
    stdin_is_terminal: bool = False
    stderr_is_terminal: bool = False
    stdout_file: tuple[int, int] | None = None  # (device, inode) if stdout is a regular file

    @classmethod
    def of_process(cls) -> "Streams":
        """The streams that this process was started with. Any of them may be missing (`>&-`)."""
        stdin, stdout, stderr = sys.stdin, sys.stdout, sys.stderr
        return cls(
            stdin=stdin.buffer if stdin is not None else None,
            stdout=stdout.buffer if stdout is not None else None,
            stderr=stderr if stderr is not None else open(os.devnull, "w"),  # noqa: PTH123
            stdout_kind=_kind(stdout),
            stdin_is_terminal=stdin is not None and stdin.isatty(),
            stderr_is_terminal=stderr is not None and stderr.isatty(),
            stdout_file=_regular_file(stdout),
        )

    def read_stdin(self) -> bytes:
        """Read all of stdin. Raises UsageError at a terminal, and InputError if stdin is empty or
        unreadable."""
        if self.stdin_is_terminal:
            raise UsageError(
                "INPUT - reads a picture from stdin, which is a terminal: pipe a picture into it"
            )
        try:
            data = self.stdin.read() if self.stdin is not None else b""
        except OSError as error:
            raise InputError(f"stdin cannot be read ({error.strerror}): pipe a picture into it") from error
        if not data:
            raise InputError("stdin is empty: pipe a picture into it, or name a file instead of -")
        return data

    def write_stdout(self, data: bytes) -> None:
        """Write `data` and flush. Raises StdoutClosed if the reader is gone, and OutputError for other
        failures."""
        if self.stdout is None:
            raise OutputError("stdout is closed: name the output with -o FILE")
        try:
            self.stdout.write(data)
            self.stdout.flush()
        except BrokenPipeError as error:
            raise StdoutClosed("stdout was closed by its reader") from error
        except OSError as error:
            raise OutputError(f"stdout cannot be written ({error.strerror}): name a file with -o") from error


def secure_descriptors() -> None:
    """Open the null device on closed descriptors 0 to 2, so that no picture is ever opened as one of them."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this descriptor


def printable(text: str) -> str:
    """Text that is safe on a terminal: control characters and invalid encodings are escaped."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text
    )


def _kind(stdout: TextIO | None) -> StdoutKind:
    if stdout is None:
        return "closed"
    if stdout.isatty():
        return "terminal"
    mode = os.fstat(stdout.fileno()).st_mode
    return "pipe" if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) else "file"


def _regular_file(stdout: TextIO | None) -> tuple[int, int] | None:
    if stdout is None:
        return None
    status = os.fstat(stdout.fileno())
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
