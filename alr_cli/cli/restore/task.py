"""What sets one restoring command apart from the others."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from alr_cli.cli.restore.sources import Source
    from alr_cli.core.noise.model import NoiseModel
    from alr_cli.core.restore import Restoration, Restorer, Step
    from alr_cli.files.pictures import Picture


@dataclass(frozen=True)
class Prepared:
    """A picture ready for its operator. missing: (H, W) bool, True where nothing was observed, or None.
    noise: a model of it, where the critic expects correlated noise and it could be estimated."""

    picture: "Picture"
    missing: "NDArray[np.bool_] | None" = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    noise: "NoiseModel | None" = None


class Task(Protocol):
    """One command's part: a check of the picture before torch is loaded, and the restoration itself."""

    @property
    def name(self) -> str:
        """As in `<stem>.<name>.png`."""

    @property
    def allow_nan(self) -> bool:
        """Whether NaN pixels mean something to the task."""

    def prepare(self, picture: "Picture", source: "Source") -> Prepared:
        """Check the picture against the task. Raises AlrError."""

    def restore(
        self, restorer: "Restorer", prepared: Prepared, sigma: float, callback: "Callable[[Step], None]"
    ) -> "Restoration":
        """Minimise the energy of the task."""


def size(picture: "Picture") -> str:
    """`640 x 480 colour`."""
    return f"{picture.width} x {picture.height} {'gray' if picture.channels == 1 else 'colour'}"
