"""Fig. 2 and 3: the scores r of clean and of noisy patches"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray

from alr_cli import drawing
from alr_cli.bench.degradations import Pixels
from alr_cli.bench.tables.layout import Table
from alr_cli.core.priors.protocol import HasScores, Regularizer
from alr_cli.core.restore import Restorer
from alr_cli.core.training.patches import PatchSource
from alr_cli.errors import InputError, UsageError
from alr_cli.files.folders import LUMA

SHOWN_SIGMA, SHOWN = 0.1, 8  # fig. 2: noise level of the lower row, and patches per row
SIGMAS, COUNT = (0.0, 0.05, 0.1, 0.15), 20_000  # fig. 3
AT_ONCE = 1000


@dataclass(frozen=True)
class Scored:
    """Patches at one noise level.

    Attributes:
        patches: (n, p, p, C).
        scores: (n,), ascending.
    """

    sigma: float
    patches: NDArray[np.float32]
    scores: NDArray[np.float32]


class Scoring(HasScores, Regularizer, Protocol):
    """A regularizer that assigns a score to each patch."""


def scoring(restorer: Restorer) -> Scoring:
    """The regularizer of a restorer at the geometric mean of its noise range.

    Raises UsageError if it does not score patches.
    """
    low, high = restorer.sigma_range
    regularizer = restorer.prior.at((low * high) ** 0.5)
    if not isinstance(regularizer, HasScores):
        raise UsageError(
            f"{restorer.weights.name} assigns no scores to patches: choose other weights with -w"
        )
    return cast(Scoring, regularizer)


def compute(
    regularizer: Scoring, pictures: Sequence[Pixels], sigmas: Sequence[float], count: int, seed: int = 0
) -> list[Scored]:
    """Draw `count` random patches for each noise level, and compute their scores.

    Args:
        regularizer: Assigns the scores.
        pictures: Clean pictures, as `fitted` returns them.
        sigmas: Noise levels.
        count: Patches for each level.
        seed: Seed of patches and noise.
    """
    source, generator = PatchSource(pictures, regularizer.margin + 1), torch.Generator().manual_seed(seed)
    found = []
    for sigma in sigmas:
        patches = source.sample(count, generator)
        patches = patches + sigma * torch.randn(patches.shape, generator=generator)
        batches = torch.split(patches, AT_ONCE)
        scores = torch.cat([regularizer.scores(part).reshape(-1) for part in batches])
        order = scores.argsort()
        found.append(Scored(sigma, patches[order].permute(0, 2, 3, 1).numpy(), scores[order].numpy()))
    return found


def fitted(picture: Pixels, regularizer: Regularizer) -> Pixels:
    """The picture (H, W, C) with the regularizer's number of channels. Colour becomes luma for a gray one.

    Raises InputError if the channels do not fit, or if the picture is smaller than a patch.
    """
    patch, channels = regularizer.margin + 1, regularizer.channels
    if min(picture.shape[:2]) < patch:
        size = f"{picture.shape[1]} x {picture.shape[0]}"
        raise InputError(f"a picture of {size} contains no {patch} x {patch} patch: leave it out")
    if picture.shape[2] == channels:
        return picture
    if channels == 1:
        return np.asarray(picture @ LUMA)[..., None]
    raise InputError(
        "the picture is gray and the critic is for colour: leave it out, or choose a gray critic"
    )


def quantiles(scored: Scored, count: int) -> Scored:
    """`count` of the patches, evenly spread from the lowest score to the highest."""
    chosen = np.linspace(0, len(scored.scores) - 1, count).round().astype(int)
    return Scored(scored.sigma, scored.patches[chosen], scored.scores[chosen])


def separation(clean: Scored, noisy: Scored) -> float:
    """The share of pairs of a clean and a noisy patch in which the noisy one has the higher score."""
    below = np.searchsorted(clean.scores, noisy.scores)
    return float(below.mean() / len(clean.scores))


def table(scored: Sequence[Scored], title: str) -> Table:
    """Mean and spread of the scores at each noise level. For the last column see `separation`."""
    rows = tuple(
        (
            f"{each.sigma:g}",
            f"{each.scores.mean():.4g}",
            f"{each.scores.std():.4g}",
            *(f"{value:.4g}" for value in np.quantile(each.scores, (0.05, 0.95))),
            f"{separation(scored[0], each):.3f}",
        )
        for each in scored
    )
    return Table(title, ("sigma", "mean r", "std of r", "5 % below", "95 % below", "above clean"), rows)


def draw_patches(rows: Sequence[Scored]) -> bytes:
    """A PNG of fig. 2: a row of patches for each noise level, sorted by their scores."""
    count = len(rows[0].scores)
    figure = drawing.new(6.4, 1.05 * len(rows))
    grid = np.atleast_2d(figure.subplots(len(rows), count))
    for axes, scored in zip(grid, rows, strict=True):
        for axis, patch, score in zip(axes, scored.patches, scored.scores, strict=True):
            axis.imshow(
                np.clip(patch if patch.shape[2] == 3 else patch[..., 0], 0, 1), cmap="gray", vmin=0, vmax=1
            )
            axis.set(xticks=[], yticks=[])
            axis.set_title(f"{score:.3g}", fontsize=8)
        axes[0].set_ylabel(f"sigma {scored.sigma:g}", fontsize=8)
    return drawing.png(figure)


def draw_histograms(scored: Sequence[Scored]) -> bytes:
    """A PNG of fig. 3: the histograms of r at each noise level, one below the other with a common axis."""
    figure = drawing.new(6.4, 0.9 * len(scored) + 0.6)
    axes = np.atleast_1d(figure.subplots(len(scored), 1, sharex=True))
    low, high = np.quantile(np.concatenate([each.scores for each in scored]), (0.002, 0.998))
    edges = np.linspace(low, max(high, low + 1e-6), 81)
    colours = (drawing.BLUE, drawing.GREEN, drawing.ORANGE, drawing.RED)
    for index, (axis, each) in enumerate(zip(axes, scored, strict=True)):
        axis.hist(each.scores, edges, density=True, color=colours[index % len(colours)])
        axis.axvline(float(each.scores.mean()), color=drawing.BLACK, linestyle="--", linewidth=1)
        axis.set_ylabel(f"sigma {each.sigma:g}")
        axis.set_yticks([])
    axes[-1].set_xlabel("r of a patch; dashed: the mean")
    return drawing.png(figure)
