"""y = A x, A bicubic and antialiased: enlarged pictures, measured like published super-resolution

Pictures are cropped to a multiple of the scale, reduced by bicubic interpolation (a = -0.5, antialiased, like
MATLAB's imresize), and rounded to 8 bits; there is no other noise. PSNR has the peak 1. It is computed for
estimates clamped to [0,1], without a border as wide as the scale, over all channels and for the luma Y that
studies of super-resolution report (ITU-R BT.601, 16 to 235).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from alr_cli.bench.degradations import Pixels
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.defaults import descend
from alr_cli.core.metrics import infinite_psnr
from alr_cli.core.priors.total_variation import TotalVariation
from alr_cli.core.solvers.line_search import Nmapg
from alr_cli.core.tasks import Upscaling, from_batch, in_frame, observed, to_batch
from alr_cli.files import interpolation

SCALES = (2, 3, 4)
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
_TV = 1.6e-4  # weight of TV: the best of four on crops of validation pictures, for factors 2 and 4
_TV_ITERATIONS, _TV_TOLERANCE = 300, 1e-4

Enlarge = Callable[[Pixels, Upscaling], Pixels]


@dataclass(frozen=True)
class Score:
    """One picture, enlarged by one method.

    Attributes:
        psnr: Over all channels, in dB.
        luma: For Y, in dB.
        seconds: Wall-clock time.
    """

    picture: str
    scale: int
    method: str
    psnr: float
    luma: float
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Mean:
    """The means over all pictures for one scale and method."""

    scale: int
    method: str
    psnr: float
    luma: float
    seconds: float
    pictures: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(
    pictures: Iterable[tuple[str, Pixels]],
    methods: Mapping[str, Enlarge],
    clock: Callable[[], float],
    scales: Sequence[int] = SCALES,
) -> Iterator[Score]:
    """Each picture (H, W, C) on [0,1] by each method at each scale."""
    for name, clean in pictures:
        for scale in scales:
            task = Upscaling(scale)
            y = np.asarray(np.round(observed(task, clean).clip(0, 1) * 255) / 255, np.float32)
            truth = in_frame(task, clean)
            for method, enlarge in methods.items():
                began = clock()
                estimate = enlarge(y, task)
                seconds = clock() - began
                yield Score(name, scale, method, *quality(truth, estimate, scale), seconds)


def quality(truth: Pixels, estimate: Pixels, border: int) -> tuple[float, float]:
    """PSNR over all channels and for Y, without the border. Infinite if there is no difference."""
    inside = np.s_[border:-border, border:-border]
    clean, guess = truth[inside], estimate[inside]
    return infinite_psnr(clean, guess), infinite_psnr(luma(clean), luma(guess))


def luma(pixels: Pixels) -> Pixels:
    """Y of (H, W, C) without its offset, (H, W, 1). A gray picture is treated as three equal channels."""
    weights = _LUMA if pixels.shape[2] == 3 else _LUMA.sum(keepdims=True)
    return np.asarray(pixels.clip(0, 1) @ weights[:, None], np.float32)


def means(scores: Iterable[Score]) -> list[Mean]:
    """One mean for each scale and method, by ascending scale and in the order of the first score."""
    groups: dict[tuple[int, str], list[Score]] = {}
    for score in scores:
        groups.setdefault((score.scale, score.method), []).append(score)
    found = []
    for (scale, method), group in sorted(groups.items(), key=lambda item: item[0][0]):
        columns = zip(*((score.psnr, score.luma, score.seconds) for score in group), strict=True)
        numbers = [sum(column) / len(group) for column in columns]
        found.append(Mean(scale, method, numbers[0], numbers[1], numbers[2], len(group)))
    return found


def bicubic(y: Pixels, task: Upscaling) -> Pixels:
    """Bicubic interpolation with a = -0.5."""
    return interpolation.bicubic(y, task.scale * y.shape[1], task.scale * y.shape[0])


def total_variation(y: Pixels, task: Upscaling) -> Pixels:
    """arg min mean((A x - y)^2) + lam TV(x), TV over all channels jointly."""
    problem = task.problem(to_batch(y), TotalVariation.margin, 0.0)
    regularizer = TotalVariation(channels=problem.y.shape[1])
    solver = Nmapg(_TV_ITERATIONS, _TV_TOLERANCE)
    return from_batch(problem.crop(descend(problem, SquaredError(problem.y), regularizer, _TV, solver).x))
