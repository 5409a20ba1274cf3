"""Analysis and synthesis by gradient descent with a fixed step, as in the paper of Oberlin and Verm (2021)

    python -m alr_cli.bench.studies.oberlin_descents TRAIN TEST FLOW

prints a table of three of their tasks. TRAIN contains pictures that the flow was trained on, on three of
which the weights are chosen, and TEST others. Both formulations run for the same number of iterations from
the same picture. Their step size is the largest of 1 / L, 1 / 2 L, 1 / 4 L and so on for which E falls.
`alr benchmark oberlin` uses L-BFGS instead.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import cast

import typer
from torch import Tensor

from alr_cli.bench.studies.lines import say
from alr_cli.bench.studies.oberlin import ITERATIONS, Restore, analysis, judged, load, read, synthesis
from alr_cli.bench.studies.oberlin_tasks import Degradation, degradations
from alr_cli.bench.studies.oberlin_weights import SEED, spread
from alr_cli.core.priors.flow import FlowRegularizer
from alr_cli.core.priors.glow import Glow
from alr_cli.core.solvers.line_search import GradientDescent
from alr_cli.files.weights import load_weights

TASKS = (0, 1, 3)  # blur, means of 2 x 2 and random missing pixels: where the paper has analysis far ahead
WEIGHTS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
TEST = 15  # pictures

Start = Callable[[Degradation, Tensor], Tensor]
# The paper does not say which picture it starts from.
STARTS: dict[str, Start] = {
    "guess": lambda task, y: task.begin(y),
    "A* y": lambda task, y: task.operator.adjoint(y),
}


def methods(flow: Glow, iterations: int = ITERATIONS) -> dict[str, Restore]:
    """Synthesis, the paper's analysis, and analysis with -2 log p(x), each by gradient descent."""
    norm, density = FlowRegularizer(flow, volume=0.0), FlowRegularizer(flow)
    solver = GradientDescent(iterations, tol=0.0, adapts=False)
    return {
        "synthesis": synthesis(norm, solver),
        "analysis": analysis(norm, solver),
        "with log-determinant": analysis(density, solver),
    }


def quality(
    restore: Restore, task: Degradation, start: Start, weight: float, clean: Tensor, seed: int
) -> float:
    """The mean PSNR in dB over pictures (n, C, size, size)."""
    y = task.observe(clean, seed)
    x = restore(task, y, weight, start(task, y))
    return mean(result.psnr for result in judged(task.name, "", 0, clean, x))


def main(train: str, test: str, weights: str) -> None:
    size = load(weights)[0].size  # refuses weights that are no flow
    flow = cast(Glow, load_weights(weights).prior.network)
    known, unknown = spread(read(train, size)), read(test, size, TEST)
    say(f"{'task':<16} {'start':<7} {'method':<22} {'weight':>7} {'training':>9} {'test':>7}")
    for number in TASKS:
        training, testing = degradations(size, SEED)[number], degradations(size)[number]
        for place, start in STARTS.items():
            for name, restore in methods(flow).items():
                tried = {w: quality(restore, training, start, w, known, SEED) for w in WEIGHTS}
                weight = max(tried, key=lambda w: tried[w])
                last = quality(restore, testing, start, weight, unknown, 0)
                psnrs = f"{tried[weight]:>9.2f} {last:>7.2f}"
                say(f"{training.name:<16} {place:<7} {name:<22} {weight:>7g} {psnrs}")


if __name__ == "__main__":
    typer.run(main)
