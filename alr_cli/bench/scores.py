"""PSNR, SSIM, LPIPS and seconds of a restoration, and their means over pictures"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from alr_cli.bench.degradations import Observation, Pixels
from alr_cli.bench.protocol import Setting
from alr_cli.core.metrics import psnr, ssim

Distance = Callable[[Pixels, Pixels], float | None]


@dataclass(frozen=True)
class Metrics:
    """The measurements of one restoration.

    Attributes:
        psnr: In dB. None if the estimate equals the clean picture.
        ssim: None for very small pictures.
        lpips: None for very small pictures, and without its package.
        seconds: None if nothing was computed.
    """

    psnr: float | None
    ssim: float | None
    lpips: float | None
    seconds: float | None


@dataclass(frozen=True)
class Score:
    """The measurements of one picture in one setting by one method.

    Attributes:
        method: The method's name in tables.
    """

    picture: str
    setting: Setting
    method: str
    metrics: Metrics

    def as_dict(self) -> dict[str, Any]:
        """All fields, for a line of JSON."""
        named = {"picture": self.picture, **self.setting.as_dict(), "method": self.method}
        return named | asdict(self.metrics)


@dataclass(frozen=True)
class Mean:
    """The means over all pictures that a method restored in one setting."""

    setting: Setting
    method: str
    metrics: Metrics
    pictures: int

    def as_dict(self) -> dict[str, Any]:
        """All fields, for a line of JSON or CSV."""
        named = {**self.setting.as_dict(), "method": self.method}
        return named | asdict(self.metrics) | {"pictures": self.pictures}


def judge(
    observation: Observation,
    restore: Callable[[Observation], Pixels] | None,
    perceptual: Distance | None = None,
) -> tuple[Metrics, Pixels]:
    """Restore and measure an observation.

    Args:
        observation: What the method gets.
        restore: The method. None measures the observation itself.
        perceptual: LPIPS, or None.

    Returns:
        The measurements, and the estimate (H, W, C).
    """
    estimate, seconds = observation.pixels, None
    if restore is not None:
        started = time.perf_counter()
        estimate = restore(observation)
        seconds = time.perf_counter() - started
    clean = observation.clean
    distance = None if perceptual is None else perceptual(clean, estimate)
    return Metrics(psnr(clean, estimate), ssim(clean, estimate), distance, seconds), estimate


def means(scores: Iterable[Score]) -> list[Mean]:
    """One mean for each setting and method, in the order of their first score."""
    groups: dict[Setting, dict[str, list[Metrics]]] = {}
    for score in scores:
        groups.setdefault(score.setting, {}).setdefault(score.method, []).append(score.metrics)
    return [
        Mean(setting, method, mean_of(group), len(group))
        for setting, methods in groups.items()
        for method, group in methods.items()
    ]


def mean_of(group: Sequence[Metrics]) -> Metrics:
    """The mean of each metric over the scores that have it."""
    columns = zip(*((each.psnr, each.ssim, each.lpips, each.seconds) for each in group), strict=True)
    return Metrics(*map(_mean, columns))


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
