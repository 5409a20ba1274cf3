"""Fig. 4 and 5: details of observed, restored and clean pictures, with their PSNR"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from alr_cli import drawing
from alr_cli.bench.bundled import middle
from alr_cli.bench.degradations import Pixels
from alr_cli.bench.runs import Done

SIDE = 160  # pixels of the central detail that is shown; PSNR is that of the whole picture


@dataclass(frozen=True)
class Panel:
    """One picture of a row.

    Attributes:
        psnr: In dB. None for the clean picture.
    """

    title: str
    pixels: Pixels
    psnr: float | None


def rows_of(results: Sequence[Done]) -> list[list[Panel]]:
    """A row for each picture and setting: the results in their order, and then the clean picture."""
    rows: dict[tuple[str, str], list[Panel]] = {}
    clean: dict[tuple[str, str], Pixels] = {}
    for done in results:
        assert done.estimate is not None
        key = (done.score.picture, str(done.score.setting))
        rows.setdefault(key, []).append(
            Panel(done.score.method, middle(done.estimate, SIDE), done.score.metrics.psnr)
        )
        clean[key] = middle(done.clean, SIDE)
    return [[*panels, Panel("clean", clean[key], None)] for key, panels in rows.items()]


def draw(rows: Sequence[Sequence[Panel]]) -> bytes:
    """A PNG. A row has fewer panels if a method failed."""
    columns = max(len(row) for row in rows)
    width = 6.4
    figure = drawing.new(width, len(rows) * (width / columns + 0.35))
    grid = np.asarray(figure.subplots(len(rows), columns, squeeze=False))
    for axes, row in zip(grid, rows, strict=True):
        for axis in axes:
            axis.set_axis_off()
        for axis, panel in zip(axes, row, strict=False):
            pixels = np.clip(panel.pixels, 0, 1)
            axis.imshow(pixels if pixels.shape[2] == 3 else pixels[..., 0], cmap="gray", vmin=0, vmax=1)
            number = "" if panel.psnr is None else f"\n{panel.psnr:.2f} dB"
            axis.set_title(f"{panel.title}{number}", fontsize=8)
    return drawing.png(figure)
