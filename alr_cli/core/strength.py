"""E ||x*(y) - x||^2 = E [ ||x*(y) - y||^2 - tr C + 2 tr(C J) ],  J = dx*/dy: Stein's estimate

It estimates the error of a restored picture from the noisy picture and the covariance C of its noise alone
(Stein 1981), for any sufficiently smooth x*(y). tr(C J) is the mean of n^T J n over draws n of the noise, and
J n is approximated by a difference of two restorations (Ramani, Blu and Unser 2008). In this way the strength
of the regularizer can be chosen without references.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from alr_cli.core.gray import without_copies
from alr_cli.core.noise.field import NoiseField
from alr_cli.core.noise.white import add_gaussian_noise
from alr_cli.core.tasks import Denoising

if TYPE_CHECKING:
    from alr_cli.core.noise.model import NoiseModel
    from alr_cli.core.restore import Restorer

Floats = NDArray[np.float32]
Restore = Callable[[Floats], Floats]

_FACTOR = 4.0 ** (1 / 3)  # ratio between the strengths that are tried
_FARTHEST = 3  # number of strengths that are tried on either side of 1
_SIDE = 160  # side of the central part of a picture that is used
_STEP = 0.2  # relative to the noise; smaller steps show the kinks of a critic, larger ones change J


def expected_error(restore: Restore, y: Floats, noise: Floats, variance: float) -> float:
    """The expected mean squared error of restore(y).

    Args:
        restore: The restoration.
        y: (H, W, C).
        noise: A draw of noise like that of y.
        variance: Its mean variance, tr C / N.
    """
    restored = restore(y)
    moved = restore(y + np.float32(_STEP) * noise)
    misfit = float(np.mean((restored - y) ** 2, dtype=np.float64))
    trace = float(np.mean(noise * (moved - restored), dtype=np.float64)) / _STEP
    return misfit - variance + 2.0 * trace


def best_strength(error: Callable[[float], float]) -> float:
    """The strength with the smallest error(strength).

    The search goes downhill from 1 by factors of 1.6, between 1/4 and 4. The result is the lowest point of
    the parabola in log strength through the best value and its neighbours.
    """
    found = {step: error(_FACTOR**step) for step in (0, 1)}
    way = 1 if found[1] < found[0] else -1
    step = max(way, 0)
    while abs(step) < _FARTHEST:
        step += way
        found[step] = error(_FACTOR**step)
        if found[step] >= found[step - way]:
            break
    best = min(found, key=lambda step: found[step])
    if best - 1 not in found or best + 1 not in found:
        return float(_FACTOR**best)
    curve = np.polyfit((-1, 0, 1), [found[best + side] for side in (-1, 0, 1)], 2)
    return float(_FACTOR ** (best - curve[1] / (2.0 * curve[0])))


def choose_strength(
    restorer: Restorer, pixels: Floats, sigma: float, model: NoiseModel | None = None
) -> float:
    """The strength with the smallest expected error for denoising pixels (H, W, C).

    Args:
        restorer: The prior and its settings.
        pixels: (H, W, C) on [0,1]. Only the middle of the picture is used.
        sigma: Noise level.
        model: A model of the noise; None for white noise.
    """
    pixels = without_copies(pixels)
    top, left = (max(0, (size - _SIDE) // 2) for size in pixels.shape[:2])
    y = np.ascontiguousarray(pixels[top : top + _SIDE, left : left + _SIDE], np.float32)
    noise, variance = _draw(y, sigma, model)
    task = Denoising(noise=model)

    def error(strength: float) -> float:
        def restore(z: Floats) -> Floats:
            return restorer.restore(z, task, sigma, strength=strength).pixels

        return expected_error(restore, y, noise, variance)

    return best_strength(error)


def _draw(y: Floats, sigma: float, model: NoiseModel | None) -> tuple[Floats, float]:
    """Noise like that of y (H, W, C), and its mean variance."""
    if model is None:
        return add_gaussian_noise(np.zeros_like(y), sigma, seed=0), sigma**2
    batch = torch.from_numpy(y.transpose(2, 0, 1).copy())[None]
    noisy, level = NoiseField([model]).add(batch, sigma, torch.Generator().manual_seed(0))
    noise = (noisy - batch)[0].numpy().transpose(1, 2, 0)
    return np.ascontiguousarray(noise), float(level.square().mean())
