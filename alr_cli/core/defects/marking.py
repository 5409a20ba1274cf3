"""m = [p > 1/2],    logit p = l + logit q - logit q_0,    q = P(l > c) / r: a mask from odds

l are the logarithmic odds of defects in a training set with the share q_0 of defective pixels (detector.py).
The share q of a given picture is unknown. It is counted from the pixels that are nearly certain, l > c, which
are a share r of all defective pixels and hardly any others (Forman, Quantifying counts and costs via
classification, 2008). Detail that looks a little like dust is thus taken for dust in a dusty picture, and not
in a clean one. In gray pictures r is smaller, because defects do not differ in colour there.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.defects.detector import TRAINED_SHARE

Odds = NDArray[np.floating]
Mask = NDArray[np.bool_]

CERTAIN = 4.0  # c
SEEN, SEEN_IN_GRAY = 0.5, 0.15  # r; a larger one marks less
LEAST_SHARE, LARGEST_SHARE = 1e-5, 0.15  # bounds of q


def share_of(odds: Odds, gray: bool = False) -> float:
    """q of a picture with odds l (H, W)."""
    counted = float((odds > CERTAIN).mean()) / (SEEN_IN_GRAY if gray else SEEN)
    return min(max(counted, LEAST_SHARE), LARGEST_SHARE)


def marked(odds: Odds, sensitivity: float = 1.0, gray: bool = False) -> Mask:
    """m for the odds l of a picture, (H, W). `sensitivity` multiplies the odds exp(l)."""
    shift = _logit(share_of(odds, gray)) - _logit(TRAINED_SHARE) + math.log(sensitivity)
    return np.asarray(odds + shift > 0)


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
