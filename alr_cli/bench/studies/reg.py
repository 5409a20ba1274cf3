"""Plug and play with G and with D, compared with energies (Fermanian, Le Pendu and Guillemot 2022)

Weights with a gradient and a proximal map give three methods: PnP-GD with G, PnP-GD with x - D(x) in the
place of G (RED), and PnP-ADMM with D. Other weights are used as the commands use them. The tasks are those of
the original: four Gaussian blurs (circular) with three levels of noise, factors 2 and 3 of bicubic reduction
with noise, and 20 % and 10 % of the pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alr_cli.bench.studies.courses import Course, follow
from alr_cli.bench.tables.layout import Table
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.defaults import FREE, SolverOptions, choose, descend
from alr_cli.core.metrics import psnr
from alr_cli.core.priors.denoisers import Red
from alr_cli.core.priors.protocol import Arithmetic, HasProx, Regularizer
from alr_cli.core.priors.slope import HasSlope
from alr_cli.core.priors.total_variation import TotalVariation
from alr_cli.core.restore import Restorer
from alr_cli.core.solvers.base import Solver
from alr_cli.core.solvers.line_search import Nmapg
from alr_cli.core.tasks import (
    Deblurring,
    Denoising,
    Floats,
    Inpainting,
    Task,
    Upscaling,
    from_batch,
    in_frame,
    observed,
    to_batch,
)

SIDE = 25  # of the kernels, in pixels
# Covariances of four of the twelve kernels of Zhang et al. (2021), in pixels
BLURS = {
    "blur 1.6": ((2.56, 0.0), (0.0, 2.56)),
    "blur 2.0": ((4.0, 0.0), (0.0, 4.0)),
    "blur 1.2 x 3.0": ((4.09, -3.57), (-3.57, 6.41)),
    "blur 2.2 x 2.7": ((6.25, 0.97), (0.97, 5.75)),
}
LEVELS = (2**0.5 / 255, 2.55 / 255, 7.65 / 255)
UPSCALING_NOISE = 2.55 / 255
RED_HELD = 15 / 255  # level of D in RED where known pixels are held
CONVERGENCE = "blur 2.0", 0.01  # blur and noise of the plots of convergence
# Weights of TV: the best of four on three crops of validation pictures; for holes, three were alike
PROBED = 64  # largest side in pixels of the crop on which the Jacobian is probed
TV_BLUR, TV_HOLES = 4e-4, 1e-3


@dataclass(frozen=True)
class Setting:
    """One task. `task` makes it for a picture (H, W, C)."""

    name: str
    sigma: float
    task: Callable[[Floats], Task]


@dataclass(frozen=True)
class Score:
    """One picture, restored by one method. `last` and `best` are PSNR in dB of iterates."""

    picture: str
    setting: str
    method: str
    last: float
    best: float
    iterations: int
    stop: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def gaussian(covariance: Sequence[Sequence[float]], side: int = SIDE) -> NDArray[np.float64]:
    """exp(-x^T C^-1 x / 2) on side x side pixels, with sum 1. The axes of C are rows and columns."""
    offset = np.mgrid[:side, :side].reshape(2, -1) - side // 2
    exponent = np.einsum("in,ij,jn->n", offset, np.linalg.inv(np.asarray(covariance)), offset)
    kernel = np.exp(-0.5 * exponent).reshape(side, side)
    return np.asarray(kernel / kernel.sum())


def settings(seed: int) -> list[Setting]:
    """All tasks. `seed` decides which pixels are missing."""

    def blurred(name: str) -> Callable[[Floats], Task]:
        return lambda clean: Deblurring(gaussian(BLURS[name]), "circular")

    def reduced(scale: int) -> Callable[[Floats], Task]:
        return lambda clean: Upscaling(scale)

    def holes(known: float) -> Callable[[Floats], Task]:
        return lambda clean: Inpainting(np.random.default_rng(seed).random(clean.shape[:2]) >= known)

    blurs = [Setting(f"{name}, {255 * s:.3g}/255", s, blurred(name)) for name in BLURS for s in LEVELS]
    enlarged = [Setting(f"x{scale}", UPSCALING_NOISE, reduced(scale)) for scale in (2, 3)]
    return blurs + enlarged + [Setting(f"{known:.0%} known", 0.0, holes(known)) for known in (0.2, 0.1)]


def observe(task: Task, clean: Floats, sigma: float, seed: int) -> Floats:
    """A x plus unclipped noise, (H', W', C)."""
    y = observed(task, clean)
    return np.asarray(y + sigma * np.random.default_rng(seed).standard_normal(y.shape), np.float32)


def courses(
    restorer: Restorer, task: Task, y: Floats, sigma: float, truth: Floats, steps: int | None = None
) -> Iterator[tuple[str, Course]]:
    """The methods that weights give, and how each of them restores an observation.

    Args:
        restorer: The weights.
        task, sigma: What happened to the picture.
        y: The observation (H', W', C).
        truth: The picture (H, W, C).
        steps: Number of iterations; None for the usual ones.
    """
    name, prior = restorer.weights.name, restorer.prior
    level = max(task.level(sigma) if sigma else RED_HELD, prior.sigma_range[0])
    regularizer = prior.at(level, Arithmetic(0, restorer.precision))
    if not isinstance(regularizer, HasProx):
        yield name, single(restorer.restore(y, task, sigma).pixels, truth)
        return
    problem, lam = task.problem(to_batch(y), prior.margin, sigma), prior.lam(level)

    def go(of: Regularizer, solver: Solver) -> Course:
        return follow(problem, of, lam, solver, truth)

    free = choose(regularizer, problem, lam, sigma, SolverOptions(FREE, steps))
    yield f"PnP-GD, G of {name}", go(regularizer, free)
    yield f"PnP-GD, x - D(x) of {name} (RED)", go(Red(regularizer, prior.channels), free)
    if sigma > 0:
        admm = choose(regularizer, problem, lam, sigma, SolverOptions("admm", steps))
        yield f"PnP-ADMM, D of {name}", go(regularizer, admm)


def total_variation(task: Task, y: Floats, sigma: float, truth: Floats) -> Course:
    """TV with the weight of the tuned blur and noise, in proportion to the noise."""
    problem = task.problem(to_batch(y), TotalVariation.margin, sigma)
    weight = TV_HOLES if sigma == 0 else TV_BLUR * sigma / UPSCALING_NOISE
    regularizer = TotalVariation(channels=problem.y.shape[1])
    found = descend(problem, SquaredError(problem.y), regularizer, weight, Nmapg(300, 1e-4))
    return single(from_batch(problem.crop(found.x)), truth)


def single(pixels: Floats, truth: Floats) -> Course:
    """The course of a method of which only the result is known."""
    found = psnr(truth, pixels.clip(0, 1))
    return Course((float("inf") if found is None else found,), (), "", pixels)


def measure(
    pictures: Iterable[tuple[str, Floats]], restorers: Sequence[Restorer], seed: int
) -> Iterator[Score]:
    """Every picture (H, W, 3) in every setting by every method."""
    for number, (picture, clean) in enumerate(pictures):
        for setting in settings(seed):
            task, sigma = setting.task(clean), setting.sigma
            y, truth = observe(task, clean, sigma, seed + number), in_frame(task, clean)
            found = [("tv", total_variation(task, y, sigma, truth))]
            found += [pair for each in restorers for pair in courses(each, task, y, sigma, truth)]
            for method, course in found:
                count = len(course.changes)
                yield Score(picture, setting.name, method, course.last, course.best, count, course.stop)


def converge(
    pictures: Iterable[tuple[str, Floats]], restorers: Sequence[Restorer], steps: int, seed: int
) -> dict[str, list[Course]]:
    """The courses of all methods that iterate, on the task of the plots."""
    name, sigma = CONVERGENCE
    task = Deblurring(gaussian(BLURS[name]), "circular")
    found: dict[str, list[Course]] = {}
    for number, (_, clean) in enumerate(pictures):
        y = observe(task, clean, sigma, seed + number)
        for each in restorers:
            for method, course in courses(each, task, y, sigma, clean, steps):
                if course.changes:
                    found.setdefault(method, []).append(course)
    return found


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
    prior, level = restorer.prior, CONVERGENCE[1]
    regularizer = prior.at(level)
    if not isinstance(prior, HasSlope) or not isinstance(regularizer, HasProx):
        return None
    rows, columns = (min(side, PROBED) // 8 * 8 for side in clean.shape[:2])
    y = observe(Denoising(), clean[:rows, :columns], level, 0)
    return asymmetry(prior.slope, regularizer.prox(to_batch(y), 1.0))


def table(scores: Sequence[Score], title: str) -> Table:
    """A row for each setting and method."""
    groups: dict[tuple[str, str], list[Score]] = {}
    for score in scores:
        groups.setdefault((score.setting, score.method), []).append(score)
    rows = []
    for (setting, method), group in groups.items():
        diverged = sum(score.stop == "diverged" for score in group)
        numbers = [f"{mean(score.last for score in group):.2f}", f"{mean(score.best for score in group):.2f}"]
        rows.append((setting, method, *numbers, str(diverged), str(len(group))))
    headings = ("setting", "method", "last [dB]", "best [dB]", "diverged", "pictures")
    return Table(f"reg: {title}", headings, tuple(rows), words=2)


def convergence_table(found: Mapping[str, Sequence[Course]], title: str) -> Table:
    """A row for each method: PSNR of some iterates, the best one, and the length of the last steps."""
    shown = (1, 10, 30, 100, 300, 1000)
    rows = []
    for method, each in found.items():
        at = [f"{mean(c.psnr[min(n, len(c.psnr) - 1)] for c in each):.2f}" for n in shown]
        best, last = (mean(getattr(c, what) for c in each) for what in ("best", "last"))
        change = mean(c.changes[-1] for c in each)
        diverged = sum(c.stop == "diverged" for c in each)
        rows.append((method, *at, f"{last:.2f}", f"{best:.2f}", f"{change:.1e}", str(diverged)))
    headings = ("method", *map(str, shown), "last [dB]", "best [dB]", "||x_k - x_{k-1}||^2 / N", "diverged")
    return Table(f"reg-convergence: {title}", headings, tuple(rows))


def draw(found: Mapping[str, Sequence[Course]]) -> bytes:
    """PSNR and the squared length of the steps of the first picture against the iterations. Returns a PNG."""
    from alr_cli import drawing

    figure = drawing.new(6.4, 5.0)
    quality, change = figure.subplots(2, 1, sharex=True)
    for method, each in found.items():
        quality.plot(each[0].psnr, label=method)
        change.semilogy(range(1, len(each[0].changes) + 1), each[0].changes)
    quality.set_ylabel("PSNR [dB]")
    quality.legend(fontsize="x-small")
    change.set_ylabel("squared step per pixel")
    change.set_xlabel("iteration")
    return drawing.png(figure)
