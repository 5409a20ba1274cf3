"""One restoration judged, and the means of many: PSNR, SSIM and seconds of (picture, setting, method)"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from alr_cli.bench.degradations import Observation, Pixels
from alr_cli.bench.metrics import psnr, ssim
from alr_cli.bench.settings import Setting


@dataclass(frozen=True)
class Score:
    """psnr: dB, None if the estimate is the truth.  ssim: None for tiny pictures.  seconds: None where
    nothing was computed."""

    picture: str
    setting: Setting
    method: str
    psnr: float | None
    ssim: float | None
    seconds: float | None

    def as_dict(self) -> dict[str, Any]:
        """Flat, for a line of JSON."""
        return {
            "picture": self.picture,
            **self.setting.as_dict(),
            "method": self.method,
            "psnr": self.psnr,
            "ssim": self.ssim,
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Mean:
    """The means over the pictures that a method restored in a setting."""

    setting: Setting
    method: str
    psnr: float | None
    ssim: float | None
    seconds: float | None
    pictures: int

    def as_dict(self) -> dict[str, Any]:
        """Flat, for a line of JSON or CSV."""
        return {
            **self.setting.as_dict(),
            "method": self.method,
            "psnr": self.psnr,
            "ssim": self.ssim,
            "seconds": self.seconds,
            "pictures": self.pictures,
        }


def judge(
    picture: str, observation: Observation, method: str, restore: Callable[[Observation], Pixels] | None
) -> tuple[Score, Pixels]:
    """Restore, time and score; returns the estimate, too. restore: None judges the observation itself."""
    estimate, seconds = observation.pixels, None
    if restore is not None:
        started = time.perf_counter()
        estimate = restore(observation)
        seconds = time.perf_counter() - started
    clean = observation.clean
    score = Score(picture, observation.setting, method, psnr(clean, estimate), ssim(clean, estimate), seconds)
    return score, estimate


def means(scores: Iterable[Score]) -> list[Mean]:
    """One for each setting and method, settings and methods in the order in which they first came."""
    groups: dict[Setting, dict[str, list[Score]]] = {}
    for score in scores:
        groups.setdefault(score.setting, {}).setdefault(score.method, []).append(score)
    return [
        Mean(
            setting,
            method,
            _mean([score.psnr for score in group]),
            _mean([score.ssim for score in group]),
            _mean([score.seconds for score in group]),
            len(group),
        )
        for setting, methods in groups.items()
        for method, group in methods.items()
    ]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
