"""Fig. 1: r learned in the plane, compared with the true distance to a circle, and its gradient field"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from alr_cli import drawing
from alr_cli.bench.figures.learned_circle import RECIPE, Circle, learn
from alr_cli.bench.tables.layout import Table
from alr_cli.core.training.criteria import gradient_length

# half the side of the square; points per side of the map and of the arrows; points drawn
EDGE, FINE, COARSE, POINTS = 2.0, 121, 15, 150

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Field:
    """The learned function and what is drawn of it.

    Attributes:
        axis: Coordinates of the map, (n,).
        values: r minus its minimum, (n, n), with rows along y.
        grid: Points of the arrows, (m, 2).
        arrows: -grad r at these points, (m, 2).
        clean: Clean points, (k, 2).
        noisy: Noisy points, (k, 2).
        radii: Distances from the centre.
        profile: Mean of r at these distances, minus its minimum.
        correlation: Correlation of r with the true distance to the circle.
        slope: Slope of r against that distance.
        length: Mean of |grad r|.
    """

    axis: Floats
    values: Floats
    grid: Floats
    arrows: Floats
    clean: Floats
    noisy: Floats
    radii: Floats
    profile: Floats
    correlation: float
    slope: float
    length: float


def compute(seed: int = 0, iterations: int = RECIPE.iterations) -> Field:
    """Learn r and evaluate it, in a few seconds."""
    circle = Circle()
    critic = learn(circle, replace(RECIPE, seed=seed, iterations=iterations))
    axis = torch.linspace(-EDGE, EDGE, FINE)
    plane = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
    values = critic(plane.reshape(-1, 2)).reshape(FINE, FINE)
    disc = circle.distance(plane) < 1.0
    inside, truth = values[disc], circle.distance(plane)[disc]
    both = torch.stack([inside, truth])
    coarse = torch.linspace(-EDGE, EDGE, COARSE + 2)[1:-1]
    grid = torch.cartesian_prod(coarse, coarse)
    radii = torch.linspace(0, EDGE, FINE)
    angles = torch.linspace(0, 2 * np.pi, 33)[:-1]
    rays = radii[:, None, None] * torch.stack([angles.cos(), angles.sin()], dim=1)
    profile = critic(rays.reshape(-1, 2)).reshape(len(radii), -1).mean(dim=1)
    generator = torch.Generator().manual_seed(seed + 1)
    return Field(
        axis=axis.numpy(),
        values=(values - values.min()).numpy(),
        grid=grid.numpy(),
        arrows=-_gradient(critic, grid).numpy(),
        clean=circle.clean(POINTS, generator).numpy(),
        noisy=circle.noisy(POINTS, generator).numpy(),
        radii=radii.numpy(),
        profile=(profile - profile.min()).numpy(),
        correlation=float(torch.corrcoef(both)[0, 1]),
        slope=float(torch.cov(both)[0, 1] / truth.var()),
        length=float(gradient_length(critic, plane[disc]).detach().mean()),
    )


def table(field: Field) -> Table:
    """How close r is to the distance, evaluated within a distance of 1 from the circle."""
    rows = (
        ("correlation with the distance to the circle", f"{field.correlation:.3f}"),
        ("slope against that distance", f"{field.slope:.3f}"),
        ("mean length of the gradient", f"{field.length:.3f}"),
    )
    return Table("fig1: r learned in the plane", ("of r", "value"), rows)


def draw(field: Field) -> bytes:
    """A PNG with the map and its arrows, and with r along the radius beside the true distance."""
    figure = drawing.new(6.4, 3.1)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    shades = left.contourf(field.axis, field.axis, field.values, levels=16, cmap=drawing.MAP)
    figure.colorbar(shades, ax=left, label="r, less its minimum")
    left.quiver(*field.grid.T, *field.arrows.T, color="white", width=0.004)
    left.plot(*field.noisy.T, "x", color=drawing.RED, markersize=3, label="noisy")
    left.plot(*field.clean.T, "o", color="#56b4e9", markersize=2.5, label="clean")
    left.set(aspect="equal", xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), title="r and -grad r")
    left.legend(loc="upper right", fontsize="small")
    right.plot(field.radii, np.abs(field.radii - 1), "--", color=drawing.BLACK, label="true distance")
    right.plot(field.radii, field.profile, color=drawing.BLUE, label="learned r")
    right.set(xlabel="distance from the centre", ylabel="value", title="along the radius")
    right.legend(fontsize="small")
    return drawing.png(figure)


def _gradient(critic: nn.Module, points: torch.Tensor) -> torch.Tensor:
    leaf = points.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(leaf).sum(), leaf)
    return gradient
