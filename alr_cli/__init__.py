"""alr: image restoration by minimising data term + lambda R(x) with a learned regularizer R.

    import alr_cli as alr

    y = alr.read("noisy.png")
    x = alr.denoise(y.pixels, sigma=0.1)
    alr.write("clean.png", y.with_pixels(x.pixels))

Each name is imported when it is first used. torch is imported with the first name that needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from alr_cli.api import deblur as deblur
    from alr_cli.api import decode as decode
    from alr_cli.api import denoise as denoise
    from alr_cli.api import inpaint as inpaint
    from alr_cli.api import kernel as kernel
    from alr_cli.api import load as load
    from alr_cli.api import read as read
    from alr_cli.api import write as write
    from alr_cli.blocks import blockwise as blockwise
    from alr_cli.core import problems as problems
    from alr_cli.core import solvers as solvers
    from alr_cli.core import tasks as tasks
    from alr_cli.core.energy import Energy as Energy
    from alr_cli.core.solvers import solve as solve

_PLACES = {
    **dict.fromkeys(
        ("read", "write", "load", "kernel", "denoise", "deblur", "inpaint", "decode"), "alr_cli.api"
    ),
    "blockwise": "alr_cli.blocks",
    "Energy": "alr_cli.core.energy",
    "solve": "alr_cli.core.solvers",
}
_MODULES = {
    "problems": "alr_cli.core.problems",
    "solvers": "alr_cli.core.solvers",
    "tasks": "alr_cli.core.tasks",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    from importlib import import_module

    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    if name in _MODULES:
        return import_module(_MODULES[name])
    raise AttributeError(f"module 'alr_cli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*_PLACES, *_MODULES, "__version__"])
