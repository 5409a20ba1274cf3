"""f = sum_n a_n b_n: the cosines b_n in opponent colours, from which filters are composed

The basis is that of the discrete cosine transform of 7 x 7 pixels without its constant, in each opponent
colour. Photographs vary almost independently in the opponent colours.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

SIDE = 7  # side of the filters
_CPU = torch.device("cpu")


@cache
def basis(channels: int, device: torch.device = _CPU) -> Tensor:
    """The discrete cosines of 7 x 7 pixels without the constant: (48, 1, 7, 7) for gray.

    For colour (144, 3, 7, 7), one opponent colour after the other. Orthonormal.
    """
    n = np.arange(SIDE)
    cosines = np.cos(np.pi * (n[None] + 0.5) * n[:, None] / SIDE)
    cosines /= np.linalg.norm(cosines, axis=1, keepdims=True)
    planes = np.einsum("ai,bj->abij", cosines, cosines).reshape(-1, SIDE, SIDE)[1:]
    filters = colours(channels).double().numpy()[:, None, :, None, None] * planes[None, :, None]
    return torch.from_numpy(filters.reshape(-1, channels, SIDE, SIDE)).float().to(device)


def colours(channels: int) -> Tensor:
    """The opponent colours as the rows of an orthonormal matrix (C, C).

    They are the sum, red minus blue, and red plus blue minus twice green. For gray the matrix is 1.
    """
    rows = torch.ones(1, 1) if channels == 1 else torch.tensor([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]])
    return rows / rows.square().sum(1, keepdim=True).sqrt()


def initial_filters(channels: int, count: int) -> Tensor:
    """Coefficients of initial filters, (count, n).

    First comes the whole gray basis, then the basis of the other colours in the order of frequency. Beyond
    the basis come pairs of neighbouring cosines, at a third of the scale.
    """
    planes = SIDE**2 - 1
    order = sorted(range(planes), key=lambda k: ((k + 1) // SIDE) ** 2 + ((k + 1) % SIDE) ** 2)
    colours = [plane * planes + k for k in order for plane in range(1, channels)]
    eye = torch.eye(channels * planes)
    pairs = 0.3 * (eye + eye.roll(1, 1)) / math.sqrt(2)
    return torch.cat([eye[[*range(planes), *colours]], pairs])[:count]
