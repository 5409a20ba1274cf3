"""Read bytes, and write files atomically: a written file has its old or its new content, never a mixture."""

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from alr_cli.errors import InputError, OutputError

MAX_BYTES = 4 * 2**30
_PIECE = 1 << 20
_HEAD = 4096


def shown(name: str | Path, stream: str = "standard input") -> str:
    """How a sentence names a file. `-` is a standard stream."""
    return stream if str(name) == "-" else str(name)


def read_bytes(
    path: str | Path, *, check: Callable[[bytes], object] | None = None, max_bytes: int = MAX_BYTES
) -> bytes:
    """The bytes of a file. URLs are not supported.

    Args:
        path: The file.
        check: Sees the first 4096 bytes and may refuse the rest by an InputError.
        max_bytes: Size of the largest file that is read.

    Raises:
        InputError: The file is missing, empty, a folder, unreadable, or larger than `max_bytes`.
    """
    try:
        with Path(path).open("rb") as stream:
            return read_stream(stream, str(path), check=check, max_bytes=max_bytes)
    except FileNotFoundError as error:
        hint = "download it first" if "://" in str(path) else "check the name"
        raise InputError(f"cannot read {shown(path)}: there is no such file; {hint}") from error
    except IsADirectoryError as error:
        raise InputError(f"cannot read {shown(path)}: it is a folder; name the files in it") from error
    except PermissionError as error:
        raise InputError(f"cannot read {shown(path)}: permission denied; check its access rights") from error
    except (OSError, ValueError) as error:  # ValueError for a name with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot read {shown(path)}: {reason}; check the name and the disk") from error


def read_stream(
    stream: BinaryIO,
    name: str = "-",
    *,
    check: Callable[[bytes], object] | None = None,
    max_bytes: int = MAX_BYTES,
) -> bytes:
    """The bytes of a stream. `check` sees the first ones as soon as they are there. Raises InputError."""
    head = b""
    while len(head) < _HEAD and (piece := stream.read(_HEAD - len(head))):
        head += piece
    if not head:
        raise InputError(f"cannot read {shown(name)}: it is empty; check that it was written completely")
    if check:
        try:
            check(head)
        except InputError as error:
            raise InputError(f"cannot read {shown(name)}: {error}") from error
    pieces, size = [head], len(head)
    while piece := stream.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > max_bytes:
            raise InputError(
                f"cannot read {shown(name)}: it is larger than {max_bytes / 2**30:g} GiB; crop it first"
            )
    return b"".join(pieces)


class OutputExists(OutputError):
    """A new file was to be written, but a file with its name exists."""


def write_atomic(path: Path, data: bytes, *, replace: bool = True) -> None:
    """Write a temporary file beside `path`, flush it to the disk, and rename it.

    Whatever interrupts this, `path` has its old or its new content. A replaced file keeps its access rights
    and, if possible, its owner; a new one follows the umask. Symbolic links are followed. Devices and pipes
    are written directly. The temporary file is called `.NAME.alr-XXXXXXXX.tmp` and remains only after kill
    -9.

    Args:
        path: The file.
        data: Its new content.
        replace: Whether an existing file may be replaced.

    Raises:
        OutputExists: The file exists and must not be replaced.
        OutputError: It cannot be written.
    """
    try:
        target = Path(os.path.realpath(path))
        old = _stat(target)
        if old and stat.S_ISDIR(old.st_mode):
            raise OutputError(f"cannot write {path}: it is a folder; name a file in it")
        if old and not stat.S_ISREG(old.st_mode):
            with target.open("wb", buffering=0) as stream:
                _write_all(stream.fileno(), data)
            return
        if old and not os.access(target, os.W_OK):
            raise OutputError(f"cannot write {path}: it is write-protected; change its access rights")
        with _successor(target, old, replace) as handle:
            _write_all(handle, data)
    except FileExistsError as error:
        raise OutputExists(
            f"cannot write {path}: it has appeared meanwhile; give --overwrite to replace it, "
            "or --skip-existing to leave it"
        ) from error
    except OSError as error:
        raise _refused(path, error) from error
    except ValueError as error:  # a name with a null byte
        raise OutputError(f"cannot write {path!r}: {error}; choose another name") from error


def _remedy(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "create its folder first"
    if isinstance(error, PermissionError):
        return "check the access rights of its folder"
    if isinstance(error, BrokenPipeError):
        return "its reader is gone"
    return "nothing was changed; make room or choose another place"


def _stat(target: Path) -> os.stat_result | None:
    try:
        return target.stat()
    except FileNotFoundError:
        return None


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """An empty file to write into, which replaces `path` at the end.

    If the body raises, `path` is unchanged and no temporary file remains. A pipe or device receives all bytes
    at the end. Raises OutputError.
    """
    try:
        target = Path(os.path.realpath(path))
        old = _stat(target)
        if old and not stat.S_ISREG(old.st_mode):
            with tempfile.TemporaryFile() as file, target.open("wb") as stream:
                yield file
                file.seek(0)
                shutil.copyfileobj(file, stream)
            return
        with _successor(target, old) as handle, os.fdopen(handle, "w+b", closefd=False) as file:
            yield file
            file.flush()
    except OSError as error:
        raise _refused(path, error) from error


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror or error}; {_remedy(error)}")


@contextmanager
def _successor(target: Path, old: os.stat_result | None, replace: bool = True) -> Iterator[int]:
    """The handle of a new file, which is flushed to the disk and renamed to `target` at the end."""
    name = os.fsdecode(os.fsencode(target.name)[:200])
    temporary = target.with_name(f".{name}.alr-{secrets.token_hex(4)}.tmp")
    try:
        # the umask applies, as for every new file
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_BINARY", 0), 0o666)
        try:
            if old:
                _inherit(handle, old)
            yield handle
            os.fsync(handle)
        finally:
            os.close(handle)
        if replace:
            temporary.replace(target)
        else:
            _put(temporary, target)
    except BaseException:  # Ctrl-C must not leave a file behind either
        with suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _put(temporary: Path, target: Path) -> None:
    """Rename the file unless the name exists (FileExistsError), in one step if the system can."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:  # a disk without hard links
        if target.exists():
            raise FileExistsError from None
        temporary.replace(target)
    else:
        temporary.unlink()


def _inherit(handle: int, old: os.stat_result) -> None:
    if hasattr(os, "fchown"):
        with suppress(OSError):
            os.fchown(handle, old.st_uid, old.st_gid)
        os.fchmod(handle, stat.S_IMODE(old.st_mode))


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself survive a power failure, if the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
