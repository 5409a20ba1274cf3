"""PSNR and ||x_k - x_{k-1}||^2 / N of every iteration of plug and play, and how far G is from a gradient"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

import torch

from alr_cli.bench.studies.courses import Course
from alr_cli.bench.studies.reg import courses
from alr_cli.bench.studies.reg_settings import BLURS, gaussian, observe
from alr_cli.bench.tables.layout import Table
from alr_cli.core.priors.protocol import HasProx
from alr_cli.core.priors.slope import HasSlope
from alr_cli.core.restore import Restorer
from alr_cli.core.tasks import Deblurring, Denoising, Floats, to_batch

SIGMA = 0.01
DRAWN = "blur 2.0"  # as in the plots of the original
SHOWN = (1, 10, 30, 100, 300, 1000)  # iterations in the table
PROBED = 64  # largest side in pixels of the crop on which the Jacobian is probed


@dataclass(frozen=True)
class Followed:
    """The course of one method on one picture and blur."""

    picture: str
    blur: str
    method: str
    course: Course


def converge(
    pictures: Iterable[tuple[str, Floats]], restorers: Sequence[Restorer], steps: int, seed: int
) -> Iterator[list[Followed]]:
    """The courses of all methods that iterate, on each blur. Yields those of each picture and blur."""
    for number, (picture, clean) in enumerate(pictures):
        for name, covariance in BLURS.items():
            task = Deblurring(gaussian(covariance), "circular")
            y = observe(task, clean, SIGMA, seed + number)
            yield [
                Followed(picture, name, method, course)
                for each in restorers
                for method, course in courses(each, task, y, SIGMA, clean, steps)
                if course.changes
            ]


def asymmetry(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, probes: int = 4) -> float:
    """||J - J^T|| / (||J|| + ||J^T||) of a function at x, (B, C, H, W), from random directions.

    It is 0 for a gradient, and about 0.7 if J and J^T are unrelated.
    """
    apart = size = 0.0
    generator = torch.Generator().manual_seed(0)
    for _ in range(probes):
        direction = torch.randn(x.shape, generator=generator)
        _, adjoint = torch.autograd.functional.vjp(function, x, direction)  # type: ignore[no-untyped-call]
        _, forward = torch.autograd.functional.jvp(function, x, direction)  # type: ignore[no-untyped-call]
        apart += float((forward - adjoint).square().sum())
        size += 2 * float(forward.square().sum() + adjoint.square().sum())
    return float((apart / size) ** 0.5)


def asymmetry_of(restorer: Restorer, clean: Floats) -> float | None:
    """The asymmetry of the Jacobian of the regularizer's gradient at D(z) of a clean picture (H, W, C) with
    noise; None where the gradient cannot be differentiated or there is no D."""
    prior, level = restorer.prior, SIGMA
    regularizer = prior.at(level)
    if not isinstance(prior, HasSlope) or not isinstance(regularizer, HasProx):
        return None
    rows, columns = (min(side, PROBED) // 8 * 8 for side in clean.shape[:2])
    y = observe(Denoising(), clean[:rows, :columns], level, 0)
    return asymmetry(prior.slope, regularizer.prox(to_batch(y), 1.0))


def table(found: Sequence[Followed], title: str) -> Table:
    """A row for each blur and method: PSNR of some iterates, of the last and the best one, and the length of
    the last steps."""
    groups: dict[tuple[str, str], list[Course]] = {}
    for each in found:
        groups.setdefault((each.blur, each.method), []).append(each.course)
    rows = []
    for (blur, method), group in groups.items():
        at = [f"{mean(c.psnr[min(n, len(c.psnr) - 1)] for c in group):.2f}" for n in SHOWN]
        ends = [f"{mean(getattr(c, what) for c in group):.2f}" for what in ("last", "best")]
        change = mean(c.changes[-1] for c in group)
        diverged = sum(c.stop == "diverged" for c in group)
        rows.append((blur, method, *at, *ends, f"{change:.1e}", str(diverged)))
    headings = ("blur", "method", *map(str, SHOWN), "last [dB]", "best [dB]", "squared step", "diverged")
    return Table(f"reg-convergence: {title}; sigma {SIGMA:g}", headings, tuple(rows), words=2)


def draw(found: Sequence[Followed]) -> bytes:
    """PSNR and the squared length of the steps per pixel against the iterations, for the first picture and
    the blur of the plots. Returns a PNG."""
    from alr_cli import drawing

    figure = drawing.new(6.4, 5.0)
    quality, change = figure.subplots(2, 1, sharex=True)
    for each in found:
        if (each.picture, each.blur) == (found[0].picture, DRAWN):
            quality.plot(each.course.psnr, label=each.method)
            change.semilogy(range(1, len(each.course.changes) + 1), each.course.changes)
    quality.set_ylabel("PSNR [dB]")
    quality.legend(fontsize="x-small")
    change.set_ylabel("squared step per pixel")
    change.set_xlabel("iteration")
    return drawing.png(figure)
