"""P_c and P_n given the same content: p(patch) = sum_cells q(cell) p(patch | cell), with the same q on both
sides

Two folders of different scenes differ in more than noise. One may have more sky, the other more grass, and a
critic learns this as easily as the noise. Every place of every picture is therefore assigned to a cell by its
brightness, activity and tint. These are measured so coarsely that noise hardly matters, and the contribution
of noise is subtracted. Clean and noisy patches are drawn in pairs from the same cell, with q(cell)
proportional to sqrt(p_clean p_noisy), and then rotated, mirrored and exposed by the same random law.
`separability` measures what still distinguishes the sides; 1/2 is best.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.training.adversarial import Batch
from alr_cli.core.training.patches import PatchSource, as_float

Floats = NDArray[np.float64]

BLOCK = 16  # side in pixels of the block by which a place is classified
COARSE = 4  # side in pixels of the averages, so that little noise is left
BRIGHTNESSES, ACTIVITIES = 10, 6
# standard deviation of the coarse picture; each class of activity is twice as wide as the previous one
LEAST_ACTIVITY = 0.012
TINTS = (-0.1, -0.03, 0.03, 0.1)  # bounds between the classes of a colour difference
FEWEST = 20  # number of places that a cell must have on both sides
_PAIRS = 40_000  # pairs for measuring what matching leaves
LEAST_SHARE = 0.3  # share of either side that must find a match; otherwise the cells are too fine
EXPOSURE, TINT = 0.25, 0.05  # half the range of the logarithm of the gain, for all channels and for each


@dataclass(frozen=True)
class Places:
    """Blocks of a set of pictures.

    Attributes:
        picture, row, column: (n,), the picture and the first pixel of each block.
        content: (n, 4): luma, standard deviation of the coarse luma, and two colour differences.
    """

    picture: NDArray[np.int64]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    content: Floats

    def cells(self, detail: int) -> NDArray[np.int64]:
        """The number of each place's cell, (n,).

        detail: 2 uses brightness, activity and tint; 1 brightness and activity; 0 nothing.
        """
        luma, activity, *tints = self.content.T
        bright = np.clip(luma * BRIGHTNESSES, 0, BRIGHTNESSES - 1).astype(np.int64)
        doublings = np.log2(np.maximum(activity / LEAST_ACTIVITY, 1e-6))
        active = np.clip(np.floor(doublings) + 1, 0, ACTIVITIES - 1).astype(np.int64)
        number: NDArray[np.int64] = bright * ACTIVITIES + active if detail else np.zeros_like(bright)
        for tint in tints if detail == 2 else ():
            number = number * (len(TINTS) + 1) + np.searchsorted(TINTS, tint)
        return number


def survey(pictures: Sequence[np.ndarray], noise: Sequence[NoiseModel] = ()) -> Places:
    """Places on a grid over all pictures (H, W, C), uint8 or float.

    `noise` is that of each picture, which is subtracted from its activity. It is empty for pictures without
    noise.
    """
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Floats]] = []
    models: Sequence[NoiseModel | None] = noise or [None] * len(pictures)
    for number, (picture, model) in enumerate(zip(pictures, models, strict=True)):
        height, width = (side // COARSE for side in picture.shape[:2])
        cropped = as_float(picture[: height * COARSE, : width * COARSE])
        coarse = cropped.reshape(height, COARSE, width, COARSE, -1).mean(axis=(1, 3)).astype(np.float64)
        across = BLOCK // COARSE
        if height < across or width < across:
            continue
        views = np.lib.stride_tricks.sliding_window_view(coarse, (across, across), axis=(0, 1))[::2, ::2]
        mean = views.mean(axis=(-1, -2))
        variance = views.mean(axis=2).var(axis=(-1, -2)) * across**2 / (across**2 - 1)
        if model is not None:
            variance = np.maximum(variance - _left_over(model, mean), 0)
        rows, columns = np.indices(variance.shape) * 2 * COARSE
        content = np.stack([mean.mean(axis=-1), np.sqrt(variance), *_tints(mean)], axis=-1)
        place = (np.full(variance.size, number), rows.ravel(), columns.ravel(), content.reshape(-1, 4))
        found.append(place)
    if not found:
        raise ValueError(f"no picture has {BLOCK} x {BLOCK} pixels")
    return Places(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def _tints(mean: Floats) -> tuple[Floats, Floats]:
    """Red against green and blue against green, 0 in gray."""
    middle = mean.shape[-1] // 2
    return mean[..., 0] - mean[..., middle], mean[..., -1] - mean[..., middle]


def _left_over(model: NoiseModel, mean: Floats) -> Floats:
    """The variance of noise in the coarse luma, a mean over 4 x 4 pixels and the channels."""
    lags = np.abs(np.subtract.outer(np.arange(COARSE), np.arange(COARSE)))
    lags = np.minimum(lags, model.correlation.shape[-1] - 1)
    space = model.correlation[:, :, lags][..., lags].mean(axis=(2, 3, 4, 5))
    sigma = model.sigma_at(mean)
    result: Floats = np.einsum("...a,ab,...b->...", sigma, space, sigma) / model.channels**2
    return result


class Matching:
    """Pairs of places with similar content, as similar as the two sides allow.

    `detail` is how finely content is distinguished (see `Places.cells`). It is 0 if the sides are too small
    or too different for any matching.

    Args:
        clean, noisy: All places of either side.
    """

    def __init__(self, clean: Places, noisy: Places) -> None:
        for self.detail in (2, 1, 0):
            cells = [side.cells(self.detail) for side in (clean, noisy)]
            size = 1 + max(int(side.max()) for side in cells)
            numbers = np.stack([np.bincount(side, minlength=size) for side in cells])
            shared = numbers.min(axis=0) >= (FEWEST if self.detail else 1)
            if (numbers[:, shared].sum(axis=1) >= LEAST_SHARE * numbers.sum(axis=1)).all():
                break
        shares = np.where(shared, np.sqrt(numbers.prod(axis=0, dtype=np.float64)), 0.0)
        self.shares = torch.from_numpy(shares / shares.sum())
        self._orders = [torch.from_numpy(np.argsort(side, kind="stable")) for side in cells]
        self._numbers = list(torch.from_numpy(numbers))
        self._starts = [torch.cumsum(number, 0) - number for number in self._numbers]

    def pairs(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Indices of clean and noisy places, (count,) each, in pairs from the same cell."""
        cell = torch.multinomial(self.shares, count, replacement=True, generator=generator)
        clean, noisy = (
            order[start[cell] + (torch.rand(count, generator=generator) * number[cell]).long()]
            for order, start, number in zip(self._orders, self._starts, self._numbers, strict=True)
        )
        return clean, noisy


