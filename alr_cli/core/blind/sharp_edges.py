"""x = arg min |k * x - y|^2 + lambda |{pixels with grad x != 0}|: the strong edges of a blurred picture

Solved by half-quadratic splitting: h = grad x where |grad x|^2 > lambda / beta and 0 elsewhere, then
x = arg min |k * x - y|^2 + beta |grad x - h|^2 by a Fourier transform, while beta doubles.

Xu, Lu, Xu and Jia, Image smoothing via L0 gradient minimization, SIGGRAPH Asia 2011; Pan, Hu, Su and Yang,
Deblurring text images via L0-regularized intensity and gradient prior, CVPR 2014.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

Plane = NDArray[np.float64]

LAST_BETA = 1e5  # beta begins at twice lambda and stays below this


def sharp_edges(y: Plane, kernel: Plane, weight: float) -> Plane:
    """The derivatives of the sharp picture at its strong edges, and 0 elsewhere.

    Args:
        y: (H, W), the blurred picture on [0,1].
        kernel: (h, w), odd, sum 1.
        weight: lambda.

    Returns:
        (2, H - 1, W - 1), forward differences along x and along y.
    """
    torus = _on_torus(y, max(kernel.shape))
    blur = rfft2(_at_origin(kernel, torus.shape))
    slopes = [rfft2(_at_origin(each, torus.shape)) for each in (_ALONG_X, _ALONG_Y)]
    data, energy = blur.conj() * rfft2(torus), np.abs(blur) ** 2
    roughness = sum(np.abs(slope) ** 2 for slope in slopes)
    x, beta = torus, 2 * weight
    while True:
        edges = _derivatives(x)
        edges = edges * ((edges**2).sum(axis=0) >= weight / beta)
        if beta >= LAST_BETA:
            return np.asarray(edges[:, : y.shape[0] - 1, : y.shape[1] - 1])
        pull = sum(slope.conj() * rfft2(edge) for slope, edge in zip(slopes, edges, strict=True))
        x = irfft2((data + beta * pull) / (energy + beta * roughness), torus.shape)
        beta *= 2


# Kernels that compute forward differences when a picture is convolved with them.
_ALONG_X = np.array([[1.0, -1.0, 0.0]])
_ALONG_Y = _ALONG_X.T


def _derivatives(x: Plane) -> Plane:
    return np.stack([np.roll(x, -1, 1) - x, np.roll(x, -1, 0) - x])


def _at_origin(kernel: Plane, shape: tuple[int, ...]) -> Plane:
    """A kernel on a torus, with its middle at the first pixel."""
    framed = np.zeros(shape)
    framed[: kernel.shape[0], : kernel.shape[1]] = kernel
    return np.roll(framed, (-(kernel.shape[0] // 2), -(kernel.shape[1] // 2)), (0, 1))


def _on_torus(y: Plane, reach: int) -> Plane:
    """The picture with at least `reach` more rows and columns that lead smoothly to its opposite sides."""
    for axis in (0, 1):
        extra = next_fast_len(y.shape[axis] + reach, real=True) - y.shape[axis]
        share = np.arange(1, extra + 1) / (extra + 1)
        first, last = np.take(y, [0], axis), np.take(y, [-1], axis)
        share = share[:, None] if axis == 0 else share[None]
        y = np.concatenate([y, (1 - share) * last + share * first], axis)
    return y
