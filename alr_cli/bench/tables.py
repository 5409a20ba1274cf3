"""Means as a table: for a terminal, for a page, for a spreadsheet"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import groupby

from alr_cli.bench.scores import Mean

HEADINGS = ("setting", "method", "PSNR [dB]", "SSIM", "seconds", "pictures")


def markdown(means: Sequence[Mean], title: str) -> str:
    """A pipe table under its title."""
    lines = [title, "", _row(HEADINGS), _row(["---", "---", *["---:"] * 4])]
    lines += [_row([str(mean.setting), *_cells(mean)]) for mean in means]
    return "\n".join(lines) + "\n"


def comma_separated(means: Sequence[Mean]) -> str:
    """All fields of the settings in columns of their own, numbers in full."""
    text = io.StringIO()
    if means:
        writer = csv.DictWriter(text, list(means[0].as_dict()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(mean.as_dict() for mean in means)
    return text.getvalue()


def drawn(means: Sequence[Mean], title: str) -> str:
    """For a terminal, with its escapes, as wide as it is; the setting stands once, above its methods."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    for heading in HEADINGS:
        words = heading in HEADINGS[:2]
        table.add_column(heading, justify="left" if words else "right", no_wrap=heading != "setting")
    for setting, group in groupby(means, lambda mean: mean.setting):
        for number, mean in enumerate(group):
            table.add_row("" if number else str(setting), *_cells(mean))
        table.add_section()
    text = io.StringIO()
    Console(file=text, force_terminal=True).print(table)
    return text.getvalue()


def _cells(mean: Mean) -> list[str]:
    numbers = ((mean.psnr, ".2f"), (mean.ssim, ".3f"), (mean.seconds, ".2f"))
    shown = ["-" if value is None else format(value, form) for value, form in numbers]
    return [mean.method, *shown, str(mean.pictures)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
