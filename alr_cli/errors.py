"""Errors a person can act on: each is one sentence (what, which file, what to do) and an exit code."""


class AlrError(Exception):
    """Base of every expected failure; `str(error)` is the sentence shown on stderr."""

    exit_code = 1


class UsageError(AlrError):
    """The command was given something that can be refused before any work is done."""

    exit_code = 2


class InputError(AlrError):
    """An input picture is missing, unreadable or of an unsupported kind."""

    exit_code = 3


class OutputError(AlrError):
    """An output cannot be written as asked."""

    exit_code = 4


class WeightsError(AlrError):
    """A weights file is missing, damaged or does not fit the task."""

    exit_code = 5


class DeviceError(AlrError):
    """The named device is missing, or memory ran out even with small tiles."""

    exit_code = 6


class PartialFailure(AlrError):
    """Some of several inputs failed; the others were done."""

    exit_code = 7


class NonFiniteError(AlrError):
    """Numbers went non-finite; nothing was written."""

    exit_code = 8
