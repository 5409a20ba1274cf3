"""What sets one restoring command apart from the others."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.cli.restore.sources import Source
    from alr_cli.core.jpeg import Coefficients
    from alr_cli.core.noise.model import NoiseModel
    from alr_cli.core.restore import Restorer
    from alr_cli.core.tasks import Task as Degradation
    from alr_cli.files.pictures import Picture


TRANSPARENT = 1.5 / 255
"""Opacity below which what is there changes nobody's picture by more than a level of 8 bits."""


@dataclass(frozen=True)
class Prepared:
    """A picture ready for its operator. missing: (H, W) bool, True where nothing was observed, or None.
    noise: a model of it, None for white noise of one level.  enlarged: what the result is like, before it is
    restored, where that has another size; else None.  kernel: (h, w), found in the picture, else None.
    beside: files to write together with the result, their paths and bytes.  coefficients: of the JPEG file,
    where they and not the pixels are what was observed."""

    picture: "Picture"
    missing: "NDArray[np.bool_] | None" = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    noise: "NoiseModel | None" = None
    enlarged: "Picture | None" = None
    kernel: "NDArray[np.float64] | None" = None
    beside: tuple[tuple[str, bytes], ...] = ()
    coefficients: "Coefficients | None" = None

    @property
    def hidden(self) -> "NDArray[np.bool_] | None":
        """(H, W), True where the picture is transparent, so that nobody knows what it shows; None where that
        is nowhere or everywhere."""
        alpha = self.picture.alpha
        hidden = None if alpha is None else alpha < TRANSPARENT
        return None if hidden is None or hidden.all() or not hidden.any() else hidden

    @property
    def unknown(self) -> "NDArray[np.bool_] | None":
        """(H, W), True where nothing is known; None for nowhere."""
        if self.hidden is None or self.missing is None:
            return self.missing if self.hidden is None else self.hidden
        return self.missing | self.hidden

    @property
    def result(self) -> "Picture":
        """What the restored pixels go into, and what they are compared with."""
        return self.picture if self.enlarged is None else self.enlarged


class Task(Protocol):
    """One command's part: a check of the picture before torch is loaded, and what happened to it."""

    @property
    def name(self) -> str:
        """As in `<stem>.<name>.png`."""

    @property
    def allow_nan(self) -> bool:
        """Whether NaN pixels mean something to the task."""

    def prepare(self, picture: "Picture", source: "Source") -> Prepared:
        """Check the picture against the task. Raises AlrError."""

    def degradation(self, prepared: Prepared) -> "Degradation":
        """What happened to the picture, as the core knows it: here torch is imported."""

    def strength(self, restorer: "Restorer", prepared: Prepared, sigma: float) -> float | None:
        """The strength for this picture; None leaves it at the strength for all pictures."""


def what_happened(task: Task, prepared: Prepared) -> "Degradation":
    """What happened to a picture, and that nobody knows what it shows where it is transparent."""
    from alr_cli.core.tasks import PartlySeen

    of, hidden = task.degradation(prepared), prepared.hidden
    return of if hidden is None else PartlySeen(of, hidden)


def size(picture: "Picture") -> str:
    """`640 x 480 colour`."""
    return f"{picture.width} x {picture.height} {'gray' if picture.channels == 1 else 'colour'}"
