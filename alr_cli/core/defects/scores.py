"""recall = |m and d| / |d|,    precision = |m and d| / |m|: how well a mask m finds the defective pixels d"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """Numbers of pixels, which can be added up over pictures.

    Attributes:
        found: Defective pixels that are marked.
        defective: Defective pixels.
        marked: Marked pixels of pictures with defects.
        false: Marked pixels of pictures without defects.
        clean: Pixels of these.
    """

    found: int = 0
    defective: int = 0
    marked: int = 0
    false: int = 0
    clean: int = 0

    @classmethod
    def of(cls, defective: Mask, marked: Mask, marked_clean: Mask) -> Scores:
        """The scores of one picture, with defects and without; all (H, W)."""
        both = int((defective & marked).sum())
        false = int(marked_clean.sum())
        return cls(both, int(defective.sum()), int(marked.sum()), false, marked_clean.size)

    def __add__(self, other: Scores) -> Scores:
        return Scores(
            self.found + other.found,
            self.defective + other.defective,
            self.marked + other.marked,
            self.false + other.false,
            self.clean + other.clean,
        )

    @property
    def recall(self) -> float:
        return self.found / max(1, self.defective)

    @property
    def precision(self) -> float:
        """1 if nothing is marked."""
        return self.found / self.marked if self.marked else 1.0

    @property
    def false_share(self) -> float:
        """The share of marked pixels in pictures without defects."""
        return self.false / max(1, self.clean)

    def as_dict(self) -> dict[str, float]:
        return {"recall": self.recall, "precision": self.precision, "false_share": self.false_share}

    def __str__(self) -> str:
        of_clean = f"{100 * self.false_share:.3f} % of clean pixels marked"
        return f"recall {self.recall:.3f}, precision {self.precision:.3f}, {of_clean}"
