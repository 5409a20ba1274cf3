"""Read the next picture and write the previous one while the current one is restored."""

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
    """Take each job through `read`, `restore` and `write`, and report the results to `settle` in order.

    `read` runs in one thread, `write` and `settle` in another, and `restore` in that of the caller. At most
    one picture is read ahead and one is written behind. A job is taken from `jobs` only when it is to be
    read. The caller never waits for a file, so signals reach it: if the batch is interrupted, a read that
    hangs is abandoned.

    Args:
        jobs: The jobs.
        read: Loads a job.
        restore: Restores what `read` returned.
        write: Writes what `restore` returned.
        settle: Receives what `write` returned, or the exception that ended the job. An exception that it
            raises ends the batch, and nothing is written after that.
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
    """The result of a future. It waits in short intervals, because a signal just before a long wait would not
    end it."""
    while not future.done():
        wait([future], timeout=0.2)
    return future.result()


class _Thread:
    """A daemon thread that runs tasks in order. Unlike an executor, it does not delay the end of the
    process."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, do: Callable[[], A]) -> Future[A]:
        future: Future[A] = Future()

        def task() -> None:
            try:
                future.set_result(do())
            except BaseException as error:  # noqa: BLE001 - passed on to whoever waits for the result
                future.set_exception(error)

        self._tasks.put(task)
        return future

    def close(self, deadline: float) -> None:
        """Wait for the submitted tasks, at most until the deadline."""
        self._tasks.put(None)
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while task := self._tasks.get():
            task()


def _attempt(do: Callable[[A], B], given: A) -> B | Exception:
    try:
        return do(given)
    except Exception as error:  # noqa: BLE001 - passed on to `settle`: one bad picture does not stop a batch
        return error
