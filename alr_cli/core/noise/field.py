"""g = F^-1 [ S(f)^(1/2) F z ], z white: Gaussian fields with a given correlation; noise drawn from a model

S(f) = sum_d rho(d) cos(2 pi f d) is a C x C matrix at each frequency of a torus. The torus is larger than the
picture by the longest lag, so that opposite borders are not correlated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from alr_cli.core.noise.model import NoiseModel


class NoiseField:
    """Draws noise from one of several models, chosen at random for each picture of a batch.

    Only the shape of sigma(brightness) is taken from a model. The strength of the noise is a parameter.
    """

    def __init__(self, models: Sequence[NoiseModel]) -> None:
        if not models or any(model.nominal == 0 for model in models):
            raise ValueError("there is no noise model to draw from, or one without any noise")
        self.channels = models[0].channels
        self.lags = models[0].correlation.shape[-1]
        self._correlation = torch.from_numpy(np.stack([model.correlation for model in models]))
        shapes = np.stack([model.sigma / model.nominal for model in models])
        self._sigma = torch.from_numpy(shapes).float()  # (M, C, K)
        self._roots: dict[tuple[int, int], Tensor] = {}

    def add(self, clean: Tensor, sigma: Tensor | float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Add noise to clean pictures (B, C, H, W) on [0,1].

        sigma is the nominal level, a number or (B,). Returns the noisy pictures and the level of each pixel,
        both with the shape of `clean`.
        """
        chosen = torch.randint(len(self._sigma), (len(clean),), generator=generator)
        nominal = torch.as_tensor(sigma, dtype=clean.dtype).reshape(-1, 1, 1, 1)
        level = nominal * self._levels(clean, chosen)
        return clean + level * self._unit(clean.shape, chosen, generator), level

    def unit(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """g: (B, C, H, W), with variance 1."""
        chosen = torch.randint(len(self._sigma), (shape[0],), generator=generator)
        return self._unit(torch.Size(shape), chosen, generator)

    def _levels(self, clean: Tensor, chosen: Tensor) -> Tensor:
        """sigma_c(x), linear between the knots, by the model chosen for each picture."""
        table = self._sigma[chosen].flatten(2)  # (B, C, K)
        place = clean.clamp(0.0, 1.0).flatten(2) * (table.shape[2] - 1)
        below = place.long().clamp_max(table.shape[2] - 2)
        low, high = table.gather(2, below), table.gather(2, below + 1)
        levels: Tensor = low + (place - below) * (high - low)
        return levels.reshape(clean.shape)

    def _unit(self, shape: torch.Size, chosen: Tensor, generator: torch.Generator) -> Tensor:
        torus = (shape[2] + self.lags, shape[3] + self.lags)
        if torus not in self._roots:
            self._roots[torus] = self._root(*torus)
        white = torch.fft.rfft2(torch.randn(*shape[:2], *torus, generator=generator))
        mixed = torch.einsum("bhwcd,bdhw->bchw", self._roots[torus][chosen].to(white.dtype), white)
        field: Tensor = torch.fft.irfft2(mixed, s=torus)
        return field[..., : shape[2], : shape[3]].contiguous()

    def _root(self, height: int, width: int) -> Tensor:
        """S^(1/2): (M, height, width // 2 + 1, C, C), with variance 1 in each channel."""
        rows = _cosines(torch.fft.fftfreq(height, dtype=torch.float64), self.lags)
        columns = _cosines(torch.fft.rfftfreq(width, dtype=torch.float64), self.lags)
        density = torch.einsum("mabyx,hy,wx->mhwab", self._correlation, rows, columns)
        values, vectors = torch.linalg.eigh(density)
        values = values.clamp_min(0.0)  # a truncated correlation is not exactly a possible one
        density = vectors @ torch.diag_embed(values) @ vectors.mT
        # each also represents its conjugate
        weight = torch.full((density.shape[2],), 2.0, dtype=torch.float64)
        weight[0] = 1.0
        if width % 2 == 0:
            weight[-1] = 1.0
        variance = torch.einsum("mhwaa,w->ma", density, weight) / (height * width)
        root = vectors @ torch.diag_embed(values.sqrt()) @ vectors.mT
        unit: Tensor = root / variance.clamp_min(1e-12).sqrt()[:, None, None, :, None]
        return unit.float()


def _cosines(frequencies: Tensor, lags: int) -> Tensor:
    """(n, L): the contribution of rho at a lag and at its negative to the density at each frequency."""
    twice = torch.full((lags,), 2.0, dtype=torch.float64)
    twice[0] = 1.0
    return twice * torch.cos(2 * torch.pi * frequencies[:, None] * torch.arange(lags, dtype=torch.float64))
