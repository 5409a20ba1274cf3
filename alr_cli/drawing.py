"""What all figures share: size, a PNG encoder, and colours that colour-blind readers can tell apart."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Line colours of Okabe and Ito (2008), and a colour map whose lightness increases with the value.
BLUE, RED, GREEN, ORANGE, BLACK = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#000000"
MAP = "cividis"
DPI = 150  # 960 pixels for 6.4 inches, so that text stays readable on a page


def new(width: float = 6.4, height: float = 3.2) -> Figure:
    """An empty figure of this size in inches. It never opens a window."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def png(figure: Figure) -> bytes:
    """Encode a figure as PNG. Equal figures give equal bytes, because no date or version is stored."""
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    return data.getvalue()
