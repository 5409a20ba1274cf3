"""A x = k * x undone by scikit-image: the Wiener-Hunt filter, and Richardson and Lucy's iteration

The one takes every picture for periodic, the other for black beyond its frame. Where it is not, it is
continued first, periodically where the blur was, else by an even reflection; what the seams spoil is cut off
with it.
"""

from __future__ import annotations

import numpy as np

from alr_cli.bench.degradations import Observation, Pixels, kernel_of
from alr_cli.bench.methods import tuned


def wiener(observation: Observation) -> Pixels:
    """Wiener-Hunt deconvolution (Hunt 1971), channel by channel."""
    return wiener_with(observation, tuned.value("wiener", observation))


def wiener_with(observation: Observation, balance: float) -> Pixels:
    """balance: of the Laplacian prior against the squared error."""
    from skimage.restoration import wiener as filtered

    circular = observation.setting.boundary == "circular"
    y, margin = (observation.pixels, 0) if circular else _continued(observation)
    planes = [
        filtered(plane, kernel_of(observation), balance, clip=False)  # type: ignore[no-untyped-call]
        for plane in np.moveaxis(y, 2, 0)
    ]
    return _frame(planes, margin)


def richardson_lucy(observation: Observation) -> Pixels:
    """Richardson-Lucy deconvolution (1972, 1974), channel by channel, stopped early."""
    return richardson_lucy_with(observation, tuned.value("richardson-lucy", observation))


def richardson_lucy_with(observation: Observation, iterations: float) -> Pixels:
    """iterations: rounded, at least 1. It knows no negative light: y is clipped at 0."""
    from skimage.restoration import richardson_lucy as iterated

    y, margin = _continued(observation)
    count = max(1, round(iterations))
    planes = [
        iterated(plane, kernel_of(observation), count, clip=False, filter_epsilon=1e-6)  # type: ignore[no-untyped-call]
        for plane in np.moveaxis(np.maximum(y, 0), 2, 0)
    ]
    return _frame(planes, margin)


def _continued(observation: Observation) -> tuple[Pixels, int]:
    """(H + 2 m, W + 2 m, C) and the margin m, at most a side of the picture."""
    y = observation.pixels
    margin = min(2 * max(kernel_of(observation).shape), min(y.shape[:2]))
    mode = "wrap" if observation.setting.boundary == "circular" else "symmetric"
    return np.pad(y, ((margin, margin), (margin, margin), (0, 0)), mode=mode), margin  # type: ignore[call-overload]


def _frame(planes: list[Pixels], margin: int) -> Pixels:
    x = np.stack(planes, axis=2).astype(np.float32)
    return x[margin : x.shape[0] - margin, margin : x.shape[1] - margin]
