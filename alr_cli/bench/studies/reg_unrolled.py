"""PSNR of an unrolled descent during its training: G from a gradient network, from a potential, or random"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alr_cli.bench.tables.layout import Table
from alr_cli.core.priors.slope import Slope
from alr_cli.core.priors.unet import UNet
from alr_cli.core.tasks import Floats
from alr_cli.core.training.denoising import CropSource
from alr_cli.core.training.unrolled import UnrolledRecipe, UnrolledTrainer

NOTHING = "nothing"
MEASURED = 96  # largest side of the parts of pictures that are measured
_POINTS = 10  # measurements during a training
_SHARES = (0.0, 0.1, 0.3, 1.0)  # of the training, in the table


@dataclass(frozen=True)
class Point:
    """The PSNR in dB after a number of training steps."""

    start: str
    step: int
    psnr: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def recipe_of(task: str, steps: int, bfloat16: bool, seed: int) -> UnrolledRecipe:
    """A short training."""
    return UnrolledRecipe(
        task=task,
        iterations=steps,
        patch=48,
        warm_up=max(1, steps // 20),
        fall=steps // 2,
        ema=0.95,
        bfloat16=bfloat16,
        seed=seed,
    )


def random_like(slope: Slope, seed: int) -> Slope:
    """A random G of the same size."""
    unet = UNet(slope.unet.architecture, torch.Generator().manual_seed(seed))
    return Slope(unet, False, slope.scale)


def middles(pictures: Sequence[Floats]) -> Tensor:
    """The middle of every picture (H, W, C), as large as all have it, (B, C, side, side)."""
    side = min(MEASURED, *(min(picture.shape[:2]) for picture in pictures)) // 8 * 8
    found = []
    for picture in pictures:
        top, left = ((size - side) // 2 for size in picture.shape[:2])
        found.append(picture[top : top + side, left : left + side].transpose(2, 0, 1))
    return torch.from_numpy(np.stack(found).astype(np.float32))


def learn(
    starts: Mapping[str, Slope], recipe: UnrolledRecipe, training: Sequence[np.ndarray], clean: Tensor
) -> Iterator[Point]:
    """Train from every start, and measure.

    Args:
        starts: G at the beginning, by name.
        recipe: How all of them are trained.
        training: Pictures (H, W, C) uint8 to train on.
        clean: Other pictures (B, C, H, W) to measure on.
    """
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(recipe.seed))
    sigma, every = (recipe.sigma_low + recipe.sigma_high) / 2, max(1, recipe.iterations // _POINTS)
    for name, slope in starts.items():
        trainer = UnrolledTrainer(slope, recipe, CropSource([training], recipe.patch))
        yield Point(name, 0, trainer.quality(clean, noise, sigma)[1])
        while not trainer.done:
            step = trainer.step().step
            if step % every == 0 or trainer.done:
                yield Point(name, step, trainer.quality(clean, noise, sigma)[1])


def table(points: Sequence[Point], title: str) -> Table:
    """A row for each start. The last column is the first measured step that is as good as the end of the
    training from nothing."""
    courses = _courses(points)
    goal = courses[NOTHING][-1].psnr
    last = points[-1].step
    marks = [min((p.step for p in points), key=lambda step: abs(step - share * last)) for share in _SHARES]
    rows = []
    for start, course in courses.items():
        at = [f"{next(p.psnr for p in course if p.step == mark):.2f}" for mark in marks]
        reached = next((str(p.step) for p in course if p.psnr >= goal), "-")
        rows.append((start, *at, reached))
    headings = ("start", *(f"step {mark}" for mark in marks), "as good as the end from nothing")
    return Table(f"reg-unrolled: {title}; PSNR in dB", headings, tuple(rows))


def draw(points: Sequence[Point]) -> bytes:
    """PSNR against training steps. Returns a PNG."""
    from alr_cli import drawing

    figure = drawing.new()
    axes = figure.subplots()
    for start, course in _courses(points).items():
        axes.plot([p.step for p in course], [p.psnr for p in course], label=f"from {start}")
    axes.set_xlabel("training step")
    axes.set_ylabel("PSNR [dB]")
    axes.legend()
    return drawing.png(figure)


def _courses(points: Sequence[Point]) -> dict[str, list[Point]]:
    courses: dict[str, list[Point]] = {}
    for point in points:
        courses.setdefault(point.start, []).append(point)
    return courses
