"""Reading the next picture and writing the last one while the present one is restored."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

J = TypeVar("J")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


def overlap(
    jobs: Sequence[J],
    read: Callable[[J], A],
    restore: Callable[[A], B],
    write: Callable[[B], C],
    settle: Callable[[J, C | Exception], None],
) -> None:
    """Take each job through `read`, `restore` and `write`, and tell `settle` what came of it, in order.

    settle: gets what `write` returned, or the exception that ended the job; what it raises ends the batch,
    and nothing is written after that. `read` runs in a thread, `write` and `settle` in another, `restore` in
    the caller's: at most one picture is read ahead and one is written behind. A single job needs no threads,
    so that only the caller, whom Ctrl-C reaches, ever waits for stdin or stdout.
    """

    def finish(job: J, restored: B | Exception) -> None:
        settle(job, restored if isinstance(restored, Exception) else _attempt(write, restored))

    if len(jobs) == 1:
        settle(jobs[0], _attempt(lambda job: write(restore(read(job))), jobs[0]))
        return
    with ThreadPoolExecutor(1, "read") as reader, ThreadPoolExecutor(1, "write") as writer:
        coming: Future[A] | None = None
        writing: Future[None] | None = None
        for index, job in enumerate(jobs):
            reading = coming or reader.submit(read, job)
            coming = reader.submit(read, jobs[index + 1]) if index + 1 < len(jobs) else None
            restored = _attempt(lambda future: restore(future.result()), reading)
            if writing is not None:
                writing.result()
            writing = writer.submit(finish, job, restored)
        if writing is not None:
            writing.result()


def _attempt(do: Callable[[A], B], given: A) -> B | Exception:
    try:
        return do(given)
    except Exception as error:  # noqa: BLE001 - carried to `settle`: one bad picture does not stop a batch
        return error
