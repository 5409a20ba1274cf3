"""Signals in training: deferred during a step, immediate otherwise, and explained."""

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from alr_cli.cli.train.prior_session import PriorSession
from alr_cli.cli.train.session import _HeldSignals, resume
from alr_cli.errors import UsageError
from alr_cli.files.weights import CHECKPOINT, write_tensors


def test_a_signal_is_deferred_and_a_second_one_is_not() -> None:
    before = signal.getsignal(signal.SIGINT)
    with _HeldSignals() as signals:
        assert signals.asked() is None
        signal.raise_signal(signal.SIGINT)
        assert isinstance(signals.asked(), KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_outside_of_steps_a_signal_acts_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with _HeldSignals() as signals:
        with pytest.raises(KeyboardInterrupt), signals.at_once():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert isinstance(signals.asked(), KeyboardInterrupt)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("step", "saved", "words"),
    [
        (7, None, "stopped at step 7 of 9, before the first checkpoint: start again"),
        (7, 7, "stopped at step 7 of 9: continue with --resume (mine.checkpoint)"),
        (
            7,
            5,
            "stopped at step 7 of 9; the checkpoint is of step 5: continue with --resume (mine.checkpoint)",
        ),
        (9, 9, "stopped after all 9 steps, during the final measurements: --resume repeats these"),
    ],
)
def test_a_stopped_training_says_how_to_continue(
    step: int, saved: int | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = SimpleNamespace(rank=0, size=1)
    trainer: Any = SimpleNamespace(
        step_count=step, iterations=9, done=step == 9, workers=workers, device="cpu"
    )
    pictures: Any = SimpleNamespace(validation=SimpleNamespace(to=lambda device: None))
    run: Any = SimpleNamespace(resume=False)
    session = PriorSession(trainer, {}, pictures, Path("mine.checkpoint"), run, SimpleNamespace())  # type: ignore[arg-type]
    session._saved = saved

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    for stage, arguments in (("_train", (session.train, None)), ("_finish", (session.finish, Path("mine")))):
        monkeypatch.setattr(session, stage, stopped)
        with pytest.raises(KeyboardInterrupt) as caught:
            arguments[0](arguments[1])  # type: ignore[operator]
        assert caught.value.__notes__ == [words]


@pytest.mark.parametrize(("now", "goes_on"), [(40, True), (41, True), (4000, True), (39, False)])
def test_a_training_goes_on_as_far_as_it_was_to_go_or_further(
    now: int, goes_on: bool, tmp_path: Path
) -> None:
    path = tmp_path / "a.checkpoint"
    description: dict[str, Any] = {"architecture": {"width": 4}, "recipe": {"iterations": 40}, "data": {}}
    write_tensors(path, {"step": torch.tensor(40)}, description, CHECKPOINT)
    restored: list[Any] = []
    trainer: Any = SimpleNamespace(restore_state=restored.append, step_count=40, iterations=now)
    report: Any = SimpleNamespace(say=lambda text: None)
    asked = description | {"recipe": {"iterations": now}}
    if goes_on:
        resume(trainer, asked, path, report)
        assert int(restored[0]["step"]) == 40
        return
    with pytest.raises(UsageError, match="iterations 40, now 39"):
        resume(trainer, asked, path, report)
