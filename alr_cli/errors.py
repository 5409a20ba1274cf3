"""Errors that a user can act on. Each has an exit code and one sentence: what is wrong, in which file, what
to do."""


class AlrError(Exception):
    """Base class of every expected failure. `str(error)` is the sentence shown on stderr."""

    exit_code = 1


class UsageError(AlrError):
    """The command or function was given something that can be refused before any work is done."""

    exit_code = 2


class InputError(AlrError):
    """An input picture is missing, unreadable or of an unsupported kind."""

    exit_code = 3


class OutputError(AlrError):
    """An output cannot be written as requested."""

    exit_code = 4


class WeightsError(AlrError):
    """A weights file is missing, damaged or unsuitable for the task."""

    exit_code = 5


class DeviceError(AlrError):
    """The requested device is missing, or memory ran out even with small tiles."""

    exit_code = 6


class PartialFailure(AlrError):
    """Some of several inputs failed; the others were processed."""

    exit_code = 7


class NonFiniteError(AlrError):
    """The computation gave numbers that are not finite; nothing was written."""

    exit_code = 8
