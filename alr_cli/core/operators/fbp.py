"""x = sum_a w_a B_a (h * y_a): filtered backprojection with the ramp filter h and the backprojection B_a

Kak and Slaney (1988), ch. 3. The filter is sampled in space and not in frequency, so that its mean is right
(Ramachandran and Lakshminarayanan 1971). Hann's window attenuates its high frequencies. The views of a fan
are weighted by the cosine before filtering and by the squared distance from the source after it.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alr_cli.core.numerics.fast_lengths import fast_length
from alr_cli.core.operators.geometry import Geometry, direction

Window = Literal["ram-lak", "hann"]
_UNSEEN = 2.0  # times the second widest angle between views; a wider gap was not scanned


def fbp(y: Tensor, geometry: Geometry, window: Window = "ram-lak") -> Tensor:
    """Filtered backprojection. It is exact in the limit of many views over half a turn (a whole turn for a
    fan).

    Args:
        y: (..., angles, detectors), line integrals in pixels of the slice.
        geometry: The geometry of the scan.
        window: The window of the filter.

    Returns:
        The slices (..., H, W).
    """
    planes = y.reshape(-1, *geometry.shape)
    fan = geometry.fan
    positions, pitch = geometry.positions, geometry.pitch
    if fan is not None:  # as if the detectors were at the rotation axis
        positions, pitch = positions / fan.magnification, pitch / fan.magnification
        planes = planes * torch.from_numpy(fan.source / np.hypot(fan.source, positions)).to(planes)
    filtered = _filtered(planes, window) / pitch
    x = torch.zeros(len(planes), geometry.size[0] * geometry.size[1], dtype=y.dtype, device=y.device)
    across, up = _pixels(geometry)
    for number, weight in enumerate(_weights(geometry)):
        cosine, sine = direction(geometry.angles[number])
        place = cosine * across + sine * up
        if fan is None:
            factor: float | NDArray[np.float64] = weight
        else:
            magnification = fan.source / np.maximum(fan.source - sine * across + cosine * up, 1e-9)
            place = place * magnification
            factor = weight * magnification**2
        x += _read(filtered[:, number], (place - positions[0]) / pitch) * torch.as_tensor(factor).to(x)
    return x.reshape(*y.shape[:-2], *geometry.size)


def _filtered(y: Tensor, window: Window) -> Tensor:
    """h * y along the last dimension, with h for detectors at distance 1."""
    count = y.shape[-1]
    size = fast_length(2 * count)
    n = np.fft.fftfreq(size, 1 / size).round()
    with np.errstate(divide="ignore"):
        h = np.where(n % 2 == 1, -1 / (math.pi * n) ** 2, 0.0)
    h[0] = 0.25
    response = np.fft.rfft(h).real
    if window == "hann":
        response *= 0.5 + 0.5 * np.cos(2 * np.pi * np.fft.rfftfreq(size))
    spectrum = torch.fft.rfft(y, n=size) * torch.from_numpy(response).to(y)
    smoothed: Tensor = torch.fft.irfft(spectrum, n=size)
    return smoothed[..., :count]


def _weights(geometry: Geometry) -> NDArray[np.float64]:
    """The weight of each view, (angles,): half the angle between its neighbours.

    The weights add up to half a turn, or less for an incomplete scan.
    """
    turn = math.pi if geometry.fan is None else 2 * math.pi
    angles = np.mod(geometry.angles, turn)
    order = np.argsort(angles)
    gaps = np.diff(np.append(angles[order], angles[order[0]] + turn))  # the gap after each view
    if len(gaps) > 1:
        second, largest = np.argsort(gaps)[-2:]
        if gaps[largest] > _UNSEEN * gaps[second]:
            gaps[largest] = np.delete(gaps, largest).mean()
    weights = np.empty_like(gaps)
    weights[order] = (gaps + np.roll(gaps, 1)) / 2
    return weights * (math.pi / turn)


def _pixels(geometry: Geometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(x, y) of the centres of all pixels, row by row."""
    height, width = geometry.size
    x = np.arange(width) - (width - 1) / 2
    y = (height - 1) / 2 - np.arange(height)
    return np.tile(x, height), np.repeat(y, width)


def _read(row: Tensor, place: NDArray[np.float64]) -> Tensor:
    """Linear interpolation of (B, detectors) at positions counted in detectors from 0, and 0 outside: (B,
    positions)."""
    last = row.shape[-1] - 1
    inside = (place >= 0) & (place <= last)
    left = np.clip(np.floor(place), 0, max(0, last - 1)).astype(np.int64)
    share = torch.from_numpy(np.where(inside, place - left, 0.0)).to(row)
    known = torch.from_numpy(inside).to(row)
    index = torch.from_numpy(left).to(row.device)
    right = torch.clamp(index + 1, max=last)
    return known * ((1 - share) * row[:, index] + share * row[:, right])
