"""Energies for the tests of the solvers: quadratics with known minimisers, and random critics."""

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.energy import Energy
from alr_cli.core.operators.compose import Compose
from alr_cli.core.operators.convolution import Convolution, Downsample
from alr_cli.core.operators.kernels import parse_kernel
from alr_cli.core.operators.pixels import Crop, Identity, Mask
from alr_cli.core.operators.protocol import LinearOperator
from alr_cli.core.priors.local import LocalRegularizer
from alr_cli.core.solvers.adam import Adam
from alr_cli.core.solvers.line_search import GradientDescent, Nmapg
from tests.core.toys import Quadratic, a_critic, seeded, smoothness_critic

Method = Literal["adam", "gd", "nmapg"]
SOLVERS: dict[Method, type[Adam | GradientDescent | Nmapg]] = {
    "adam": Adam,
    "gd": GradientDescent,
    "nmapg": Nmapg,
}
HEIGHT, WIDTH = 8, 9
KERNEL = parse_kernel("gaussian:3:1")


def noise(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 7) -> Tensor:
    return torch.rand(*shape, generator=seeded(seed), dtype=dtype)


def some_pixels(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    return torch.rand(height, width, generator=seeded(8)) < 0.6


SHAPE = (HEIGHT, WIDTH)
OPERATORS: dict[str, LinearOperator] = {
    "identity": Identity(SHAPE),
    "blur": Convolution(KERNEL, SHAPE, "circular"),
    "valid blur": Convolution(KERNEL, SHAPE, "valid"),
    "mask": Mask(some_pixels()),
    "downsampling": Downsample(2, KERNEL, SHAPE, "reflect"),
    "crop": Crop(SHAPE, 2),
    "blur of a crop": Compose(Convolution(KERNEL, (HEIGHT - 2, WIDTH - 2), "reflect"), Crop(SHAPE, 1)),
}


def solver(
    method: Method, iterations: int | None = None, tol: float | None = None
) -> Adam | GradientDescent | Nmapg:
    """A solver by name, by default with its own number of steps and tolerance."""
    plain = SOLVERS[method]()
    return replace(
        plain,
        iterations=plain.iterations if iterations is None else iterations,
        tol=plain.tol if tol is None else tol,
    )


def quadratic(operator: LinearOperator, y: Tensor, lam: float | Tensor = 0.2, **how: float) -> Energy:
    pixels = operator.input_shape[0] * operator.input_shape[1]
    return Energy(operator, SquaredError(y), Quadratic(**how), lam, pixels)


def critic_energy(batch: int, activation: str = "relu", lam: float = 0.05) -> tuple[Energy, Tensor]:
    """Denoising with a random critic: nonconvex, and with kinks for "relu"."""
    critic = a_critic(width=8, depth=3, activation=activation, dtype=torch.float64)  # type: ignore[arg-type]
    problem = problems.denoising(noise(batch, 1, 14, 15), critic.patch - 1)
    regularizer = LocalRegularizer(critic)
    return Energy(problem.operator, SquaredError(problem.y), regularizer, lam, problem.pixels), problem.start


def staircase(batch: int) -> tuple[Energy, Tensor]:
    """Total variation of noise, whose kinks make the extrapolation overshoot."""
    problem = problems.denoising(noise(batch, 1, 14, 15), 14)
    regularizer = LocalRegularizer(smoothness_critic().double())
    return Energy(problem.operator, SquaredError(problem.y), regularizer, 0.3, problem.pixels), problem.start
