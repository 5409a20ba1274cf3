"""Plots of E(x_l), its two terms and the PSNR against l, and of the map of r: where the critic sees noise"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alr_cli import drawing

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Moment:
    """One iteration, with energy = data_term + lam * regularizer.

    Attributes:
        iteration: Its number.
        energy, regularizer: None for a prior that has only a gradient.
        data_term: The data term.
        psnr: In dB; None without a reference.
        slope: The root mean square of lam times the gradient of the regularizer, if there is no energy.
    """

    iteration: int
    energy: float | None
    data_term: float
    regularizer: float | None
    psnr: float | None
    slope: float | None = None


def draw_trace(moments: Sequence[Moment]) -> bytes:
    """Plot the energy and its terms, and below them the PSNR if it is known. Returns a PNG.

    Where there is no energy, the data term is drawn with the size of the gradient of the regularizer.
    """
    measured = [moment for moment in moments if moment.psnr is not None]
    figure = drawing.new(6.4, 4.4 if measured else 3.0)
    rows = 2 if measured else 1
    grid = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=(1.6, 1)[:rows])
    terms, iterations = grid[0, 0], [moment.iteration for moment in moments]
    data = [moment.data_term for moment in moments]
    energy = [moment.energy for moment in moments if moment.energy is not None]
    terms.plot(iterations, data, "--", color=drawing.BLUE, label="data term")
    if len(energy) == len(moments):  # it is known at all iterations or at none
        rest = [whole - part for whole, part in zip(energy, data, strict=True)]
        terms.plot(iterations, energy, color=drawing.BLACK, label="energy")
        terms.plot(iterations, rest, ":", color=drawing.RED, label="lambda x regularizer")
    slopes = [(moment.iteration, moment.slope) for moment in moments if moment.slope is not None]
    if slopes:
        other = terms.twinx()
        lines = other.semilogy(*zip(*slopes, strict=True), ":", color=drawing.RED, label="|lambda G(x)|")
        terms.plot([], [], ":", color=drawing.RED, label=lines[0].get_label())
        other.set_ylabel("size of the gradient")
    terms.legend(fontsize="small")
    terms.set_ylabel("data term, no energy" if slopes else "energy")
    if measured:
        quality = grid[1, 0]
        quality.plot(
            [moment.iteration for moment in measured],
            [moment.psnr for moment in measured],
            color=drawing.GREEN,
        )
        quality.set_ylabel("PSNR [dB]")
    grid[-1, 0].set_xlabel("iteration")
    return drawing.png(figure)


def draw_scores(observed: Floats, restored: Floats, before: Floats, after: Floats) -> bytes:
    """Plot two pictures (H, W, C), and below each the score of the patch around each pixel (H, W), on one
    scale.
    Returns a PNG."""
    height, width = before.shape
    panel = 6.4 / 2.3
    figure = drawing.new(6.4, min(2 * panel * height / width + 0.6, 12.0))
    grid = figure.subplots(2, 2)
    for axis, pixels, name in zip(grid[0], (observed, restored), ("observed", "restored"), strict=True):
        shown = np.clip(pixels, 0, 1)
        axis.imshow(shown if shown.shape[2] == 3 else shown[..., 0], cmap="gray", vmin=0, vmax=1)
        axis.set_title(name)
    low, high = np.quantile(np.concatenate([before.ravel(), after.ravel()]), (0.005, 0.995))
    for axis, scores in zip(grid[1], (before, after), strict=True):
        drawn = axis.imshow(scores, cmap=drawing.MAP, vmin=low, vmax=max(high, low + 1e-9))
        axis.set_title(f"r, mean {scores.mean():.3g}")
    for axis in grid.ravel():
        axis.set_axis_off()
    figure.colorbar(drawn, ax=grid[1], label="r around a pixel")
    return drawing.png(figure)
