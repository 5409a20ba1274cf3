"""Reading the next picture and writing the last one while the present one is restored."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

J = TypeVar("J")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")

GRACE = 1.0
"""Seconds that an interrupted batch waits for the read and the write in progress."""


def overlap(
    jobs: Iterable[J],
    read: Callable[[J], A],
    restore: Callable[[A], B],
    write: Callable[[B], C],
    settle: Callable[[J, C | Exception], None],
) -> None:
    """Take each job through `read`, `restore` and `write`, and tell `settle` what came of it, in order.

    settle: gets what `write` returned, or the exception that ended the job; what it raises ends the batch,
    and nothing is written after that. `read` runs in a thread, `write` and `settle` in another, `restore` in
    the caller's: at most one picture is read ahead and one is written behind. Each job is asked for when its
    turn to be read has come. The caller, whom signals reach, waits for no file: a read that hangs, of a pipe
    or a network mount, is left behind when the batch is interrupted.
    """

    def finish(job: J, restored: B | Exception) -> None:
        settle(job, restored if isinstance(restored, Exception) else _attempt(write, restored))

    reader, writer = _Thread("read"), _Thread("write")
    writing: Future[None] | None = None
    left = iter(jobs)

    def begin() -> tuple[J, Future[A]] | None:
        for job in left:
            return job, reader.submit(partial(read, job))
        return None

    try:
        coming = begin()
        while coming is not None:
            (job, reading), coming = coming, begin()
            restored = _attempt(lambda future: restore(_result(future)), reading)
            if writing is not None:
                _result(writing)
            writing = writer.submit(partial(finish, job, restored))
        if writing is not None:
            _result(writing)
    finally:
        deadline = time.monotonic() + GRACE
        for thread in (writer, reader):
            thread.close(deadline)


def _result(future: Future[A]) -> A:
    """The result, waited for in short pieces: a signal that comes just before a wait would not end it."""
    while not future.done():
        wait([future], timeout=0.2)
    return future.result()


class _Thread:
    """One thread that does what it is given, in order. Unlike those of an executor it is a daemon: the end of
    the process does not wait for it."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, do: Callable[[], A]) -> Future[A]:
        future: Future[A] = Future()

        def task() -> None:
            try:
                future.set_result(do())
            except BaseException as error:  # noqa: BLE001 - whoever waits for the result gets it
                future.set_exception(error)

        self._tasks.put(task)
        return future

    def close(self, deadline: float) -> None:
        """Wait for what was given, no longer than until then."""
        self._tasks.put(None)
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while task := self._tasks.get():
            task()


def _attempt(do: Callable[[A], B], given: A) -> B | Exception:
    try:
        return do(given)
    except Exception as error:  # noqa: BLE001 - carried to `settle`: one bad picture does not stop a batch
        return error