class MatchedPatches:
    """Clean and noisy patches of similar content from two sets of pictures."""

    def __init__(
        self, clean: PatchSource, noisy: PatchSource, clean_places: Places, noisy_places: Places
    ) -> None:
        self.clean, self.noisy = clean, noisy
        self.matching = Matching(clean_places, noisy_places)
        self._places = [
            [torch.from_numpy(part) for part in (places.picture, places.row, places.column)]
            for places in (clean_places, noisy_places)
        ]

    def batch(self, count: int, generator: torch.Generator) -> Batch:
        """Clean and noisy patches, (count, C, p, p) each."""
        chosen = self.matching.pairs(count, generator)
        clean, noisy = (
            varied(source.take(*(part[index] for part in places)), generator)
            for source, places, index in zip((self.clean, self.noisy), self._places, chosen, strict=True)
        )
        return Batch(noisy, clean, None)


def content_bias(matching: Matching, clean: Places, noisy: Places) -> tuple[float, float]:
    """The separability of the two sides as they are, and as `matching` pairs them."""
    a, b = (index.numpy() for index in matching.pairs(_PAIRS, torch.Generator().manual_seed(0)))
    return separability(clean.content, noisy.content), separability(clean.content[a], noisy.content[b])


def varied(patches: Tensor, generator: torch.Generator) -> Tensor:
    """The patches (B, C, p, p), each rotated, mirrored and exposed at random."""
    count, channels = patches.shape[:2]
    turn = torch.randint(8, (count,), generator=generator)
    turned = torch.where((turn & 1).bool().reshape(-1, 1, 1, 1), patches.flip(-1), patches)
    turned = torch.where((turn & 2).bool().reshape(-1, 1, 1, 1), turned.flip(-2), turned)
    turned = torch.where((turn & 4).bool().reshape(-1, 1, 1, 1), turned.mT, turned)
    both, each = (torch.rand(count, n, 1, 1, generator=generator) * 2 - 1 for n in (1, channels))
    return turned * torch.exp(EXPOSURE * both + TINT * each)


def separability(clean: Floats, noisy: Floats) -> float:
    """How well content (n, 4) alone distinguishes the sides: 1/2 for not at all, 1 for perfectly.

    It is the area under the ROC curve of the best linear function of the content, its squares and its
    products (Fisher's discriminant), fitted on every second place and measured on the others.
    """
    features = _features(np.concatenate([clean, noisy]))
    sides = features[: len(clean)], features[len(clean) :]
    odd, even = ([side[start::2] for side in sides] for start in (1, 0))
    spread = np.cov(even[0], rowvar=False) + np.cov(even[1], rowvar=False)
    spread += 1e-6 * np.eye(len(spread))
    direction = np.linalg.solve(spread, even[1].mean(axis=0) - even[0].mean(axis=0))
    scores = [side @ direction for side in odd]
    first, second = (len(score) for score in scores)
    ranks = rankdata(np.concatenate(scores))[first:]
    return float((ranks.sum() - second * (second + 1) / 2) / (first * second))


def _features(content: Floats) -> Floats:
    """(n, 4) -> (n, 14): of mean 0 and deviation 1, their squares and their products."""
    basic = content.copy()
    basic[:, 1] = np.log(np.maximum(content[:, 1], LEAST_ACTIVITY))
    basic = (basic - basic.mean(axis=0)) / (basic.std(axis=0) + 1e-9)
    products = [basic[:, i] * basic[:, j] for i in range(4) for j in range(i + 1)]
    return np.concatenate([basic, np.stack(products, axis=1)], axis=1)
