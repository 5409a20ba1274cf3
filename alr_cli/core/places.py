"""Places that show what a restoration does: its largest change, fine texture, a clean edge, a flat area

They are found by the gradient g of the restored luminance. Texture has a large median of g; an edge has a
large 98 % quantile and a small median; a flat area has a small 98 % quantile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BRIGHT, _DARK = 0.85, 0.15  # beyond these brightnesses little of the noise is visible


@dataclass(frozen=True)
class Place:
    """A square of the picture: rows top to top + side, columns left to left + side.

    `kind` says what it shows.
    """

    kind: str
    top: int
    left: int
    side: int

    def of(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """This part of (H, W, ...)."""
        return pixels[self.top : self.top + self.side, self.left : self.left + self.side]


def informative_places(
    before: NDArray[np.float32], after: NDArray[np.float32], side: int = 112
) -> tuple[Place, ...]:
    """One to four squares that do not overlap, of pictures (H, W, C) on [0,1]."""
    height, width = after.shape[:2]
    side = min(side, height, width)
    gray = after.mean(axis=2)
    slope = np.hypot(*np.gradient(gray)) if min(gray.shape) > 1 else np.zeros_like(gray)
    change = np.square(after - before).mean(axis=2)
    corners = [(top, left) for top in _starts(height, side) for left in _starts(width, side)]
    windows = [(slice(top, top + side), slice(left, left + side)) for top, left in corners]
    middle = np.array([np.median(slope[window]) for window in windows])
    steep = np.array([np.quantile(slope[window], 0.98) for window in windows])
    level = np.array([gray[window].mean() for window in windows])
    shown = np.where((level > _DARK) & (level < _BRIGHT), 1.0, 0.2)
    merits = {
        "change": np.array([change[window].mean() for window in windows]),
        "texture": middle * shown,
        "edge": (steep - 2 * middle) * shown,
        "even": shown / (steep + 1e-3),
    }
    chosen: list[Place] = []
    for kind, merit in merits.items():
        for index in np.argsort(-merit, kind="stable"):
            top, left = corners[index]
            place = Place(kind, top, left, side)
            if all(_apart(place, other) for other in chosen):
                chosen.append(place)
                break
    return tuple(chosen)


def _starts(length: int, side: int) -> list[int]:
    """Where squares begin along one axis: at every half of a side, and flush with the end."""
    return sorted({*range(0, length - side + 1, max(side // 2, 1)), length - side})


def _apart(a: Place, b: Place) -> bool:
    return abs(a.top - b.top) >= a.side or abs(a.left - b.left) >= a.side
