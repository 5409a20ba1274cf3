"""A self-contained HTML page with pictures under a slider and with tables. It loads nothing from a network.

The slider is a range input that covers the whole picture, so that mouse, touch and keyboard work as usual in
the browser. A Content-Security-Policy forbids all requests.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from urllib.parse import quote

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass(frozen=True)
class Layers:
    """Pictures of one size that are laid over each other.

    Attributes:
        caption: The caption.
        layers: (name, PNG). At first, the first one is visible left of the slider and the last one right of
            it.
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
    """Text and numbers in rows. The first `words` columns are text; the others are aligned to the right."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1

    def html(self) -> str:
        head = self._row("th", self.header)
        body = "".join(f"<tr>{self._row('td', row)}</tr>" for row in self.rows)
        caption = f"<caption>{escape(self.caption)}</caption>"
        return (
            f"<section><table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></section>"
        )

    def _row(self, tag: str, cells: Sequence[str]) -> str:
        kinds = ["" if number < self.words else ' class="number"' for number in range(len(cells))]
        return "".join(
            f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, cells, strict=True)
        )


@dataclass(frozen=True)
class Links:
    """Links to other pages of the same folder: (text, file name)."""

    caption: str
    links: Sequence[tuple[str, str]]

    def html(self) -> str:
        items = "".join(f'<li><a href="{quote(name)}">{escape(text)}</a></li>' for text, name in self.links)
        return f"<section><p>{escape(self.caption)}</p><ul>{items}</ul></section>"


def page(title: str, parts: Sequence[Layers | Table | Links]) -> bytes:
    """The page as UTF-8."""
    folder = files("alr_cli.cli.report")
    style, script = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    body = "".join(part.html() for part in parts)
    if any(isinstance(part, Layers) for part in parts):
        body += "<p>Drag over a picture, or focus it and use the arrow keys, Home, End and the space bar.</p>"
    text = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>\n{style}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}"
        f"<script>\n{script}</script></body></html>\n"
    )
    return text.encode()
