"""Reading and writing files: in any case a file is the old one or the new one."""

import errno
import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from alr_cli.errors import InputError, OutputError
from alr_cli.files import atomic
from alr_cli.files.atomic import OutputExists
from alr_cli.files.pictures import read_bytes, read_picture, write_atomic
from alr_cli.files.sniff import sniff
from tests.files.seeds import pil, save


def only(folder: Path, *names: str) -> bool:
    return sorted(each.name for each in folder.iterdir()) == sorted(names)


def test_a_new_file_is_written_with_the_rights_of_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "new.png", b"bytes")
    finally:
        os.umask(old)
    assert (tmp_path / "new.png").read_bytes() == b"bytes"
    assert stat.S_IMODE((tmp_path / "new.png").stat().st_mode) == 0o640
    assert only(tmp_path, "new.png")


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o777])
def test_a_replaced_file_keeps_its_rights(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "old.png"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_symbolic_link_stays_one_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link.png").symlink_to("far/target.png")
    write_atomic(tmp_path / "link.png", b"first")
    write_atomic(tmp_path / "link.png", b"second")
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "far" / "target.png").read_bytes() == b"second"
    assert only(tmp_path / "far", "target.png")


def test_devices_and_pipes_are_written_directly(tmp_path: Path) -> None:
    write_atomic(Path("/dev/null"), b"bytes")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_atomic(pipe, b"x" * 300_000)
    reader.join()
    assert received == [b"x" * 300_000]
    reader = threading.Thread(target=lambda: pipe.open("rb").close())
    reader.start()
    with pytest.raises(OutputError, match="Broken pipe; its reader is gone"):
        write_atomic(pipe, b"x" * 3_000_000)
    reader.join()
    assert only(tmp_path, "pipe")


def test_names_of_any_length_and_letters_are_written(tmp_path: Path) -> None:
    for name in ("ä" * 127, "x" * 255, os.fsdecode(b"\xff\xfe.png"), "-", "a b\nc"):
        write_atomic(tmp_path / name, b"bytes")
        assert (tmp_path / name).read_bytes() == b"bytes"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "Disk quota exceeded"),
        (KeyboardInterrupt(), ""),
        (SystemExit(143), ""),
    ],
)
@pytest.mark.parametrize("where", ["write", "fsync", "close"])
def test_an_interruption_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, error: BaseException, words: str
) -> None:
    path = tmp_path / "old.png"
    path.write_bytes(b"old")
    real, seen = getattr(os, where), []

    def fail(*arguments: object) -> object:
        seen.append(sorted(each.name for each in tmp_path.iterdir()))
        real(*arguments)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, where, fail)
        with pytest.raises(OutputError if words else type(error), match=words or None):
            write_atomic(path, b"new")
    assert seen[0][0].startswith(".old.png.alr-") and seen[0][0].endswith(".tmp")
    assert path.read_bytes() == b"old"
    assert only(tmp_path, "old.png")


LIMITED = """
import resource, sys
from pathlib import Path
from alr_cli.errors import OutputError
from alr_cli.files.pictures import write_atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomic(Path(sys.argv[1]), b"new" * 1000)
except OutputError as error:
    print(error)
"""


def test_a_file_size_limit_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "old.png"
    path.write_bytes(b"old")
    result = subprocess.run([sys.executable, "-c", LIMITED, path], capture_output=True, text=True, check=True)
    assert (
        result.stdout
        == f"cannot write {path}: File too large; nothing was changed; make room or choose another place\n"
    )
    assert path.read_bytes() == b"old"
    assert only(tmp_path, "old.png")
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="it is a folder; name a file in it"):
        write_atomic(tmp_path, b"bytes")
    with pytest.raises(OutputError, match=r"No such file or directory; create its folder first"):
        write_atomic(tmp_path / "missing" / "a.png", b"bytes")
    with pytest.raises(OutputError, match="Not a directory"):
        (tmp_path / "file").write_bytes(b"")
        write_atomic(tmp_path / "file" / "a.png", b"bytes")
    with pytest.raises(OutputError, match="choose another name"):
        write_atomic(tmp_path / "a\0b", b"bytes")


def test_a_protected_file_or_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The superuser may write anywhere, so the answers of the system are simulated."""
    path = tmp_path / "old.png"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "access", lambda *_: False)
        with pytest.raises(OutputError, match="it is write-protected; change its access rights"):
            write_atomic(path, b"new")

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(atomic.os, "open", refuse)
        with pytest.raises(OutputError, match="Permission denied; check the access rights of its folder"):
            write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert only(tmp_path, "old.png")


KILLED = """
import sys
from pathlib import Path
from alr_cli.files.pictures import write_atomic
path, number = Path(sys.argv[1]), 0
while True:
    write_atomic(path, bytes([number % 256]) * 200_000)
    number += 1
    print(number, flush=True)
"""


def test_after_kill_9_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for rounds in (1, 2, 5, 9):
        worker = subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE)
        assert worker.stdout is not None
        for _ in range(rounds):
            worker.stdout.readline()
        worker.kill()
        worker.wait()
        worker.stdout.close()
        data = path.read_bytes()
        assert data == data[:1] * 200_000
        assert all(each.name == "a.png" or each.match(".a.png.alr-*.tmp") for each in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.png", "there is no such file; check the name"),
        ("folder", "it is a folder; name the files in it"),
        ("empty.png", "it is empty; check that it was written completely"),
        ("a\0b", "check the name"),
        ("x" * 300, "File name too long"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(InputError, match=words) as caught:
        read_bytes(tmp_path / name)
    assert str(caught.value).startswith("cannot read ")


def test_a_file_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="permission denied; check its access rights"):
        read_bytes(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["https://example.org/a.png", "file:///etc/passwd", "<screen>", "<video0>"])
def test_only_regular_files_are_opened(name: str) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_picture(name)


def test_of_other_files_only_the_beginning_is_read() -> None:
    with pytest.raises(InputError, match="cannot read /dev/zero: it is filled with zeros"):
        read_picture("/dev/zero")
    with pytest.raises(InputError, match="it is larger than"):
        read_bytes("/dev/zero", max_bytes=10 * 2**20)


def test_a_picture_is_read_from_a_file_and_from_a_pipe(tmp_path: Path) -> None:
    data = save(pil("RGB"), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    assert read_bytes(tmp_path / "a.png", check=sniff) == data
    assert read_picture(str(tmp_path / "a.png")).shape == (24, 37, 3)
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(data))
    writer.start()
    assert read_picture(tmp_path / "pipe").shape == (24, 37, 3)
    writer.join()


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_does_not_take_the_place_of_one_that_appeared(
    tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_links(*_: object) -> None:
        raise PermissionError("no hard links on this disk")

    if not links:
        monkeypatch.setattr(os, "link", without_links)
    path = tmp_path / "a"
    write_atomic(path, b"first", replace=False)
    with pytest.raises(OutputExists, match="appeared meanwhile"):
        write_atomic(path, b"second", replace=False)
    assert path.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["a"]
    write_atomic(Path("/dev/null"), b"second", replace=False)
