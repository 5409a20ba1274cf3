"""What distinguishes one restoring command from the others."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.cli.restore.sources import Source
    from alr_cli.core.jpeg import Coefficients
    from alr_cli.core.noise.model import NoiseModel
    from alr_cli.core.restore import Restorer
    from alr_cli.core.tasks import Guess
    from alr_cli.core.tasks import Task as Degradation
    from alr_cli.files.pictures import Picture


TRANSPARENT = 1.5 / 255
"""Opacity below which a pixel changes the displayed picture by at most one level of 8 bits."""


@dataclass(frozen=True)
class Prepared:
    """A picture that is ready for its operator.

    Attributes:
        picture: The observed picture.
        missing: (H, W) bool, True where nothing was observed; or None.
        notes: What to tell the user.
        warnings: What to warn the user of.
        noise: A model of the noise; None for white noise of one level.
        enlarged: A picture of the size of the result, if that differs from the input; else None.
        kernel: A blur kernel (h, w) that was estimated; else None.
        beside: Paths and contents of files that are written together with the result.
        coefficients: The coefficients of a JPEG file, if they are the observation and not the pixels.
        guess: What is known of the missing pixels, apart from their neighbours; or None.
    """

    picture: "Picture"
    missing: "NDArray[np.bool_] | None" = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    noise: "NoiseModel | None" = None
    enlarged: "Picture | None" = None
    kernel: "NDArray[np.float64] | None" = None
    beside: tuple[tuple[str, bytes], ...] = ()
    coefficients: "Coefficients | None" = None
    guess: "Guess | None" = None

    @property
    def hidden(self) -> "NDArray[np.bool_] | None":
        """(H, W), True where the picture is transparent, so that its content is unknown.

        None if no pixel or every pixel is transparent.
        """
        alpha = self.picture.alpha
        hidden = None if alpha is None else alpha < TRANSPARENT
        return None if hidden is None or hidden.all() or not hidden.any() else hidden

    @property
    def unknown(self) -> "NDArray[np.bool_] | None":
        """(H, W), True where the content is unknown: missing or transparent. None if nowhere."""
        if self.hidden is None or self.missing is None:
            return self.missing if self.hidden is None else self.hidden
        return self.missing | self.hidden

    @property
    def result(self) -> "Picture":
        """The picture that receives the restored pixels and with which they are compared."""
        return self.picture if self.enlarged is None else self.enlarged


class Task(Protocol):
    """A command's part: a check of the picture before torch is loaded, and a description of what happened to
    it."""

    @property
    def name(self) -> str:
        """The name of the command, as in `<stem>.<name>.png`."""

    @property
    def allow_nan(self) -> bool:
        """Whether the task accepts NaN pixels."""

    def prepare(self, picture: "Picture", source: "Source") -> Prepared:
        """Check the picture against the task. Raises AlrError."""

    def degradation(self, prepared: Prepared) -> "Degradation":
        """What happened to the picture, as a task of the core. This imports torch."""

    def strength(self, restorer: "Restorer", prepared: Prepared, sigma: float) -> float | None:
        """The strength for this picture. None keeps the strength of the options."""


def what_happened(task: Task, prepared: Prepared) -> "Degradation":
    """The degradation of a picture. Transparent pixels count as unknown."""
    from alr_cli.core.tasks import PartlySeen

    of, hidden = task.degradation(prepared), prepared.hidden
    return of if hidden is None else PartlySeen(of, hidden)


def size(picture: "Picture") -> str:
    """Describe the size of a picture: `640 x 480 colour`."""
    return f"{picture.width} x {picture.height} {'gray' if picture.channels == 1 else 'colour'}"
