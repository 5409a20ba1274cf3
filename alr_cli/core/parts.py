"""Restore a picture part by part, if only some parts need to be restored (windows.py)"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from alr_cli.core.restoration import Callback, Restoration, Step
from alr_cli.core.tasks import Floats, Task
from alr_cli.core.windows import Window


def in_parts(
    pixels: Floats,
    parts: Sequence[tuple[Window, Task]],
    restore: Callable[[Floats, Task, Callback | None], Restoration],
    look: Callback | None,
) -> Restoration:
    """Restore some boxes of a picture and copy the rest.

    Args:
        pixels: (H, W, C).
        parts: At least one box, and the degradation in each.
        restore: Restores one part, and reports its progress.
        look: Receives the progress of the whole picture, or None.

    Returns:
        The whole picture. Energies are means over all parts.
    """
    result = np.array(pixels, np.float32)
    done = []
    for number, (box, task) in enumerate(parts):

        def follow(look: Callback, step: Step, number: int = number, box: Window = box) -> None:
            def estimate() -> Floats:
                whole = result.copy()
                whole[box] = step.estimate()
                return whole

            before = number * step.max_iter
            of_all = len(parts) * step.max_iter
            look(replace(step, iteration=before + step.iteration, max_iter=of_all, estimate=estimate))

        following = None if look is None else partial(follow, look)
        done.append(restore(np.ascontiguousarray(pixels[box]), task, following))
        result[box] = done[-1].pixels
    sizes = [part.pixels[..., 0].size for part in done]

    def mean(values: Sequence[float]) -> float:
        return float(np.average(values, weights=sizes))

    known = [(part.energy, part.regularizer) for part in done]
    return replace(
        done[0],
        pixels=result,
        stop="converged" if all(part.stop == "converged" for part in done) else done[0].stop,
        iterations=max(part.iterations for part in done),
        energy=None if any(energy is None for energy, _ in known) else mean([e or 0.0 for e, _ in known]),
        data_term=mean([part.data_term for part in done]),
        regularizer=None if any(r is None for _, r in known) else mean([r or 0.0 for _, r in known]),
    )
