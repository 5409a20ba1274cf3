"""A x = k * x inverted by scikit-image: the Wiener-Hunt filter and the Richardson-Lucy iteration

The Wiener-Hunt filter assumes periodic pictures, and Richardson-Lucy assumes black outside the frame. Where
that is not true, the picture is extended first: periodically for a circular blur, else by reflection. The
extension is cropped afterwards together with the artefacts at its seams.
"""

from __future__ import annotations

import numpy as np

from alr_cli.bench.degradations import Observation, Pixels, kernel_of
from alr_cli.bench.methods import tuned


def wiener(observation: Observation) -> Pixels:
    """Wiener-Hunt deconvolution (Hunt 1971), channel by channel."""
    return wiener_with(observation, tuned.value("wiener", observation))


def wiener_with(observation: Observation, balance: float) -> Pixels:
    """Wiener-Hunt deconvolution with a given parameter.

    Args:
        observation: What is restored.
        balance: Weight of the Laplacian prior against the squared error.
    """
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
    """Richardson-Lucy deconvolution with a given parameter.

    The method assumes non-negative intensities, so y is clipped at 0.

    Args:
        observation: What is restored.
        iterations: Number of iterations; rounded, and at least 1.
    """
    from skimage.restoration import richardson_lucy as iterated

    y, margin = _continued(observation)
    count = max(1, round(iterations))
    planes = [
        iterated(plane, kernel_of(observation), count, clip=False, filter_epsilon=1e-6)  # type: ignore[no-untyped-call]
        for plane in np.moveaxis(np.maximum(y, 0), 2, 0)
    ]
    return _frame(planes, margin)


def _continued(observation: Observation) -> tuple[Pixels, int]:
    """The extended picture (H + 2 m, W + 2 m, C) and its margin m, which is at most a side of the picture."""
    y = observation.pixels
    margin = min(2 * max(kernel_of(observation).shape), min(y.shape[:2]))
    mode = "wrap" if observation.setting.boundary == "circular" else "symmetric"
    return np.pad(y, ((margin, margin), (margin, margin), (0, 0)), mode=mode), margin  # type: ignore[call-overload]


def _frame(planes: list[Pixels], margin: int) -> Pixels:
    x = np.stack(planes, axis=2).astype(np.float32)
    return x[margin : x.shape[0] - margin, margin : x.shape[1] - margin]
