"""Reading and writing overlap with restoring; results stay in order."""

import threading
import time
from collections.abc import Callable
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


def test_a_result_is_told_while_the_next_picture_is_still_restored() -> None:
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


def test_pictures_are_worked_on_at_once_and_few_are_held() -> None:
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


def test_one_job_needs_no_thread() -> None:
    def here(seen: Any) -> set[threading.Thread]:
        return {threading.current_thread()} | (seen or set())

    assert results(1, here, here, here) == [{threading.main_thread()}]


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
