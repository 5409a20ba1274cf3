"""PSNR(x_k) against k, the passes of the critic: a comparison of solvers, from which the default was chosen

    python -m alr_cli.bench.studies.descents FOLDER WEIGHTS PICTURE.png

The pictures are the central 160 x 160 pixels of four pictures spread over the folder, with noise of sigma 0.1
that is not clipped, and the fitted lambda. One pass evaluates one grid of patches. fourier and adam use one
pass per step, alternating between grids. A gradient over all patches costs s^2 passes for a critic of stride
s. The step sizes of fourier and adam depend on the number of steps, so they are run separately for each k.

In addition to the solvers of core/solvers there are momentum (Polyak's heavy ball), L-BFGS (SciPy's, with ten
pairs), and adam started from the solution at half the resolution, where a pass counts as a quarter. fourier
exists for fields of experts only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from alr_cli import drawing
from alr_cli.bench.studies.tuning import crops
from alr_cli.core import problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.energy import Energy
from alr_cli.core.numerics import devices
from alr_cli.core.priors.glimpses import Turning
from alr_cli.core.priors.local import LocalPrior, LocalRegularizer
from alr_cli.core.priors.protocol import Arithmetic, Regularizer
from alr_cli.core.solvers.adam import Adam
from alr_cli.core.solvers.base import solve
from alr_cli.core.solvers.line_search import GradientDescent, Nmapg
from alr_cli.core.solvers.preconditioned import Preconditioned
from alr_cli.core.weights import Weights
from alr_cli.files.atomic import write_atomic
from alr_cli.files.weights import load_weights

SIGMA = 0.1
BUDGETS = (10, 15, 25, 35, 50, 75, 100, 200, 500)
_FRICTION = 0.9
_STYLES = {
    "fourier": (drawing.BLACK, "-"),
    "adam": (drawing.BLUE, "-"),
    "adam from half the resolution": (drawing.BLUE, ":"),
    "nmapg": (drawing.RED, "-"),
    "gd": (drawing.GREEN, "-"),
    "momentum": (drawing.GREEN, ":"),
    "L-BFGS": (drawing.ORANGE, "-"),
}

Floats = NDArray[np.float64]
Curve = list[tuple[float, float]]  # number of passes, PSNR in dB


class Counting:
    """A regularizer that counts its passes."""

    def __init__(self, regularizer: LocalRegularizer) -> None:
        self._regularizer = regularizer
        self.channels, self.margin = regularizer.channels, regularizer.margin
        self.grids = regularizer.stride**2
        self.count = 0

    def value_and_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.count += self.grids
        return self._regularizer.value_and_grad(x)


class Trial:
    """Crops, their noisy versions, and the energy of a critic."""

    def __init__(self, clean: Tensor, weights: Weights, precision: torch.dtype) -> None:
        """clean: (B, C, H, W)."""
        generator = torch.Generator().manual_seed(0)
        self.clean = clean
        self.y = clean + SIGMA * torch.randn(clean.shape, generator=generator)
        self.weights = weights
        self.local = cast(LocalPrior, weights.prior).at(SIGMA, Arithmetic(precision=precision))
        self.problem = problems.denoising(self.y, self.local.margin)

    def psnr(self, x: Tensor) -> float:
        errors = (self.problem.crop(x).clamp(0, 1) - self.clean).square().mean((1, 2, 3))
        return float(-10 * torch.log10(errors).mean())

    def energy(self, regularizer: Regularizer) -> Energy:
        problem = self.problem
        return Energy(
            problem.operator, SquaredError(self.y), regularizer, self.weights.lam(SIGMA), problem.pixels
        )

    def fourier(self, budgets: Sequence[int]) -> Curve:
        """For priors with a preconditioner. Empty for others."""
        preconditioner = self.local.preconditioner(self.problem, self.weights.lam(SIGMA))
        if preconditioner is None:
            return []
        energy = self.energy(Turning(self.local))
        ends = {k: solve(energy, self.problem.start, Preconditioned(preconditioner, k)) for k in budgets}
        return [(budget, self.psnr(end.x)) for budget, end in ends.items()]

    def adam(self, budgets: Sequence[int]) -> Curve:
        return self._adam(budgets, self.problem.start, 0.0)

    def adam_from_half(self, budgets: Sequence[int]) -> Curve:
        """Averages of 2 x 2 pixels have half the noise, and 25 steps on them cost about six passes here."""
        small = torch.nn.functional.avg_pool2d(self.y, 2)
        problem = problems.denoising(small, self.local.margin)
        energy = Energy(
            problem.operator,
            SquaredError(small),
            Turning(self.local),
            self.weights.lam(SIGMA / 2),
            problem.pixels,
        )
        coarse = problem.crop(solve(energy, problem.start, Adam(25)).x)
        start = torch.nn.functional.interpolate(coarse, size=self.y.shape[-2:], mode="bicubic")
        return self._adam(budgets, problems.extend(start, self.local.margin), 25 / 4)

    def _adam(self, budgets: Sequence[int], start: Tensor, spent: float) -> Curve:
        energy = self.energy(Turning(self.local))
        return [(spent + budget, self.psnr(solve(energy, start, Adam(budget)).x)) for budget in budgets]

    def traced(self, solver: type[GradientDescent | Nmapg], most: int) -> Curve:
        regularizer, curve = Counting(self.local), Curve()

        def note(record: object, x: Tensor) -> None:
            curve.append((regularizer.count, self.psnr(x)))

        budget = most // (2 * regularizer.grids)
        solve(self.energy(regularizer), self.problem.start, solver(iterations=budget, tol=0.0), note)
        return [point for point in curve if point[0] <= most]

    def momentum(self, most: int) -> Curve:
        regularizer, x = Counting(self.local), self.problem.start
        energy, velocity, curve = self.energy(regularizer), torch.zeros_like(x), Curve()
        while regularizer.count < most:
            velocity = _FRICTION * velocity - 0.2 * energy.natural_step * energy.value_and_grad(x)[1]
            x = x + velocity
            curve.append((regularizer.count, self.psnr(x)))
        return curve

    def lbfgs(self, most: int) -> Curve:
        regularizer, curve = Counting(self.local), Curve()
        energy, start = self.energy(regularizer), self.problem.start

        def as_picture(flat: Floats) -> Tensor:
            return torch.from_numpy(flat.reshape(start.shape).astype(np.float32))

        def value_and_grad(flat: Floats) -> tuple[float, Floats]:
            terms, gradient = energy.value_and_grad(as_picture(flat))
            unit = energy.natural_step  # in this unit the Hessian of the data term is 1
            return float(terms.energy.sum()) * unit, gradient.numpy().ravel().astype(np.float64) * unit

        def note(flat: Floats) -> None:
            curve.append((regularizer.count, self.psnr(as_picture(flat))))

        options = {"maxcor": 10, "maxfun": most // regularizer.grids, "ftol": 0.0, "gtol": 0.0}
        first = start.numpy().ravel().astype(np.float64)
        minimize(value_and_grad, first, jac=True, method="L-BFGS-B", callback=note, options=options)
        return curve


def curves(trial: Trial, budgets: Sequence[int] = BUDGETS) -> dict[str, Curve]:
    """The curve of each solver, by name."""
    most = max(budgets)
    descents: dict[str, Callable[[], Curve]] = {
        "fourier": lambda: trial.fourier(budgets),
        "adam": lambda: trial.adam(budgets),
        "adam from half the resolution": lambda: trial.adam_from_half(budgets),
        "nmapg": lambda: trial.traced(Nmapg, most),
        "gd": lambda: trial.traced(GradientDescent, most),
        "momentum": lambda: trial.momentum(most),
        "L-BFGS": lambda: trial.lbfgs(most),
    }
    with devices.flushed_denormals():
        found = {name: descent() for name, descent in descents.items()}
    return {name: curve for name, curve in found.items() if curve}


def draw(found: dict[str, Curve]) -> bytes:
    """A PNG of the curves."""
    figure = drawing.new()
    axes = figure.subplots()
    for name, curve in found.items():
        color, line = _STYLES[name]
        axes.plot(*zip(*curve, strict=True), line, color=color, label=name)
    best = max(score for curve in found.values() for _, score in curve)
    axes.set(xscale="log", xlabel="passes of the critic", ylabel="PSNR [dB]", xlim=(8, None))
    axes.set(ylim=(best - 2.5, best + 0.1))
    figure.legend(fontsize="small", loc="outside right center")
    return drawing.png(figure)


def main(folder: Path, weights: str, output: Path) -> None:
    """Draw the curves, and print PSNR after 25, 50 and 100 passes and at the end."""
    pictures = crops(sorted(folder.glob("*.png")))
    clean = torch.from_numpy(np.stack([pixels.transpose(2, 0, 1) for _, pixels in pictures]))
    precision = devices.choose_precision("auto", devices.choose("cpu"))
    found = curves(Trial(clean, load_weights(weights), precision))
    for name, curve in found.items():
        at = [max((point for point in curve if point[0] <= k), default=curve[0]) for k in (25, 50, 100, 1e9)]
        sys.stdout.write(f"{name}: {', '.join(f'{score:.2f} dB after {spent:g}' for spent, score in at)}\n")
    write_atomic(output, draw(found))


if __name__ == "__main__":
    typer.run(main)
