"""Reading and writing overlap with restoring; results stay in order."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from alr_cli.cli.restore.pipeline import overlap

Stage = Callable[[Any], Any]


def same(job: int) -> int:
    return job


def results(count: int, read: Stage = same, restore: Stage = same, write: Stage = same) -> list[Any]:
    settled: list[Any] = []
    overlap(range(count), read, restore, write, lambda job, result: settled.append((job, result)))
    assert [job for job, _ in settled] == list(range(count))
    return [result for _, result in settled]


def test_results_come_in_the_order_of_the_jobs() -> None:
    def slow_when_early(job: int) -> int:
        time.sleep(0.002 * (5 - job % 10))
        return job

    assert results(5, slow_when_early, lambda job: job + 10, slow_when_early) == [10, 11, 12, 13, 14]


def test_results_are_reported_while_the_next_picture_is_restored() -> None:
    told = threading.Event()

    def restore(job: int) -> int:
        assert job == 0 or told.wait(timeout=10)
        return job

    overlap(range(2), same, restore, same, lambda job, result: told.set())


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 4])
def test_a_failure_of_any_stage_is_the_result_of_its_job_alone(stage: int, count: int) -> None:
    def fail_at(here: int) -> Stage:
        def do(job: int) -> int:
            if here == stage and job == count - 1:
                raise ValueError(f"stage {stage}")
            return job

        return do

    found = results(count, *(fail_at(here) for here in range(3)))
    assert found[:-1] == list(range(count - 1))
    assert str(found[-1]) == f"stage {stage}"


def test_pictures_are_processed_in_parallel_and_few_are_in_memory() -> None:
    held, most, lock = 0, 0, threading.Lock()

    def take(job: int) -> int:
        nonlocal held, most
        with lock:
            held += 1
            most = max(most, held)
        time.sleep(0.005)
        return job

    def leave(job: int) -> int:
        nonlocal held
        time.sleep(0.005)
        with lock:
            held -= 1
        return job

    results(12, take, lambda job: time.sleep(0.005) or job, leave)
    assert 2 <= most <= 4


def test_restoring_runs_in_the_thread_that_receives_signals() -> None:
    def here(seen: Any) -> list[str]:
        return [*(seen or []), threading.current_thread().name]

    assert results(1, here, here, here) == [["read", "MainThread", "write"]]


@pytest.mark.parametrize("count", [1, 3])
def test_an_interruption_does_not_wait_for_a_reader_that_hangs(count: int) -> None:
    hanging, started = threading.Event(), time.monotonic()
    main = threading.main_thread().ident or 0

    def interrupted(reading: int) -> int:
        if reading == count - 1:
            signal.pthread_kill(main, signal.SIGINT)  # as Ctrl-C does
            hanging.wait(60)
        return reading

    with pytest.raises(KeyboardInterrupt):
        overlap(range(count), interrupted, same, same, lambda job, result: None)
    assert time.monotonic() - started < 2
    hanging.set()


def test_jobs_are_requested_when_they_are_read() -> None:
    asked: list[int] = []
    ahead: list[int] = []

    def jobs() -> Iterator[int]:
        for job in range(4):
            asked.append(job)
            yield job

    overlap(jobs(), same, lambda job: ahead.append(len(asked) - job), same, lambda job, result: None)
    assert ahead == [2, 2, 2, 1]


def test_nothing_is_written_after_a_result_that_ends_the_batch() -> None:
    written: list[int] = []

    def settle(job: int, result: object) -> None:
        if job == 1:
            raise LookupError("stop")

    with pytest.raises(LookupError, match="stop"):
        overlap(range(5), same, same, written.append, settle)
    assert written == [0, 1]


def test_an_interruption_waits_for_the_write_in_progress_and_its_result() -> None:
    settled: list[int] = []

    def restore(job: int) -> int:
        if job == 2:
            raise KeyboardInterrupt
        return job

    with pytest.raises(KeyboardInterrupt):
        overlap(range(5), same, restore, lambda job: time.sleep(0.02), lambda job, _: settled.append(job))
    assert settled == [0, 1]
