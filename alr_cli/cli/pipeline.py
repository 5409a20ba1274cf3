"""Reading the next picture and writing the last one while the present one is restored."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

J = TypeVar("J")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


def overlap(
    jobs: Sequence[J], read: Callable[[J], A], restore: Callable[[A], B], write: Callable[[B], C]
) -> Generator[C | Exception]:
    """For each job, in order, what `write` returned or the exception that ended the job.

    `read` and `write` run in a thread each, `restore` in the caller's; a single job needs no threads, so that
    nothing but the caller ever waits for stdin or stdout. At most one picture is read ahead and one is
    written behind. A result is handed over before the next picture is written, so that a caller who stops at
    a failure finds nothing written after it.
    """

    def restore_read(reading: Future[A]) -> B:
        return restore(reading.result())

    def write_restored(restored: B | Exception) -> C:
        if isinstance(restored, Exception):
            raise restored
        return write(restored)

    if len(jobs) == 1:
        yield _attempt(lambda job: write(restore(read(job))), jobs[0])
        return
    with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
        coming: Future[A] | None = None
        writing: Future[C] | None = None
        for index, job in enumerate(jobs):
            reading = coming or reader.submit(read, job)
            coming = reader.submit(read, jobs[index + 1]) if index + 1 < len(jobs) else None
            restored = _attempt(restore_read, reading)
            if writing is not None:
                yield _attempt(Future.result, writing)
            writing = writer.submit(write_restored, restored)
        if writing is not None:
            yield _attempt(Future.result, writing)


def _attempt(do: Callable[[J], A], given: J) -> A | Exception:
    try:
        return do(given)
    except Exception as error:  # noqa: BLE001 - carried to the caller: one bad picture does not stop a batch
        return error
