"""The methods ours is measured against: an observation in, a picture (H, W, C) out, not clamped

Those with a number to choose have it as a function of the noise level, tuned on validation pictures
(tuned.py), so that none is a straw man.
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
