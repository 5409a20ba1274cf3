"""X(k) = s(k) sum_i x(i) cos(pi k (2 i + 1) / (2 n)): the orthonormal cosine transform over rows and columns

It is what a Fourier transform is on a torus for a picture that ends: a reflection at each border instead of
a jump to the opposite one. Noise whose correlation depends on distance alone is nearly uncorrelated in it.
Computed from a Fourier transform of the same length (Makhoul 1980).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cosine_transform(x: Tensor) -> Tensor:
    """x: (..., H, W) -> its coefficients, like x."""
    return _forward(_forward(x).mT).mT


def inverse_cosine_transform(coefficients: Tensor) -> Tensor:
    """The inverse of `cosine_transform`, and its adjoint."""
    return _inverse(_inverse(coefficients).mT).mT


def _forward(x: Tensor) -> Tensor:
    """Along the last axis. Of a turned frequency k the real part is coefficient k, minus the imaginary part
    coefficient n - k."""
    size = x.shape[-1]
    order = torch.cat([x[..., 0::2], x[..., 1::2].flip(-1)], dim=-1)
    turned = torch.fft.rfft(order).mul_(_turn(size, x))
    rest = turned.imag[..., 1 : (size + 1) // 2].flip(-1).neg()
    return torch.cat([turned.real, rest], dim=-1).mul_(_scale(size, x))


def _inverse(coefficients: Tensor) -> Tensor:
    size, half = coefficients.shape[-1], coefficients.shape[-1] // 2 + 1
    plain = coefficients / _scale(size, coefficients)
    mirrored = torch.nn.functional.pad(plain[..., size - half + 1 :].flip(-1).neg(), (1, 0))
    turned = torch.complex(plain[..., :half].contiguous(), mirrored).mul_(_turn(size, plain).conj())
    order = torch.fft.irfft(turned, n=size)
    result = torch.empty_like(plain)
    result[..., 0::2] = order[..., : (size + 1) // 2]
    result[..., 1::2] = order[..., (size + 1) // 2 :].flip(-1)
    return result


def _turn(size: int, like: Tensor) -> Tensor:
    angle = -math.pi / (2 * size) * torch.arange(size // 2 + 1, dtype=torch.float64)
    turn = torch.polar(torch.ones_like(angle), angle)
    return turn.to(torch.complex128 if like.dtype == torch.float64 else torch.complex64).to(like.device)


def _scale(size: int, like: Tensor) -> Tensor:
    scale = like.new_full((size,), math.sqrt(2.0 / size))
    scale[0] = math.sqrt(1.0 / size)
    return scale
