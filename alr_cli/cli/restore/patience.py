"""Say how long a large picture will take if no progress bar shows it, and what is faster."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alr_cli.core.restoration import Step

LONG = 60.0
"""Seconds for a picture from which a message is useful."""
LARGE = 500_000
"""Pixels of a picture that may take so long. Smaller ones are not observed, since energies cost time."""


class Patience:
    """Observes the first iteration of a restoration, and passes a sentence to `say`."""

    def __init__(
        self, say: Callable[[str], None], fast: bool = False, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """`fast`: --fast was given, so that the sentence does not advise it."""
        self._say, self._clock = say, clock
        self._advice = "use --crop X,Y,W,H for a part of the picture" + ("" if fast else ", or --fast")
        self._started: float | None = None

    def step(self, step: "Step") -> None:
        """Is called at the start and after each iteration."""
        if step.iteration == 0:
            self._started = self._clock()
        elif self._started is not None:
            seconds = (self._clock() - self._started) / step.iteration * step.max_iter
            self._started = None
            if seconds >= LONG:
                self._say(f"this takes up to {_shown(seconds)}; for a quick preview {self._advice}")


def _shown(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
