"""m = [p > 1/2],    p = 1 / (1 + exp(-l - logit q + logit q_0)),    q = mean p: a mask from odds

l are the logarithmic odds of defects in a training set with the share q_0 of defective pixels (detector.py).
The share q of a given picture is unknown. It is estimated by expectation maximisation (Saerens, Latinne and
Decaestecker 2002). Detail that looks a little like dust is thus taken for dust in a dusty picture, and not in
a clean one.

The mask consists of connected areas with p > `FAINT` that contain a pixel with p > 1/2.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.special import expit

from alr_cli.core.defects.detector import TRAINED_SHARE

Odds = NDArray[np.floating]
Mask = NDArray[np.bool_]

FAINT = 0.2
LEAST_SHARE = 1e-5  # q of a picture without defects
_ROUNDS = 100


def share_of(odds: Odds) -> float:
    """q of a picture with odds l (H, W), at least `LEAST_SHARE`."""
    q = TRAINED_SHARE
    for _ in range(_ROUNDS):
        q, before = max(float(expit(odds + _shift(q)).mean()), LEAST_SHARE), q
        if abs(q - before) < 0.01 * before:
            break
    return q


def marked(odds: Odds, sensitivity: float = 1.0) -> Mask:
    """m for the odds l of a picture, (H, W). `sensitivity` multiplies the odds exp(l)."""
    shifted = odds + _shift(share_of(odds)) + math.log(sensitivity)
    areas, _ = label(shifted > math.log(FAINT / (1 - FAINT)), np.ones((3, 3)))
    certain = np.zeros(int(areas.max()) + 1, bool)
    certain[np.unique(areas[shifted > 0])] = True
    certain[0] = False
    return np.asarray(certain[areas])


def _shift(share: float) -> float:
    """logit q - logit q_0."""
    return math.log(share / (1 - share)) - math.log(TRAINED_SHARE / (1 - TRAINED_SHARE))
