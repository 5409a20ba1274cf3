"""The weights of `alr benchmark oberlin`: for each method and task the one with the highest PSNR

    python -m alr_cli.bench.studies.oberlin_weights FOLDER FLOW [--only METHOD]

prints `WEIGHTS`. FOLDER contains pictures that the flow was trained on; three of them, spread over the
folder, are used, so that no method sees a test picture. All methods are treated alike: the search starts from
one guess for all tasks and proceeds by factors of 3, and then of sqrt(3).
"""

from __future__ import annotations

import sys
from statistics import mean

import typer
from torch import Tensor

from alr_cli.bench.studies.oberlin import Method, judged, load, methods, read
from alr_cli.bench.studies.oberlin_tasks import Degradation, degradations
from alr_cli.core.training.calibration import maximise_in_log

COUNT = 3  # pictures
SEED = 1  # seed of noise and mask, different from the benchmark's
GUESS = {"synthesis": 1e-4, "analysis": 1e-4, "total variation": 1e-3, "color-tuned": 3e-5}


def best(method: Method, task: Degradation, pictures: Tensor) -> tuple[float, float]:
    """The weight with the highest mean PSNR among those tried, and that PSNR."""
    y, tried = task.observe(pictures, SEED), dict[float, float]()

    def quality(weight: float) -> float:
        x = method.restore(task, y, weight, None)
        tried[weight] = mean(result.psnr for result in judged(task.name, method.name, 0, pictures, x))
        return tried[weight]

    quality(maximise_in_log(quality, GUESS[method.name], factor=3.0, refinements=1))
    weight = max(tried, key=lambda weight: tried[weight])
    return weight, tried[weight]


def spread(pictures: Tensor) -> Tensor:
    """`COUNT` of at least that many pictures, at equal distances."""
    return pictures[len(pictures) // (2 * COUNT) :: len(pictures) // COUNT][:COUNT]


def main(folder: str, weights: str, only: str | None = None) -> None:
    flow, local = load(weights)
    pictures = spread(read(folder, flow.size))
    for method in methods(flow, local):
        if not method.weighted or only not in (None, method.name):
            continue
        sys.stdout.write(f'    "{method.name}": {{\n')
        for task in degradations(pictures.shape[-1], SEED):
            weight, quality = best(method, task, pictures)
            sys.stdout.write(f'        "{task.name}": {weight:.3g},  # {quality:.2f} dB\n')
            sys.stdout.flush()
        sys.stdout.write("    },\n")


if __name__ == "__main__":
    typer.run(main)
