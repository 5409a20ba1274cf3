"""Seconds against pixels: one picture, several sizes, every method"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from alr_cli.bench.baselines import Restore
from alr_cli.bench.degradations import Pixels, observe
from alr_cli.bench.settings import Setting
from alr_cli.bench.tables import Table

SIDES = (128, 256, 512)  # pixels
REPEATS = 2  # after one that is not counted: the best of them, other work on the machine only adds
SETTING = Setting("denoise", 0.1)


@dataclass(frozen=True)
class Timing:
    """seconds: of the fastest run on a picture of side x side pixels."""

    method: str
    side: int
    seconds: float

    @property
    def megapixels_per_second(self) -> float:
        return self.side**2 / self.seconds / 1e6

    def as_dict(self) -> dict[str, Any]:
        rate = self.megapixels_per_second
        return {
            "method": self.method,
            "side": self.side,
            "seconds": self.seconds,
            "megapixels_per_second": rate,
        }


def resized(clean: Pixels, side: int) -> Pixels:
    """The middle side x side pixels; a smaller picture (H, W, C) is continued by reflection."""
    lacking = [max(0, side - length) for length in clean.shape[:2]]
    margins = [(each // 2, each - each // 2) for each in lacking]
    wide = np.pad(clean, [*margins, (0, 0)], mode="symmetric")
    top, left = ((length - side) // 2 for length in wide.shape[:2])
    return wide[top : top + side, left : left + side]


def measure(
    name: str,
    restore: Restore,
    clean: Pixels,
    side: int,
    repeats: int = REPEATS,
    clock: Callable[[], float] = time.perf_counter,
) -> Timing:
    """Time a method on noise of sigma 0.1."""
    observation = observe(resized(clean, side), "speed", SETTING)
    return Timing(name, side, min(_runs(restore, observation, repeats, clock)))


def _runs(restore: Restore, observation: Any, repeats: int, clock: Callable[[], float]) -> Iterator[float]:
    restore(observation)
    for _ in range(repeats):
        started = clock()
        restore(observation)
        yield clock() - started


def table(timings: list[Timing], title: str) -> Table:
    """A row for each method, a column for each size."""
    sides = list(dict.fromkeys(each.side for each in timings))
    found = {(each.method, each.side): each for each in timings}
    rows = []
    for method in dict.fromkeys(each.method for each in timings):
        cells = []
        for side in sides:
            timing = found.get((method, side))
            cells.append(
                "-" if timing is None else f"{timing.seconds:.3g} s, {timing.megapixels_per_second:.3g} Mpx/s"
            )
        rows.append((method, *cells))
    return Table(title, ("method", *(f"{side} x {side}" for side in sides)), tuple(rows))
