"""X(k) = s(k) sum_i x(i) cos(pi k (2 i + 1) / (2 n)): the orthonormal cosine transform over rows and columns

It corresponds to a Fourier transform of a picture that is reflected at its borders, instead of one that jumps
to the opposite border. Noise whose correlation depends only on distance is nearly uncorrelated in it. It is
computed by a Fourier transform of the same length (Makhoul 1980).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cosine_transform(x: Tensor) -> Tensor:
    """The coefficients of x (..., H, W), with the shape of x."""
    return _forward(_forward(x).mT).mT


def inverse_cosine_transform(coefficients: Tensor) -> Tensor:
    """The inverse of `cosine_transform`, which is also its adjoint."""
    return _inverse(_inverse(coefficients).mT).mT


def _forward(x: Tensor) -> Tensor:
    """Transform the last axis.

    The real part of rotated frequency k is coefficient k, and minus its imaginary part is coefficient n - k.
    """
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
