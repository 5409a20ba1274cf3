"""upscale:2, deblur:gaussian:11:1.6: names of degradations, which options and weights files can contain"""

from __future__ import annotations

from dataclasses import dataclass

from alr_cli.core.operators.kernels import Kernel, parse_kernel
from alr_cli.errors import UsageError

GRAMMAR = (
    "write upscale:2, upscale:3 or upscale:4, or deblur: and a kernel, for instance deblur:gaussian:11:1.6"
)
_SCALES = ("2", "3", "4")


@dataclass(frozen=True)
class TaskName:
    """What a name says: a scale, or the kernel of a blur (h, w) and the scale 1."""

    scale: int
    kernel: Kernel | None


def parse_task(name: str) -> TaskName:
    """The meaning of a name. Raises UsageError, whose message states the grammar."""
    kind, _, of = name.partition(":")
    if kind == "upscale" and of in _SCALES:
        return TaskName(int(of), None)
    if kind == "deblur" and of:
        return TaskName(1, parse_kernel(of))
    raise UsageError(f"{name!r} is no task: {GRAMMAR}")
