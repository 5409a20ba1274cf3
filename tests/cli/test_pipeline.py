"""Reading and writing overlap with restoring; results stay in order."""

import threading
import time

import pytest

from alr_cli.cli.pipeline import overlap


def test_results_come_in_the_order_of_the_jobs() -> None:
    def slow_when_early(job: int) -> int:
        time.sleep(0.002 * (5 - job % 10))
        return job

    assert list(overlap(range(5), slow_when_early, lambda job: job + 10, slow_when_early)) == [
        10,
        11,
        12,
        13,
        14,
    ]


@pytest.mark.parametrize("stage", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 4])
def test_a_failure_of_any_stage_is_the_result_of_its_job_alone(stage: int, count: int) -> None:
    def fail_at(here: int):  # type: ignore[no-untyped-def]
        def do(job: int) -> int:
            if here == stage and job == count - 1:
                raise ValueError(f"stage {stage}")
            return job

        return do

    results = list(overlap(range(count), fail_at(0), fail_at(1), fail_at(2)))
    assert results[:-1] == list(range(count - 1))
    assert str(results[-1]) == f"stage {stage}"


def test_three_pictures_are_worked_on_at_once_and_no_more_are_held() -> None:
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

    started = time.perf_counter()
    list(overlap(range(12), take, lambda job: time.sleep(0.005) or job, leave))
    assert 2 <= most <= 4
    assert time.perf_counter() - started < 12 * 0.015


def test_one_job_needs_no_thread() -> None:
    threads = list(
        overlap(
            [0],
            lambda _: {threading.current_thread()},
            lambda s: s,
            lambda s: s | {threading.current_thread()},
        )
    )
    assert threads == [{threading.main_thread()}]


def test_nothing_is_written_after_a_failure_at_which_the_caller_stops() -> None:
    written: list[int] = []

    def write(job: int) -> int:
        if job == 1:
            raise OSError("full")
        written.append(job)
        return job

    results = overlap(range(5), lambda j: j, lambda j: j, write)
    for result in results:
        if isinstance(result, Exception):
            break
    results.close()
    assert written == [0]


def test_an_interruption_waits_for_the_write_in_progress() -> None:
    written: list[int] = []

    def write(job: int) -> None:
        time.sleep(0.02)
        written.append(job)

    def restore(job: int) -> int:
        if job == 2:
            raise KeyboardInterrupt
        return job

    with pytest.raises(KeyboardInterrupt):
        list(overlap(range(5), lambda j: j, restore, write))
    assert written == [0, 1]
