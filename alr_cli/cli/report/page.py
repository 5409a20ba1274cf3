"""One self-contained HTML page: pictures under a slider, and tables. Nothing of it comes from a network.

The slider is a range input that lies over the whole picture, so that mouse, touch and keyboard work as the
browser has them; the page forbids itself every request (Content-Security-Policy).
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass(frozen=True)
class Layers:
    """Pictures of one size that can be laid over each other.

    layers: (name, PNG). To begin with, the first is seen left of the slider and the last right of it.
    """

    caption: str
    layers: Sequence[tuple[str, bytes]]

    def html(self) -> str:
        label = f"{self.caption}: how much of the left picture is seen"
        images = "".join(
            f'<img alt="{escape(name)}" src="data:image/png;base64,{base64.b64encode(data).decode()}">'
            for name, data in self.layers
        )
        choices = "".join(f"<option>{escape(name)}</option>" for name, _ in self.layers)
        return (
            f'<section class="layers"><figure>{images}<div class="line"></div>'
            f'<input type="range" min="0" max="100" step="0.1" value="50" aria-label="{escape(label)}">'
            "</figure>"
            f'<p><label>left <select class="left">{choices}</select></label> '
            f'<label>right <select class="right">{choices}</select></label> '
            '<label><input type="checkbox" class="pixels"> actual pixels</label></p>'
            f"<p>{escape(self.caption)}</p></section>"
        )


@dataclass(frozen=True)
class Table:
    """Text and numbers in rows; numbers are set flush right."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def html(self) -> str:
        head = "".join(f"<th>{escape(cell)}</th>" for cell in self.header)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows
        )
        caption = f"<caption>{escape(self.caption)}</caption>"
        return (
            f"<section><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></section>"
        )


def page(title: str, parts: Sequence[Layers | Table]) -> bytes:
    """The page as UTF-8."""
    folder = files("alr_cli.cli.report")
    style, script = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    body = "".join(part.html() for part in parts)
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>\n{style}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}"
        "<p>Drag over a picture, or focus it and use the arrow keys, Home, End and the space bar.</p>"
        f"<script>\n{script}</script></body></html>\n"
    )
    return text.encode()
