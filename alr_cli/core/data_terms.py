"""-2 sigma^2 log p(y | z): what an observation y says about z = A x, in units of the squared error

SquaredError      ||z - y||^2: Gaussian noise of one level.
ClippedGaussian   y = clip(z + sigma e, 0, 1), e ~ N(0, 1): the squared error inside, log Phi at the ends.
UnevenGaussian    either of them, where the level of the noise differs between pixels.
RoundedOff        y = z rounded to steps of known width: the squared error, and more of it beyond half a step.

A file stores no values outside of [0,1]. A pixel at 1 only says "at least 1", and a pixel at 0 "at most 0".
To take these values literally pulls highlights and shadows towards gray; at sigma 0.4 this alone limits every
method to 23.6 dB. The likelihood of a clipped Gaussian (Tobin 1958) is log-concave, and smooth in z.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from alr_cli.core.numerics.chunks import WHOLE, Piece, bands
from alr_cli.core.numerics.reductions import squared_norm, total

_LEAST = 1e-6  # smallest sigma; with less, u^2 overflows
_FAR = -10.0
_AT_ONCE = 500_000  # numbers in one chunk; several intermediate results exist at once


class DataTerm(Protocol):
    """A negative log-likelihood of the observation given z = A x, up to scale."""

    def value_and_grad(self, z: Tensor, piece: Piece = WHOLE) -> tuple[Tensor, Tensor]:
        """The value for each picture, and the gradient.

        z is the given piece of (B, C, H, W). The value is a sum over the pixels and channels of the piece;
        the gradient has the shape of z.
        """
        ...


@runtime_checkable
class HasProximal(Protocol):
    """A data term whose proximal map is known if A is the identity."""

    def proximal(self, v: Tensor, step: Tensor, tol: float = 1e-3) -> Tensor:
        """arg min over z of ||z - v||^2 / 2 + step / 2 times this term: (B, C, H, W), (B,) -> like v.

        An iteration ends once its residual is at most `tol` times its initial one.
        """
        ...


@runtime_checkable
class HasCurvature(Protocol):
    """A data term that is steeper than the squared error.

    Attributes:
        curvature: Its largest curvature relative to that of the squared error.
    """

    @property
    def curvature(self) -> float: ...


@dataclass(frozen=True)
class SquaredError:
    """||z - y||^2 summed for each picture: Gaussian noise of one known level."""

    y: Tensor

    def value_and_grad(self, z: Tensor, piece: Piece = WHOLE) -> tuple[Tensor, Tensor]:
        difference = z - self.y[piece]
        return squared_norm(difference), difference.mul_(2.0)


@dataclass(frozen=True)
class RoundedOff:
    """||z - y||^2 + w ||max(0, |z - y| - h)||^2: rounding errors, which have a variance and a limit.

    The likelihood of rounding is constant within half a step and zero beyond it. With a constant data term, R
    would smooth away everything the steps leave open, so a squared error of the same variance is used. Beyond
    half a step it increases faster, but smoothly, so that gradients keep one scale.

    Attributes:
        y: (B, C, H, W).
        half: h, half a step, in units of y.
        beyond: w.
    """

    y: Tensor
    half: float
    beyond: float = 8.0

    def value_and_grad(self, z: Tensor, piece: Piece = WHOLE) -> tuple[Tensor, Tensor]:
        """As in `DataTerm`."""
        difference = z - self.y[piece]
        over = difference - difference.clamp(-self.half, self.half)
        value = squared_norm(difference) + self.beyond * squared_norm(over)
        return value, difference.add_(over, alpha=self.beyond).mul_(2.0)


@dataclass(frozen=True)
class ClippedGaussian:
    """The likelihood of an observation that was cut off at 0 and 1.

    y: (B, C, H, W) on [0,1].  sigma: of the noise before clipping, positive.
    """

    y: Tensor
    sigma: float

    def value_and_grad(self, z: Tensor, piece: Piece = WHOLE) -> tuple[Tensor, Tensor]:
        """As in `DataTerm`."""
        y = self.y[piece]
        value, gradient = z.new_zeros(z.shape[0]), torch.empty_like(z)
        for band in bands(z, _AT_ONCE):
            sigma = z.new_full((1,), max(self.sigma, _LEAST)).expand_as(z[band])
            part, gradient[band] = _of_pixels(z[band], y[band], sigma)
            value += total(part)
        return value, gradient


@dataclass(frozen=True)
class UnevenGaussian:
    """||(z - y) / d||^2: white noise of level sigma d, where d differs between pixels.

    Attributes:
        y: (B, C, H, W).
        deviation: d, (B, C, H, W), positive, and infinite where the observation is unknown.
        sigma: The level for d = 1.
        clipped: Whether y was cut off at 0 and 1, as in `ClippedGaussian`.
    """

    y: Tensor
    deviation: Tensor
    sigma: float
    clipped: bool = False

    def value_and_grad(self, z: Tensor, piece: Piece = WHOLE) -> tuple[Tensor, Tensor]:
        """As in `DataTerm`."""
        y, deviation = self.y[piece], self.deviation[piece]
        weight = deviation.square().reciprocal()
        if not self.clipped:
            difference = z - y
            return total(weight * difference.square()), difference.mul_(2.0).mul_(weight)
        level = (self.sigma * deviation).clamp(_LEAST, 1.0 / _LEAST)
        value, gradient = _of_pixels(z, y, level)
        return total(weight * value), gradient.mul_(weight)

    @property
    def curvature(self) -> float:
        """See `HasCurvature`."""
        return float(self.deviation.min()) ** -2

    def proximal(self, v: Tensor, step: Tensor, tol: float = 0.0) -> Tensor:
        """See `HasProximal`; exact. Clipped pixels that v places beyond their bound have no misfit."""
        pull = step.reshape(-1, 1, 1, 1) * self.deviation.square().reciprocal()
        y = self.y
        if self.clipped:
            y = torch.where(((y >= 1.0) & (v > y)) | ((y <= 0.0) & (v < y)), v, y)
        return (v + pull * y) / (1.0 + pull)


def _of_pixels(z: Tensor, y: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """-2 sigma^2 log p(y | z) of each clipped pixel, and its gradient. All tensors have the shape of z."""
    difference = z - y
    value, gradient = difference.square(), 2.0 * difference
    for end, sign in ((1.0, 1.0), (0.0, -1.0)):
        at_end = y == end
        if not bool(at_end.any()):
            continue
        level = sigma[at_end]
        u = sign * difference[at_end] / level  # how far z lies beyond the end
        log_share = torch.special.log_ndtr(u)
        value[at_end] = -2.0 * level.square() * log_share
        gradient[at_end] = -2.0 * level * sign * _density_over_share(u, log_share)
    return value, gradient


def _density_over_share(u: Tensor, log_share: Tensor) -> Tensor:
    """phi(u) / Phi(u), with the shape of u.

    Far below 0 both vanish, and their logarithms are too large for the precision of float32, so an asymptotic
    series is used.
    """
    t = -u.clamp_max(_FAR)
    far = t + 1 / t - 2 / t**3 + 10 / t**5
    near = torch.exp(-0.5 * u.square() - log_share) / math.sqrt(2.0 * math.pi)
    return torch.where(u < _FAR, far, near)


def is_clipped(y: Tensor) -> bool:
    """Whether an observation looks clipped at 0 and 1: no pixels lie beyond, and some lie on them."""
    low, high = float(y.min()), float(y.max())
    return low >= 0.0 and high <= 1.0 and (low == 0.0 or high == 1.0)
