"""Seconds against pixels: one picture at several sizes, by every method"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from alr_cli.bench.degradations import Observation, Pixels, observe
from alr_cli.bench.methods.baselines import Restore
from alr_cli.bench.protocol import Setting
from alr_cli.bench.studies.memory import PeakMemory
from alr_cli.bench.tables.layout import Table
from alr_cli.core.metrics import psnr

SIDES = (128, 256, 512)  # pixels
REPEATS = 2  # after a warm-up; the minimum is kept, since other load on the machine only adds time
SETTING = Setting("denoise", 0.1)


@dataclass(frozen=True)
class Timing:
    """The speed of a method at one size.

    Attributes:
        side: The picture has side x side pixels.
        seconds: Of the fastest run.
        psnr: Of the result, in dB.
        memory: Bytes that a run adds to the process at its peak. None where that is unknown.
    """

    method: str
    side: int
    seconds: float
    psnr: float | None
    memory: int | None

    @property
    def megapixels_per_second(self) -> float:
        return self.side**2 / self.seconds / 1e6

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "megapixels_per_second": self.megapixels_per_second}


def resized(clean: Pixels, side: int) -> Pixels:
    """The central side x side pixels. A smaller picture (H, W, C) is extended by reflection."""
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
    """Time a method on a picture with noise of sigma 0.1."""
    clean = resized(clean, side)
    observation = observe(clean, "speed", SETTING)
    with PeakMemory() as peak:
        restored = restore(observation)
    return Timing(
        name, side, min(_runs(restore, observation, repeats, clock)), psnr(clean, restored), peak.added
    )


def _runs(
    restore: Restore, observation: Observation, repeats: int, clock: Callable[[], float]
) -> Iterator[float]:
    for _ in range(repeats):
        started = clock()
        restore(observation)
        yield clock() - started


def table(timings: list[Timing], title: str) -> Table:
    """A row for each method and size."""
    headings = ("method", "pixels", "seconds", "Mpx/s", "PSNR", "MB")
    rows = [
        (
            each.method,
            f"{each.side} x {each.side}",
            f"{each.seconds:.3g}",
            f"{each.megapixels_per_second:.3g}",
            "-" if each.psnr is None else f"{each.psnr:.2f}",
            "-" if each.memory is None else f"{each.memory / 1e6:.0f}",
        )
        for each in timings
    ]
    return Table(title, headings, tuple(rows), words=2)
