"""The methods ours is compared with. Each takes an observation and returns a picture (H, W, C), not clamped.

A method with a parameter uses a function of the noise level that was tuned on validation pictures (tuned.py),
so that every method is compared at its best.
"""

from __future__ import annotations

from collections.abc import Callable

from alr_cli.bench.degradations import Observation, Pixels
from alr_cli.bench.methods.block_matching import bm3d, cbm3d
from alr_cli.bench.methods.classical import biharmonic, chambolle, nlm, wavelets
from alr_cli.bench.methods.deconvolution import richardson_lucy, wiener
from alr_cli.bench.methods.epll import epll
from alr_cli.bench.methods.total_variation import tv

Restore = Callable[[Observation], Pixels]

BASELINES: dict[str, Restore] = {
    "tv": tv,
    "chambolle": chambolle,
    "nlm": nlm,
    "wavelets": wavelets,
    "epll": epll,
    "bm3d": bm3d,
    "cbm3d": cbm3d,
    "wiener": wiener,
    "richardson-lucy": richardson_lucy,
    "biharmonic": biharmonic,
}
