"""Analysis and synthesis with a flow (Oberlin and Verm 2021, table 1), compared with classical methods

There are five tasks on pictures of the flow's size, all with a little noise: a uniform blur, means of 2 x 2
and of 4 x 4 pixels, random missing pixels, and a missing square. The paper does not state their sizes, so
these are ours. Every method minimises E with a weight that was chosen on training pictures (`WEIGHTS`, by
oberlin_weights.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, pstdev
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alr_cli.bench.studies.oberlin_tasks import SIGMA, Degradation, degradations
from alr_cli.bench.tables.layout import Table
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.defaults import choose, descend
from alr_cli.core.metrics import psnr, ssim
from alr_cli.core.priors.protocol import Prior, Regularizer
from alr_cli.core.priors.total_variation import TotalVariation
from alr_cli.core.problems import Problem
from alr_cli.core.solvers.base import Solver, solve
from alr_cli.core.solvers.lbfgs import Lbfgs
from alr_cli.core.solvers.line_search import Nmapg
from alr_cli.core.synthesis import HasLatents, Synthesis
from alr_cli.core.training.likelihood import at_size
from alr_cli.errors import UsageError
from alr_cli.files.folders import load_folder
from alr_cli.files.weights import load_weights

STARTS = 3  # random starts, in addition to the usual one
FEW = 5  # pictures that are also restored from random starts
ITERATIONS = 50

FLOW = "faces32-flow"

Pixels = NDArray[np.float32]

# Chosen by oberlin_weights.py for faces32-flow, on pictures it was trained on.
WEIGHTS: dict[str, dict[str, float]] = {
    "synthesis": {
        "blur 5 x 5": 0.000136,
        "means of 2 x 2": 0.000285,
        "means of 4 x 4": 5.77e-05,
        "60 % missing": 0.000491,
        "square 10 x 10": 0.000455,
    },
    "analysis": {
        "blur 5 x 5": 3.7e-06,
        "means of 2 x 2": 3.7e-06,
        "means of 4 x 4": 3.7e-06,
        "60 % missing": 5.81e-06,
        "square 10 x 10": 9.64e-06,
    },
    "total variation": {
        "blur 5 x 5": 0.00067,
        "means of 2 x 2": 0.001,
        "means of 4 x 4": 6.42e-05,
        "60 % missing": 0.000333,
        "square 10 x 10": 0.0052,
    },
    "color-tuned": {
        "blur 5 x 5": 0.000663,
        "means of 2 x 2": 0.0014,
        "means of 4 x 4": 0.000156,
        "60 % missing": 0.0014,
        "square 10 x 10": 0.00129,
    },
}


@runtime_checkable
class LatentRegularizer(HasLatents, Regularizer, Protocol):
    """A regularizer for either formulation."""


Restore = Callable[[Degradation, Tensor, float, Tensor | None], Tensor]


@dataclass(frozen=True)
class Method:
    """A restoration method.

    Attributes:
        name: Its name in the table.
        restore: (task, y (B, C, H', W'), weight, start or None for the usual one) -> x (B, C, H, W).
        weighted: Whether it has a weight to choose.
        random: Whether it is also run from random starts.
        tasks: Whether it can solve a task.
    """

    name: str
    restore: Restore
    weighted: bool = True
    random: bool = False
    tasks: Callable[[Degradation], bool] = lambda task: True


def methods(flow: LatentRegularizer, local: Prior) -> list[Method]:
    """The methods that are compared.

    Args:
        flow: For analysis and synthesis.
        local: The shipped prior that one would use without a flow.
    """
    solver = Lbfgs(ITERATIONS)
    return [
        Method("synthesis", synthesis(flow, solver), random=True),
        Method("analysis", analysis(flow, solver), random=True),
        Method("total variation", _total_variation),
        Method("color-tuned", _local(local)),
        Method("biharmonic", _biharmonic, weighted=False, tasks=lambda task: task.known is not None),
        Method("bicubic", _bicubic, weighted=False, tasks=lambda task: "means" in task.name),
    ]


def synthesis(flow: LatentRegularizer, solver: Solver) -> Restore:
    """Minimise over the latent."""

    def restore(task: Degradation, y: Tensor, weight: float, start: Tensor | None) -> Tensor:
        x = task.begin(y) if start is None else start
        size = x.shape[-2] * x.shape[-1]
        objective = Synthesis(task.operator, SquaredError(y), flow, weight, size)
        with torch.no_grad():
            return flow.picture(solve(objective, flow.latent(x), solver).x)

    return restore


def analysis(flow: LatentRegularizer, solver: Solver) -> Restore:
    """Minimise over the picture."""

    def restore(task: Degradation, y: Tensor, weight: float, start: Tensor | None) -> Tensor:
        problem = task.problem(y, flow.margin)
        problem = problem if start is None else replace_start(problem, start)
        return descend(problem, SquaredError(y), flow, weight, solver).x

    return restore


def replace_start(problem: Problem, start: Tensor) -> Problem:
    return Problem(problem.operator, problem.y, start.clone, problem.frame, holes=problem.holes)


def _total_variation(task: Degradation, y: Tensor, weight: float, start: Tensor | None) -> Tensor:
    problem = task.problem(y, TotalVariation.margin)
    regularizer = TotalVariation(y.shape[1])
    return problem.crop(descend(problem, SquaredError(y), regularizer, weight, Nmapg(300, 1e-4)).x)


def _local(prior: Prior) -> Restore:
    regularizer: Regularizer = prior.at(SIGMA)

    def restore(task: Degradation, y: Tensor, weight: float, start: Tensor | None) -> Tensor:
        problem = task.problem(y, prior.margin)
        solver = choose(regularizer, problem, weight, SIGMA)
        return problem.crop(descend(problem, SquaredError(y), regularizer, weight, solver).x)

    return restore


def _biharmonic(task: Degradation, y: Tensor, weight: float, start: Tensor | None) -> Tensor:
    from skimage.restoration import inpaint_biharmonic

    assert task.known is not None
    missing = task.known.numpy() == 0
    filled = [inpaint_biharmonic(p.permute(1, 2, 0).numpy(), missing, channel_axis=-1) for p in y]
    return torch.from_numpy(np.stack(filled)).permute(0, 3, 1, 2).float()


def _bicubic(task: Degradation, y: Tensor, weight: float, start: Tensor | None) -> Tensor:
    return task.begin(y)


@dataclass(frozen=True)
class Result:
    """The result for one picture.

    Attributes:
        start: 0 for the usual start, then the random ones.
    """

    task: str
    method: str
    picture: int
    start: int
    psnr: float
    ssim: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def count(flow: LatentRegularizer, local: Prior) -> int:
    """The number of reports of `measure`."""
    tasks = degradations(flow.size)
    return sum(method.tasks(task) for task in tasks for method in methods(flow, local))


def measure(
    pictures: Tensor,
    flow: LatentRegularizer,
    local: Prior,
    seed: int = 0,
    done: Callable[[str], None] = lambda what: None,
    weights: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Result]:
    """Every task with every method.

    Args:
        pictures: (n, C, size, size) on [0,1].
        flow: For analysis and synthesis.
        local: The prior to compare with.
        seed: Seed of masks, noise and starts.
        done: Is told about each task and method that is done.
        weights: Weights by method and task. None takes `WEIGHTS`.
    """
    weights, results = WEIGHTS if weights is None else weights, list[Result]()
    for task in degradations(pictures.shape[-1], seed):
        y = task.observe(pictures, seed)
        for method in methods(flow, local):
            if not method.tasks(task):
                continue
            weight = weights[method.name][task.name] if method.weighted else 0.0
            x = method.restore(task, y, weight, None)
            results += judged(task.name, method.name, 0, pictures, x)
            if method.random:
                few = min(FEW, len(pictures))
                begin = sample(flow, STARTS * few, seed)
                x = method.restore(task, torch.cat([y[:few]] * STARTS), weight, begin)
                for start, part in enumerate(torch.split(x, few), 1):
                    results += judged(task.name, method.name, start, pictures[:few], part)
            done(f"{task.name}: {method.name}")
    return results


def sample(flow: LatentRegularizer, count: int, seed: int) -> Tensor:
    """Pictures drawn from the flow, as random starts: (count, C, size, size)."""
    shape = flow.latent(torch.zeros(count, flow.channels, flow.size, flow.size)).shape
    with torch.no_grad():
        z = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        return flow.picture(0.7 * z).clamp(0, 1)


def judged(task: str, method: str, start: int, clean: Tensor, x: Tensor) -> list[Result]:
    results = []
    for number, (truth, estimate) in enumerate(zip(_pixels(clean), _pixels(x), strict=True)):
        peak, likeness = psnr(truth, estimate), ssim(truth, estimate)
        assert peak is not None and likeness is not None  # with noise no estimate is perfect
        results.append(Result(task, method, number, start, peak, likeness))
    return results


def table(results: Sequence[Result], title: str) -> Table:
    """A row for each task and method, with means and standard deviations over the pictures.

    For the first few pictures it also has the gain of random starts over the usual one, and the standard
    deviation between random starts, averaged over pictures.
    """
    rows = []
    for task in dict.fromkeys(result.task for result in results):
        for method in dict.fromkeys(result.method for result in results if result.task == task):
            mine = [r for r in results if r.task == task and r.method == method]
            usual = [r for r in mine if r.start == 0]
            rows.append(
                (
                    task,
                    method,
                    _spread([r.psnr for r in usual], ".2f"),
                    _spread([r.ssim for r in usual], ".3f"),
                    *_from_random_starts(mine),
                )
            )
    headings = ("task", "method", "PSNR [dB]", "SSIM", "random starts", "between them")
    return Table(title, headings, tuple(rows), words=2)


def _from_random_starts(results: Sequence[Result]) -> tuple[str, str]:
    random = [result for result in results if result.start > 0]
    if not random:
        return "-", "-"
    usual = {result.picture: result.psnr for result in results if result.start == 0}
    gain = mean(result.psnr - usual[result.picture] for result in random)
    pictures = {result.picture for result in random}
    between = [pstdev(r.psnr for r in random if r.picture == picture) for picture in pictures]
    return f"{gain:+.2f}", f"{mean(between):.2f}"


def _spread(values: Sequence[float], form: str) -> str:
    return f"{mean(values):{form}} ({pstdev(values):{form}})"


def _pixels(x: Tensor) -> list[Pixels]:
    return [np.ascontiguousarray(part.numpy().transpose(1, 2, 0)) for part in x]


def read(folder: str, size: int, limit: int | None = None) -> Tensor:
    """The pictures of a folder, scaled down to the flow's size: (n, 3, size, size) on [0,1]."""
    pictures = load_folder(Path(folder), 3, size).pictures[:limit]
    return torch.from_numpy(np.stack([at_size(picture, size) for picture in pictures])).float() / 255


def load(weights: str) -> tuple[LatentRegularizer, Prior]:
    """The flow of a weights file, and color-tuned. Raises WeightsError, and UsageError if there is no
    flow."""
    regularizer = load_weights(weights).prior.at(SIGMA)
    if not isinstance(regularizer, LatentRegularizer):
        raise UsageError(f"{weights} holds no flow: name one with -w, faces32-flow for instance")
    return regularizer, load_weights("color-tuned").prior
