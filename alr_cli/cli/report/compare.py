"""`--compare FILE`: before and after, as crops at several strengths or as a page with a slider."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from alr_cli.cli.report.viewer import check_place
from alr_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.cli.restore.task import Prepared
    from alr_cli.core.places import Place

    Pixels = NDArray[np.float32]

FACTORS = (0.5, 0.7, 1.0, 1.4)
"""Multiples of the strength whose results are shown as crops."""
MARGIN = 48
"""Pixels around a crop that are restored with it. Pixels further away have no visible influence."""

Again = Callable[["Prepared", float], "Pixels"]


class Comparison:
    """The comparison of one picture. Nothing is written before it is complete."""

    def __init__(self, path: str | None) -> None:
        """Raises UsageError if the name ends neither in .png nor in .html."""
        self._path = None if path is None else Path(path)
        self._data: bytes | None = None
        if self._path is not None and self._path.suffix.lower() not in (".png", ".html"):
            raise UsageError(f"--compare {path}: end the name in .png for crops, or in .html for a slider")

    def check(self, pictures: int, taken: Iterable[str | None], overwrite: bool, lam: float | None) -> None:
        """Refuse what cannot be drawn or written, before any work. Raises UsageError or OutputError."""
        if self._path is None:
            return
        if pictures != 1:
            raise UsageError(f"--compare shows one picture and there are {pictures}: name a single one")
        if os.path.realpath(self._path) in {os.path.realpath(path) for path in taken if path is not None}:
            raise UsageError(
                f"--compare {self._path} is also used otherwise by this command: give another name"
            )
        if self._on_sheet and lam is not None:
            raise UsageError(
                f"--compare {self._path} tries several strengths and --lam sets lambda itself: "
                "give --strength, or a name ending in .html"
            )
        check_place("--compare", self._path, overwrite)

    def refuse_stack(self, name: str) -> None:
        """Raise UsageError if a comparison was requested."""
        if self._path is not None:
            raise UsageError(f"--compare shows one picture and {name} is a stack: select one with --page")

    def look(
        self,
        title: str,
        prepared: Prepared,
        restored: Pixels,
        strength: float,
        again: Again,
        reference: Pixels | None,
    ) -> None:
        """Draw the comparison while the prior is loaded.

        Args:
            title: Title of the page.
            prepared: The observed picture.
            restored: The result (H, W, C).
            strength: The strength that gave it.
            again: Restores with another strength.
            reference: The true picture, or None.

        Raises:
            UsageError: The comparison cannot be drawn.
        """
        if self._path is None:
            return
        before = prepared.picture.pixels
        if self._on_sheet and before.shape != restored.shape:
            raise UsageError(
                "--compare with crops needs a result of the same size as the input: name an .html file"
            )
        if self._on_sheet:
            self._data = _sheet(prepared, restored, strength, again)
        else:
            self._data = _page(title, before, restored, reference)

    def write(self) -> list[Path]:
        """Write the comparison and return its path. Raises OutputError."""
        from alr_cli.files.atomic import write_atomic

        if self._path is None or self._data is None:
            return []
        write_atomic(self._path, self._data)
        return [self._path]

    @property
    def _on_sheet(self) -> bool:
        return self._path is not None and self._path.suffix.lower() == ".png"


def _sheet(prepared: Prepared, restored: Pixels, strength: float, again: Again) -> bytes:
    from alr_cli.cli.report.strips import draw_strips
    from alr_cli.core.places import informative_places

    before = prepared.picture.pixels
    places = informative_places(before, restored)
    crops = []
    for place in places:
        after = [
            place.of(restored) if factor == 1 else _crop(prepared, place, strength * factor, again)
            for factor in FACTORS
        ]
        crops.append([place.of(before), *after])
    labels = ["before", *(f"strength {strength * factor:.3g}" for factor in FACTORS)]
    return draw_strips(labels, [place.kind for place in places], crops)


def _crop(prepared: Prepared, place: Place, strength: float, again: Again) -> Pixels:
    """Restore one place together with its surroundings only."""
    picture = prepared.picture
    top, left = max(place.top - MARGIN, 0), max(place.left - MARGIN, 0)
    part = (
        slice(top, place.top + place.side + MARGIN),
        slice(left, place.left + place.side + MARGIN),
    )
    alpha = None if picture.alpha is None else picture.alpha[part]
    missing = None if prepared.missing is None else prepared.missing[part]
    piece = replace(picture, pixels=picture.pixels[part].copy(), alpha=alpha)
    guess = None if prepared.guess is None else prepared.guess.part(part)
    restored = again(replace(prepared, picture=piece, missing=missing, guess=guess), strength)
    return replace(place, top=place.top - top, left=place.left - left).of(restored)


def _page(title: str, before: Pixels, restored: Pixels, reference: Pixels | None) -> bytes:
    from alr_cli.cli.report.page import Layers, page
    from alr_cli.cli.report.strips import as_png

    scale = restored.shape[0] // before.shape[0]
    if scale > 1:
        before = before.repeat(scale, axis=0).repeat(scale, axis=1)
    layers = [("before", as_png(before))]
    if reference is not None:
        layers.append(("true picture", as_png(reference)))
    layers.append(("after", as_png(restored)))
    return page(title, [Layers(title, layers)])
