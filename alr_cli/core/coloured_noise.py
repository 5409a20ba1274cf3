"""sigma^2 (z - y)^T S^-1 (z - y),  S = D^1/2 C D^1/2: noise that varies between pixels and is correlated

D holds the variance of each pixel and channel. C is the correlation of the noise after division by its
standard deviation; it is diagonal in the cosine transform of the opponent colours (noise/spectrum.py). For
white noise of one level, D = sigma^2 and C = 1, and the term is ||z - y||^2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alr_cli.core.noise.model import NoiseModel
from alr_cli.core.noise.opponent_colours import opponent_matrix
from alr_cli.core.noise.spectrum import on_cosines
from alr_cli.core.numerics.chunks import WHOLE, Piece
from alr_cli.core.numerics.cosines import cosine_transform, inverse_cosine_transform
from alr_cli.core.numerics.reductions import squared_norm, total

_SMOOTH = 2.0  # pixels: of the Gaussian filter that estimates the picture without noise
_GRID = 64  # frequencies in each direction, over which a spectrum is averaged
_GAIN_POWER = 0.12
_NO_CORRELATION = 1e-6
_LEAST = 0.25  # smallest deviation of a pixel, relative to the level; larger ratios slow any descent


@dataclass(frozen=True)
class ColouredNoise:
    """The noise of one observation.

    Attributes:
        model: Its correlation.
        deviation: D^1/2 / sigma of each pixel, (B, C, H, W), positive, with mean square 1.
        hidden: (H, W), True where the observation is unknown; None if it is known everywhere.
    """

    model: NoiseModel
    deviation: Tensor
    hidden: Tensor | None = None

    @property
    def white(self) -> bool:
        """Whether no two pixels or channels share noise, so that only its level differs between pixels."""
        rest = self.model.correlation.copy()
        rest[..., 0, 0] -= np.eye(self.model.channels)
        return bool(np.abs(rest).max() < _NO_CORRELATION)

    @property
    def known_deviation(self) -> Tensor:
        """`deviation`, and infinite where the observation is unknown."""
        return self.deviation if self.hidden is None else self.deviation.masked_fill(self.hidden, torch.inf)


def coloured_noise(y: Tensor, model: NoiseModel) -> ColouredNoise:
    """The noise of a picture y (B, C, H, W) on [0,1], with its brightness taken from local means.

    Raises ValueError for a model without noise, or with other channels.
    """
    if y.shape[1] == 1:
        model = model.of_one_channel()
    elif model.channels == 1:
        model = model.of_equal_channels(y.shape[1])
    levels = torch.from_numpy(_levels(y.detach().cpu().numpy(), model)).to(y)
    usual = levels.square().mean().sqrt()
    if not usual > 0:
        raise ValueError("a noise model without noise")
    return ColouredNoise(model, (levels / usual).clamp_min(_LEAST))


def level_of(y: NDArray[np.floating], model: NoiseModel) -> float:
    """The root mean square of the noise of a picture (H, W, C) according to its model."""
    return float(np.sqrt(np.mean(_levels(y.transpose(2, 0, 1)[None], model) ** 2)))


def _levels(y: NDArray[np.floating], model: NoiseModel) -> NDArray[np.floating]:
    """sigma_c at the local means of y (B, C, H, W)."""
    from scipy.ndimage import gaussian_filter  # its import takes as long as a third of torch's

    smooth = np.stack([[gaussian_filter(plane, _SMOOTH) for plane in picture] for picture in y])
    return np.stack([model.sigma_at(picture.transpose(1, 2, 0)).transpose(2, 0, 1) for picture in smooth])


def gain(model: NoiseModel) -> float:
    """The factor for lambda(sigma), which was fitted to white noise of the same variance.

    It is smaller, the more the noise is concentrated in few frequencies and colours. The exponent was fitted
    to many kinds of noise (docs/noise.md).
    """
    share = 1.0 / float(on_cosines(model, (_GRID, _GRID)).square().mean())
    return float(share**_GAIN_POWER)


@dataclass(frozen=True)
class ColouredGaussian:
    """A DataTerm in units of the squared error, for all channels of a picture at once.

    Attributes:
        y: (B, C, H, W).
        deviation: As in `ColouredNoise`, and infinite where the observation is unknown.
        precision: (C, H, W), C^-1 at each opponent colour and frequency, positive.
        clipped: Whether pixels at 0 and 1 are treated as clipped, so that z beyond them has no misfit.
    """

    y: Tensor
    deviation: Tensor
    precision: Tensor
    clipped: bool = False

    @classmethod
    def of(cls, y: Tensor, noise: ColouredNoise, clipped: bool = False) -> ColouredGaussian:
        shape = y.shape[-2], y.shape[-1]
        return cls(y, noise.known_deviation, 1.0 / on_cosines(noise.model, shape).to(y), clipped)

    def value_and_grad(self, z: Tensor, piece: Piece = WHOLE) -> tuple[Tensor, Tensor]:
        """z: (B, C, H, W), or some pictures of it -> (value (B,), gradient like z)."""
        y, deviation = self.y[piece], self.deviation[piece]
        residual = z - y
        if self.clipped:
            residual[((y >= 1.0) & (residual > 0.0)) | ((y <= 0.0) & (residual < 0.0))] = 0.0
        weighed = _filtered(residual / deviation, self.precision).div_(deviation)
        return total(residual * weighed), weighed.mul_(2.0)

    @property
    def curvature(self) -> float:
        """See `data_terms.HasCurvature`; a bound."""
        return float(self.precision.max()) / float(self.deviation.min()) ** 2

    def proximal(self, v: Tensor, step: Tensor, tol: float = 1e-3, limit: int = 100) -> Tensor:
        """arg min over z of ||z - v||^2 / 2 + step / 2 times this term, with the shape of v (B, C, H, W).

        Clipped pixels that v places beyond their bound have no misfit. If all deviations are one, it is one
        division in the cosine transform. Otherwise it is computed by conjugate gradients, preconditioned by
        that division, until the residual has fallen to `tol`.

        Args:
            v: (B, C, H, W).
            step: (B,).
            tol: Relative to v - y.
            limit: The largest number of steps.
        """
        residual = v - self.y
        if self.clipped:
            residual[((self.y >= 1.0) & (residual > 0.0)) | ((self.y <= 0.0) & (residual < 0.0))] = 0.0
        beyond = v - self.y - residual
        t = _each(step)
        usual = self.deviation.square().reciprocal().mean().rsqrt()
        damping = 1.0 / (1.0 + t * self.precision / usual**2)
        change = torch.zeros_like(v)
        enough = tol**2 * squared_norm(residual)
        direction, power = torch.zeros_like(v), None
        for _ in range(limit):
            if bool((squared_norm(residual) <= enough).all()):
                break
            turned = _filtered(residual, damping)
            before, power = power, total(residual * turned)
            direction = (
                turned if before is None else turned + _each(power / before.clamp_min(1e-30)) * direction
            )
            seen = _filtered(direction / self.deviation, self.precision).div_(self.deviation)
            image = direction + t * seen
            length = _each(power / total(direction * image).clamp_min(1e-30))
            change, residual = change + length * direction, residual - length * image
        return change.add_(self.y).add_(beyond)


def _each(values: Tensor) -> Tensor:
    """(B,) -> (B, 1, 1, 1)."""
    return values.reshape(-1, 1, 1, 1)


def _filtered(x: Tensor, weights: Tensor) -> Tensor:
    """x (B, C, H, W), with the cosine transforms of its opponent colours multiplied by weights (C, H, W), or
    (B, C, H, W)."""
    result = torch.zeros_like(x)
    mixing = torch.from_numpy(opponent_matrix(x.shape[1])).to(x)
    for number, opponent in enumerate(mixing):  # one by one, to save memory
        seen = cosine_transform(torch.einsum("c,bchw->bhw", opponent, x)) * weights[..., number, :, :]
        result += opponent[:, None, None] * inverse_cosine_transform(seen)[:, None]
    return result
