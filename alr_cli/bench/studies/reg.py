"""Plug and play with G and with D, compared with energies (Fermanian, Le Pendu and Guillemot 2022)

All weights are used as the commands use them. Those with a gradient and a proximal map give four methods
more: PnP-GD with G, the same with an implicit data term (PnP-PGD), PnP-GD with x - D(x) in the place of G
(RED), and PnP-ADMM with D. A potential g gives two: PnP-GD with grad g, and PnP-ADMM with its D. Since D(x) =
x - grad g(x), RED is the same as PnP-GD with grad g for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from alr_cli.bench.studies.courses import Course, follow
from alr_cli.bench.studies.reg_settings import UPSCALING_NOISE, observe, settings
from alr_cli.bench.tables.layout import Table
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.defaults import choose, descend
from alr_cli.core.metrics import psnr
from alr_cli.core.priors.denoisers import Red
from alr_cli.core.priors.protocol import Anneals, Arithmetic, ChoosesLevel, Denoises, HasProx, Regularizer
from alr_cli.core.priors.total_variation import TotalVariation
from alr_cli.core.restore import Restorer
from alr_cli.core.solver_options import SolverOptions
from alr_cli.core.solver_parameters import FREE_ITERATIONS, FREE_SCALE
from alr_cli.core.solvers.adam import Adam
from alr_cli.core.solvers.base import Solver
from alr_cli.core.solvers.line_search import Nmapg
from alr_cli.core.tasks import Floats, Task, from_batch, in_frame, to_batch

RED_HELD = 15 / 255  # level of D in RED where known pixels are held
# Weights of TV: the best of four on three crops of validation pictures; for holes, three were alike
TV_BLUR, TV_HOLES = 4e-4, 1e-3


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
    problem = task.problem(to_batch(y), prior.margin, sigma)
    level = max(task.level(sigma) if sigma else RED_HELD, prior.sigma_range[0])
    if sigma and isinstance(prior, ChoosesLevel):
        level = prior.level(problem, level)
    whole = prior.lam(level)
    lam = whole * prior.gain(problem)
    regularizer = prior.at(level, Arithmetic(0, restorer.precision))
    free = Adam(steps or FREE_ITERATIONS, 0.0, FREE_SCALE)

    def go(of: Regularizer, solver: Solver, weight: float = lam) -> Course:
        return follow(problem, of, weight, solver, truth)

    yield name, single(restorer.restore(y, task, sigma).pixels, truth)
    if isinstance(regularizer, HasProx):
        yield f"PnP-GD, G of {name}", go(regularizer, free)
        if sigma > 0:
            implicit = choose(regularizer, problem, lam, sigma, SolverOptions("pnp-pgd", steps))
            yield f"PnP-PGD, G of {name}", go(regularizer, implicit)
        yield f"PnP-GD, x - D(x) of {name} (RED)", go(Red(regularizer, prior.channels), free)
    elif isinstance(regularizer, Anneals):
        yield f"PnP-GD, grad g of {name}", go(regularizer, free)
    if isinstance(regularizer, Denoises) and sigma > 0:
        admm = choose(regularizer, problem, whole, sigma, SolverOptions("admm", steps))
        yield f"PnP-ADMM, D of {name}", go(regularizer, admm, whole)


def total_variation(task: Task, y: Floats, sigma: float, truth: Floats) -> Course:
    """TV with the weight of the tuned blur and noise, in proportion to the variance of the noise, which is
    near the best one for each of `LEVELS`."""
    problem = task.problem(to_batch(y), TotalVariation.margin, sigma)
    weight = TV_HOLES if sigma == 0 else TV_BLUR * (sigma / UPSCALING_NOISE) ** 2
    regularizer = TotalVariation(channels=problem.y.shape[1])
    found = descend(problem, SquaredError(problem.y), regularizer, weight, Nmapg(300, 1e-4))
    return single(from_batch(problem.crop(found.x)), truth)


def single(pixels: Floats, truth: Floats) -> Course:
    """The course of a method of which only the result is known."""
    found = psnr(truth, pixels.clip(0, 1))
    return Course((float("inf") if found is None else found,), (), "", pixels)


def measure(
    pictures: Iterable[tuple[str, Floats]],
    restorers: Sequence[Restorer],
    seed: int,
    steps: int | None = None,
) -> Iterator[list[Score]]:
    """Every picture (H, W, 3) in every setting by every method. Yields the scores of each picture and
    setting."""
    for number, (picture, clean) in enumerate(pictures):
        for setting in settings(seed):
            task, sigma = setting.task(clean), setting.sigma
            y, truth = observe(task, clean, sigma, seed + number), in_frame(task, clean)
            found = [("tv", total_variation(task, y, sigma, truth))]
            found += [pair for each in restorers for pair in courses(each, task, y, sigma, truth, steps)]
            yield [
                Score(
                    picture, setting.name, method, course.last, course.best, len(course.changes), course.stop
                )
                for method, course in found
            ]


def table(scores: Sequence[Score], title: str) -> Table:
    """A row for each setting and method."""
    rows = []
    for (setting, method), group in grouped(scores).items():
        diverged = sum(score.stop == "diverged" for score in group)
        numbers = [f"{mean(score.last for score in group):.2f}", f"{mean(score.best for score in group):.2f}"]
        rows.append((setting, method, *numbers, str(diverged), str(len(group))))
    headings = ("setting", "method", "last [dB]", "best [dB]", "diverged", "pictures")
    return Table(f"reg: {title}", headings, tuple(rows), words=2)


def draw(scores: Sequence[Score]) -> bytes:
    """The mean PSNR of the last iterates of each method, for each setting. Returns a PNG."""
    from alr_cli import drawing

    settings = list(dict.fromkeys(score.setting for score in scores))
    figure = drawing.new(6.4, 4.4)
    axes = figure.subplots()
    for method in dict.fromkeys(score.method for score in scores):
        of_method = [score for score in scores if score.method == method]
        last = {setting: mean(s.last for s in group) for (setting, _), group in grouped(of_method).items()}
        places = [settings.index(setting) for setting in last]
        axes.plot(places, list(last.values()), "o", markersize=4, label=method)
    axes.set_xticks(range(len(settings)), settings, rotation=90, fontsize="x-small")
    axes.set_ylabel("PSNR [dB] of the last iterate")
    axes.legend(fontsize="x-small")
    return drawing.png(figure)


def grouped(scores: Sequence[Score]) -> dict[tuple[str, str], list[Score]]:
    """The scores of each setting and method."""
    groups: dict[tuple[str, str], list[Score]] = {}
    for score in scores:
        groups.setdefault((score.setting, score.method), []).append(score)
    return groups
