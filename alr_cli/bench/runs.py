"""Every picture x every setting x every method, one after the other; a failure of one stops no other"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from alr_cli.bench.baselines import Restore
from alr_cli.bench.degradations import Pixels, observe
from alr_cli.bench.scores import Score, judge
from alr_cli.bench.settings import OBSERVED, Setting


@dataclass(frozen=True)
class Clean:
    """A picture to be degraded. name: decides its noise.  read: its pixels, (H, W, C) on [0,1]."""

    name: str
    read: Callable[[], Pixels]


@dataclass(frozen=True)
class Done:
    """One restoration and its score; clean and estimate (H, W, C), the estimate not clamped."""

    score: Score
    clean: Pixels
    estimate: Pixels


@dataclass(frozen=True)
class Failure:
    """What could not be done. setting or method None: none of them could be.  results: how many are lost."""

    picture: str
    setting: Setting | None
    method: str | None
    error: Exception
    results: int


@dataclass(frozen=True)
class Benchmark:
    """What to do. methods: names, for each setting.  method_for: (name, channels) -> the method, ready to be
    timed: weights are loaded by then."""

    pictures: Sequence[Clean]
    methods: dict[Setting, tuple[str, ...]]
    method_for: Callable[[str, int], Restore]

    @property
    def results(self) -> int:
        """How many there will be, those of the observations included."""
        return len(self.pictures) * sum(1 + len(methods) for methods in self.methods.values())

    def run(self) -> Iterator[Done | Failure]:
        """The results, picture by picture."""
        for picture in self.pictures:
            try:
                clean = picture.read()
            except Exception as error:  # noqa: BLE001 - one bad picture does not stop the others
                yield Failure(picture.name, None, None, error, self.results // len(self.pictures))
                continue
            for setting, methods in self.methods.items():
                yield from self._in_setting(picture.name, clean, setting, methods)

    def _in_setting(
        self, name: str, clean: Pixels, setting: Setting, methods: tuple[str, ...]
    ) -> Iterator[Done | Failure]:
        try:
            observation = observe(clean, name, setting)
        except Exception as error:  # noqa: BLE001 - a picture too small for one setting may suit another
            yield Failure(name, setting, None, error, 1 + len(methods))
            return
        for method in (OBSERVED, *methods):
            try:
                restore = None if method == OBSERVED else self.method_for(method, clean.shape[2])
                score, estimate = judge(name, observation, method, restore)
            except Exception as error:  # noqa: BLE001 - nor does one method stop the others
                yield Failure(name, setting, method, error, 1)
            else:
                yield Done(score, observation.clean, estimate)
