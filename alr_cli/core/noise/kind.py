"""sigma^2 = median over (u, v) of P_y(u, v) / P(u, v): how much of a picture's noise is of a known kind

P_y is the spectrum of what was taken for noise in a picture, and P that of noise of the kind at sigma = 1, of
brightness in cosines of 16 x 16 pixels. Texture has hardly anything at high frequencies, where a camera's
noise still has a lot, so that most ratios are small where it is texture. In the clean frames that `camera`
was made from (the means of many exposures) plain estimates find 0.9 levels of 255 and this one 0.4; of the
noisy frames' it keeps nine tenths (docs/your-own-noise.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from alr_cli.core.noise.estimation import COSINES, ORDER, SIDE
from alr_cli.core.noise.model import NoiseModel

Floats = NDArray[np.float64]


def sigma_of_kind(estimate: NoiseModel, kind: NoiseModel) -> float:
    """The nominal level of what is noise of `kind` in an estimate; never more than the estimate's own."""
    ratio = spectrum(estimate) / spectrum(kind.scaled(1 / kind.nominal))
    # Neither the mean nor the slopes: shading hides the noise there.
    return min(estimate.nominal, float(np.sqrt(max(0.0, np.median(ratio[ORDER > 1])))))


def spectrum(model: NoiseModel) -> Floats:
    """E X(u, v)^2 (16, 16) of the cosine transform of the mean of the channels, at middle brightness."""
    sigma = model.middle_levels
    covariance = np.einsum("a,b,abyx->yx", sigma, sigma, model.correlation) / model.channels**2
    distance = np.abs(np.subtract.outer(np.arange(SIDE), np.arange(SIDE)))
    lags = np.arange(len(covariance))
    at_lag = np.einsum("ui,lij,uj->ul", COSINES, distance == lags[:, None, None], COSINES)
    result: Floats = at_lag @ covariance @ at_lag.T
    return result
