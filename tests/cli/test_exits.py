"""Every exit code, in a process of its own, and the table behind them."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alr_cli import errors
from alr_cli.cli.exits import Terminated, explain, leave
from alr_cli.cli.streams import StdoutClosed, Streams
from tests.conftest import FAST, Alr, environment, scene, write_picture


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("u"), 2),
        (errors.InputError("i"), 3),
        (errors.OutputError("o"), 4),
        (StdoutClosed("closed"), 4),
        (errors.WeightsError("w"), 5),
        (errors.DeviceError("d"), 6),
        (MemoryError(), 6),
        (errors.PartialFailure("p"), 7),
        (errors.NonFiniteError("n"), 8),
        (KeyboardInterrupt(), 130),
        (Terminated(signal.SIGTERM), 143),
        (Terminated(signal.SIGHUP), 129),
        (RuntimeError("a bug"), 1),
    ],
)
def test_every_exception_has_its_code_and_at_most_one_sentence(error: BaseException, code: int) -> None:
    found, sentence = explain(error)
    assert found == code
    assert "\n" not in sentence
    assert (sentence == "") == isinstance(error, StdoutClosed)


def test_names_and_messages_are_escaped_and_on_one_line() -> None:
    stderr = io.StringIO()
    leave(errors.InputError("\x1b[31m\nred.png is gone"), Streams(None, None, stderr), debug=False)
    leave(RuntimeError("first\nsecond"), Streams(None, None, stderr), debug=False)
    assert "\x1b" not in stderr.getvalue()
    assert stderr.getvalue().count("\n") == 2


def test_success_is_0_and_the_compiler_of_torch_is_not_loaded(picture: Path, gray_critic: Path) -> None:
    """To load the compiler takes as long as all else of torch."""
    code = (
        "import sys\nfrom alr_cli.cli.app import main\n"
        "try: main()\nfinally: sys.stderr.write(str('torch._dynamo' in sys.modules))"
    )
    command = ["denoise", str(picture), "-o", str(picture.with_name("x.png")), "-q", *FAST]
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, env=environment(gray_critic), timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"False")
    assert picture.with_name("x.png").exists()


def test_a_bug_is_1_and_one_sentence(picture: Path, gray_critic: Path) -> None:
    code = (
        "from alr_cli.cli import app\nfrom alr_cli.cli.restore import models\n"
        "models.build_restorer = lambda *_: {}['a bug']\napp.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "denoise", str(picture), "-q"],
        capture_output=True,
        env=environment(gray_critic),
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "internal error (KeyError: 'a bug')" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["polish", "a.png"], 2),
        (["denoise"], 2),
        (["denoise", "a.png", "--sigma", "25"], 2),
        (["denoise", "a.png", "--solver", "magic"], 2),
        (["denoise", "a.png", "-o", "x.png", "--solver", "fourier", "-q"], 2),
        (["denoise", "a.png", "--strength", "1e400"], 2),
        (["deblur", "a.png", "--kernel", "gaussian:4:1"], 2),
        (["denoise", "gone.png"], 3),
        (["denoise", "text.png", "-o", "x.png"], 3),
        (["denoise", "https://example.org/a.png", "-o", "x.png"], 3),
        (["denoise", "a.png", "-o", "nowhere/x.png"], 4),
        (["denoise", "a.png", "-o", "a.png", "--overwrite"], 4),
        (["denoise", "a.png", "-o", "x.png", "-w", "no-such-weights"], 5),
        (["denoise", "a.png", "-o", "x.png", "--device", "cuda:99"], 6),
        (["denoise", "a.png", "text.png", "-o", "out/", "-q", *FAST], 7),
        (["denoise", "a.png", "-o", "x.png", "--lam", "1e38", "--sigma", "0.1", "-q"], 8),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
@pytest.mark.usefixtures("tiny_weights")
def test_refusals_have_their_code_one_sentence_and_write_nothing(
    alr: Alr, picture: Path, arguments: list[str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture.with_name("text.png").write_text("this is text")
    monkeypatch.chdir(picture.parent)
    result = alr(*arguments)
    assert (result.code, result.stdout) == (code, b"")
    errors_said = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors_said) == (2 if code == 7 else 1)  # of the picture, and of the batch
    assert "Traceback" not in result.stderr
    written = {path.name for path in picture.parent.iterdir()} - {"a.png", "text.png"}
    assert written == ({"out"} if code == 7 else set())


def test_a_refusal_is_the_code_of_the_process(alr_process: Alr, tmp_path: Path) -> None:
    result = alr_process("denoise", "gone.png", cwd=tmp_path)
    assert (result.code, result.stdout, result.stderr.count("\n")) == (3, b"", 1)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_batch_keeps_what_is_done_and_leaves_no_temporary_files(
    tmp_path: Path, gray_critic: Path, number: signal.Signals, code: int
) -> None:
    for name, side in (("a.png", 8), ("b.png", 400)):
        write_picture(tmp_path / name, scene(side, side))
    command = "denoise a.png b.png -o out/ --sigma 0.1 --lam 1e-6 --tile 0 --solver adam --max-iter 1000"
    process = subprocess.Popen(
        [sys.executable, "-m", "alr_cli", *command.split()],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env=environment(gray_critic),
        text=True,
    )
    assert process.stderr is not None
    while "a.png -> out/a.png" not in (line := process.stderr.readline()):
        assert "error" not in line
        assert process.poll() is None
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (code, "")
    assert "Traceback" not in stderr
    assert "2 pictures: 1 restored" in stderr
    assert stderr.splitlines()[-1] == f"error: {'interrupted' if code == 130 else 'stopped by SIGTERM'}"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("inputs", [["pipe.png"], ["a.png", "pipe.png", "a.jpg"]])
def test_a_signal_ends_a_command_within_two_seconds_whatever_its_reader_waits_for(
    tmp_path: Path, gray_critic: Path, inputs: list[str], number: signal.Signals, code: int
) -> None:
    for name in ("a.png", "a.jpg"):
        write_picture(tmp_path / name, scene(8, 8))
    os.mkfifo(tmp_path / "pipe.png")
    command = [sys.executable, "-m", "alr_cli", "denoise", *inputs, "-o", "out/", "--sigma", "0.1", *FAST]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, cwd=tmp_path, env=environment(gray_critic), text=True
    )
    try:
        opened = os.open(
            tmp_path / "pipe.png", os.O_WRONLY
        )  # returns once its reader has come, who gets nothing
        process.send_signal(number)
        started = time.monotonic()
        _, stderr = process.communicate(timeout=10)
        assert time.monotonic() - started < 2
        os.close(opened)
    finally:
        process.kill()
    assert process.returncode == code
    assert "Traceback" not in stderr and "Fatal" not in stderr
    assert [path.name for path in tmp_path.glob("out/*") if path.name.startswith(".")] == []


def test_notes_on_an_exception_are_printed() -> None:
    stop = KeyboardInterrupt()
    stop.add_note("stopped at step 7 of 9")
    assert explain(stop) == (130, "interrupted: stopped at step 7 of 9")
