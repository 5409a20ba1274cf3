"""Boxes around groups of missing pixels, which suffice to restore the picture

If known pixels are kept exactly, the energy depends on a missing pixel only through the patches that contain
it, so pixels further away than a patch do not matter. Boxes that extend this far beyond their holes have the
same minimiser as the whole picture. Solvers agree within one level of 8 bits (docs/performance.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Window = tuple[slice, slice]

_CELL = 4  # pixels; boxes are aligned to this multiple of the distance between patches
_MOST = 0.7  # share of the picture above which boxes save nothing


def windows(missing: NDArray[np.bool_], reach: int) -> list[Window] | None:
    """Disjoint boxes that contain all missing pixels and `reach` more pixels on each side, up to the frame.

    Args:
        missing: (H, W), True where a pixel is missing.
        reach: Pixels.

    Returns:
        The boxes, or None if they would cover most of the picture.
    """
    from scipy import ndimage  # its import takes as long as a third of torch's

    height, width = missing.shape
    shape = math.ceil(height / _CELL), math.ceil(width / _CELL)
    cells = np.zeros(shape, bool)
    rows, columns = np.nonzero(missing)
    cells[rows // _CELL, columns // _CELL] = True
    grown = ndimage.maximum_filter(cells, 2 * math.ceil(reach / _CELL) + 1)
    boxes = _apart(ndimage.find_objects(ndimage.label(grown)[0]))
    covered = sum((down.stop - down.start) * (across.stop - across.start) for down, across in boxes)
    if covered > _MOST * cells.size:
        return None
    return [(_pixels(down, height), _pixels(across, width)) for down, across in boxes]


def _pixels(cells: slice, size: int) -> slice:
    return slice(_CELL * cells.start, min(_CELL * cells.stop, size))


def _apart(boxes: Sequence[Window]) -> list[Window]:
    """Merge overlapping boxes until no two overlap."""
    left, apart = list(boxes), list[Window]()
    while left:
        box = left.pop()
        others = [other for other in apart if _overlap(box, other)]
        if others:
            apart = [other for other in apart if not _overlap(box, other)]
            left.append(_around([box, *others]))
        else:
            apart.append(box)
    return apart


def _overlap(one: Window, other: Window) -> bool:
    return all(a.start < b.stop and b.start < a.stop for a, b in zip(one, other, strict=True))


def _around(boxes: Sequence[Window]) -> Window:
    down, across = (
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )
    return down, across
