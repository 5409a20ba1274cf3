"""What the figures share: size, colours that colour-blind people tell apart, and the way to a PNG"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito (2008), and a map whose lightness rises with the value.
BLUE, RED, GREEN, ORANGE, BLACK = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#000000"
MAP = "cividis"
DPI = 150  # 960 pixels for 6.4 inches: letters stay readable on a page


def new(width: float = 6.4, height: float = 3.2) -> Figure:
    """An empty figure, in inches; no window is ever opened."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def png(figure: Figure) -> bytes:
    """The same bytes for the same figure: no date and no version in it."""
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()
