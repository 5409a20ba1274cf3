"""f = sum_n a_n b_n: the cosines b_n, in opponent colours, of which filters are made

The basis is that of the discrete cosine transform of 7 x 7 pixels without its constant, in each of the
opponent colours, which photographs vary in almost independently.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

SIDE = 7  # of the filters
_CPU = torch.device("cpu")


@cache
def basis(channels: int, device: torch.device = _CPU) -> Tensor:
    """The discrete cosines of 7x7 without the constant, (48, 1, 7, 7); those of each opponent colour in turn,
    (144, 3, 7, 7). Orthonormal."""
    n = np.arange(SIDE)
    cosines = np.cos(np.pi * (n[None] + 0.5) * n[:, None] / SIDE)
    cosines /= np.linalg.norm(cosines, axis=1, keepdims=True)
    planes = np.einsum("ai,bj->abij", cosines, cosines).reshape(-1, SIDE, SIDE)[1:]
    filters = colours(channels).double().numpy()[:, None, :, None, None] * planes[None, :, None]
    return torch.from_numpy(filters.reshape(-1, channels, SIDE, SIDE)).float().to(device)


def colours(channels: int) -> Tensor:
    """Gray, or the opponent colours: their sum, red minus blue, red and blue minus twice green. Orthonormal,
    (C, C), one a row."""
    rows = torch.ones(1, 1) if channels == 1 else torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
    return rows / rows.square().sum(1, keepdim=True).sqrt()


def beginning(channels: int, count: int) -> Tensor:
    """Coefficients of filters to begin with, (count, n): all of gray's basis, then of the colours' as many of
    low frequency; beyond the basis pairs of its neighbours, at a third of the scale."""
    planes = SIDE**2 - 1
    order = sorted(range(planes), key=lambda k: ((k + 1) // SIDE) ** 2 + ((k + 1) % SIDE) ** 2)
    colours = [plane * planes + k for k in order for plane in range(1, channels)]
    eye = torch.eye(channels * planes)
    pairs = 0.3 * (eye + eye.roll(1, 1)) / math.sqrt(2)
    return torch.cat([eye[[*range(planes), *colours]], pairs])[:count]
