"""Tables of means for a terminal, as Markdown and as CSV"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from alr_cli.bench.scores import Mean, mean_of


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        words: How many columns at the left contain words. Repeated entries of the first are drawn once.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


Layout = Callable[[Sequence[Mean], str], Table]


def by_setting(means: Sequence[Mean], title: str) -> Table:
    """A row for each setting and method."""
    with_lpips = any(mean.metrics.lpips is not None for mean in means)
    headings = ("setting", "method", *_METRICS[: 3 if with_lpips else 2], "seconds", "pictures")
    rows = tuple(
        (
            str(mean.setting),
            mean.method,
            *_metrics(mean)[: 3 if with_lpips else 2],
            shown(mean.metrics.seconds, ".2f"),
            str(mean.pictures),
        )
        for mean in means
    )
    return Table(title, headings, rows, words=2)


def by_level(means: Sequence[Mean], title: str) -> Table:
    """A row for each method and a column for each noise level, with PSNR / SSIM.

    The numbers are averaged over everything else in the settings, such as the kernels of a protocol.
    """
    levels = list(dict.fromkeys(mean.setting.sigma for mean in means))
    rows = []
    for method in dict.fromkeys(mean.method for mean in means):
        cells = []
        for level in levels:
            group = [m.metrics for m in means if m.method == method and m.setting.sigma == level]
            metrics = mean_of(group) if group else None
            cells.append(
                f"{shown(metrics.psnr, '.2f')} / {shown(metrics.ssim, '.3f')}" if metrics is not None else "-"
            )
        rows.append((method, *cells))
    headings = ("PSNR [dB] / SSIM", *(f"sigma {255 * level:.4g}/255" for level in levels))
    return Table(title, headings, tuple(rows))


def markdown(table: Table) -> str:
    """A Markdown table under its title."""
    numbers = len(table.headings) - table.words
    rules = ["---"] * table.words + ["---:"] * numbers
    lines = [table.title, "", _row(table.headings), _row(rules), *map(_row, table.rows)]
    return "\n".join(lines) + "\n"


def comma_separated(means: Sequence[Mean]) -> str:
    """CSV with a column for each field of the settings, and numbers in full precision."""
    text = io.StringIO()
    if means:
        writer = csv.DictWriter(text, list(means[0].as_dict()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(mean.as_dict() for mean in means)
    return text.getvalue()


def cells(table: Table) -> str:
    """The table as CSV, with its numbers as they are displayed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.headings, *table.rows])
    return text.getvalue()


def drawn(table: Table) -> str:
    """The table for a terminal, with escape sequences, at the terminal's width."""
    from rich.console import Console
    from rich.table import Table as Drawing
    from rich.text import Text

    drawing = Drawing(title=Text(table.title), title_justify="left")
    for number, heading in enumerate(table.headings):
        words = number < table.words
        drawing.add_column(heading, justify="left" if words else "right", no_wrap=number > 0)
    grouped = [(first, list(rows)) for first, rows in groupby(table.rows, lambda row: row[0])]
    for first, rows in grouped:
        for number, row in enumerate(rows):
            drawing.add_row(Text("" if number else first), *map(Text, row[1:]))
        if any(len(each) > 1 for _, each in grouped):
            drawing.add_section()
    text = io.StringIO()
    Console(file=text, force_terminal=True).print(drawing)
    return text.getvalue()


def shown(value: float | None, form: str) -> str:
    """A formatted number, or - if there is none."""
    return "-" if value is None else format(value, form)


_METRICS = ("PSNR [dB]", "SSIM", "LPIPS")


def _metrics(mean: Mean) -> tuple[str, str, str]:
    metrics = mean.metrics
    return shown(metrics.psnr, ".2f"), shown(metrics.ssim, ".3f"), shown(metrics.lpips, ".3f")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
