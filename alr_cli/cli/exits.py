"""The only table from exceptions to exit codes and sentences."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Never

import typer

from alr_cli.cli.streams import StdoutClosed, Streams, printable
from alr_cli.errors import AlrError, DeviceError, OutputError

INTERNAL_ERROR = 1
USAGE_ERROR = 2
INTERRUPTED = 128 + signal.SIGINT

SENTENCES = {  # exceptions of other libraries; an AlrError has its own sentence and code
    MemoryError: (DeviceError.exit_code, "memory ran out: use smaller tiles, for example --tile 128"),
    KeyboardInterrupt: (INTERRUPTED, "interrupted"),
}


class Terminated(BaseException):
    """SIGTERM or SIGHUP, raised in the main thread so that `finally` blocks run; or Ctrl-C that ended a
    command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def interrupted(stop: KeyboardInterrupt) -> Terminated:
    """Ctrl-C with its notes, as an exception that Typer passes on."""
    found = Terminated(signal.SIGINT)
    for note in getattr(stop, "__notes__", ()):
        found.add_note(note)
    return found


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code and the sentence for an exception, with its notes. An empty sentence means that nothing
    is printed."""
    code, sentence = _explain(error)
    return code, ": ".join([sentence, *getattr(error, "__notes__", ())])


def _explain(error: BaseException) -> tuple[int, str]:
    if isinstance(error, StdoutClosed):
        return error.exit_code, ""
    if isinstance(error, AlrError):
        return error.exit_code, str(error)
    if isinstance(error, Terminated) and error.number == signal.SIGINT:
        return SENTENCES[KeyboardInterrupt]
    if isinstance(error, Terminated):
        return 128 + error.number, f"stopped by {signal.Signals(error.number).name}"
    if isinstance(error, typer.TyperException):
        return USAGE_ERROR, _one_sentence(error)
    for kind, (code, sentence) in SENTENCES.items():
        if isinstance(error, kind):
            return code, sentence
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return INTERNAL_ERROR, f"internal error ({what}): this is a bug; run again with --debug for the traceback"


def leave(error: BaseException, streams: Streams, *, debug: bool) -> int:
    """Print on stderr what went wrong and return the exit code. `debug` adds the traceback."""
    code, sentence = explain(error)
    try:
        if debug and not isinstance(error, KeyboardInterrupt | Terminated):
            streams.stderr.write("".join(traceback.format_exception(error)))
        if sentence:
            streams.stderr.write(printable(f"error: {sentence}") + "\n")
        streams.stderr.flush()
    except OSError:
        pass  # stderr is closed, but the exit code still tells
    return code


def debug_wanted(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether --debug was given. This works before the arguments are parsed, so that parsing errors can be
    traced, too."""
    return "--debug" in arguments or environment.get("ALR_DEBUG", "").lower() in {"1", "true", "yes", "on"}


def of_system_exit(error: SystemExit) -> int:
    """The code when a library exits by itself, for completion scripts and for help written into a closed
    pipe."""
    if isinstance(error.__context__, BrokenPipeError):
        return OutputError.exit_code
    return error.code if isinstance(error.code, int) else INTERNAL_ERROR


def catch_signals() -> None:
    """Turn SIGTERM and SIGHUP into an exception, so that temporary files are removed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup must keep working
            signal.signal(number, _terminate)


def flush_stdout() -> bool:
    """Whether the last bytes of stdout were written. The interpreter's own error message is suppressed."""
    if sys.stdout is None:
        return True
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def leave_process(code: int) -> Never:
    """End the process with `code`. It ends at once if a thread still waits for a file, which may never
    arrive."""
    if threading.active_count() > 1:
        os._exit(code)
    sys.exit(code)


def _terminate(number: int, frame: FrameType | None) -> Never:
    raise Terminated(number)


def _one_sentence(error: typer.TyperException) -> str:
    text = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "alr"
    return f"{text[:1].lower()}{text[1:]}: see {command} --help"
