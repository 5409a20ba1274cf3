"""y = A x + eps with A the ray transform: a slice from its sinogram, by three methods    (eq. 1 and 4)

ours  x = arg min_{x >= 0} ||A x - y||^2 / N + lambda R(x) / N, R a learned prior;
tv    x = arg min_{x >= 0} ||A x - y||^2 + lambda sum |grad x|;
fbp   filtered backprojection.

A prior is for pictures on [0,1] and noise per pixel. The slice is therefore divided by its range, and A and y
by the root mean square that a pixel contributes to y. Noise of level sigma then weighs against a pixel as it
does in denoising, whatever the geometry, so that lambda(sigma) for denoising can be used unchanged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alr_cli.core import problems
from alr_cli.core.noise.sinogram import estimate_noise
from alr_cli.core.numerics import devices
from alr_cli.core.operators.compose import Compose
from alr_cli.core.operators.fbp import Window, fbp
from alr_cli.core.operators.geometry import Geometry
from alr_cli.core.operators.pixels import Crop
from alr_cli.core.operators.ray import RayTransform, check_memory
from alr_cli.core.problems import Problem
from alr_cli.core.restoration import Callback, Step
from alr_cli.core.restore import Restorer
from alr_cli.core.solvers.primal_dual import total_variation
from alr_cli.core.tasks import Task
from alr_cli.errors import NonFiniteError

Method = Literal["ours", "tv", "fbp"]
Floats = NDArray[np.float32]

_TV_ITERATIONS = 200
_LOUDEST = 2.0  # the highest noise level for which lambda is evaluated
_HIGH_QUANTILE, _HIGH_LEVEL = 0.995, 0.54  # of the pixels of a slice on [0,1]; the mean over CT slices
# lambda of tv is the first number times sigma to the power of the second; see docs/guides/tomography.md
_TV = 3.6, 1.3


@dataclass(frozen=True)
class Scanning(Task):
    """A task (see tasks.py) whose observation is a sinogram, scaled as by `RayTransform.per_pixel`."""

    operator: RayTransform
    name: ClassVar[str] = "reconstruct"

    def observe(self, x: Tensor) -> Tensor:
        return self.operator.forward(x)

    def problem(self, y: Tensor, margin: int, sigma: float) -> Problem:
        height, width = frame = self.operator.input_shape
        beyond = Crop((height + 2 * margin, width + 2 * margin), margin)

        def begin() -> Tensor:
            return problems.extend(self.start(y), margin)

        operator = Compose(self.operator, beyond)
        return Problem(operator, y, begin, frame, clips=False, bounds=(0.0, math.inf), rays=True)

    def start(self, y: Tensor, window: Window = "hann") -> Tensor:
        """Filtered backprojection, with negative values set to 0."""
        return fbp(y / self.operator.scale, self.operator.geometry, window).clamp_min_(0.0)

    def level(self, sigma: float) -> float:
        return min(sigma, _LOUDEST)

    def finish(self, restored: Floats, y: Floats, sigma: float) -> Floats:
        return np.maximum(restored, 0)


@dataclass(frozen=True)
class Slice:
    """A reconstructed slice and how it was computed.

    Attributes:
        pixels: (H, W) float32, in units of the sinogram per pixel.
        sigma: The noise level, in units of the sinogram.
        residual: Root mean square of A x - y, in units of the sinogram, to be compared with sigma.
        range: The value that was scaled to 1.
        iterations: Number of iterations.
        stop: Why the descent stopped.
        lam: The lambda that was used.
        energy, data_term, regularizer: As in energy.py for the scaled problem; None if there is none.
    """

    pixels: Floats
    sigma: float
    residual: float
    range: float
    iterations: int
    stop: str
    lam: float | None = None
    energy: float | None = None
    data_term: float | None = None
    regularizer: float | None = None


@dataclass(frozen=True)
class Reconstructor:
    """A method for any number of sinograms.

    Attributes:
        method: "ours", "tv" or "fbp".
        restorer: For ours: the prior and its settings.
        strength: Factor of the usual lambda of tv.
        lam: Replaces lambda of tv.
        iterations: Number of iterations of tv; None for the usual number.
        window: Window of the filter of fbp.
        device: The device for tv.
    """

    method: Method
    restorer: Restorer | None = None
    strength: float = 1.0
    lam: float | None = None
    iterations: int | None = None
    window: Window = "ram-lak"
    device: str = "auto"

    def reconstruct(
        self,
        sinogram: Floats,
        geometry: Geometry,
        sigma: float | None = None,
        range: float | None = None,
        callback: Callback | None = None,
    ) -> Slice:
        """Reconstruct a slice.

        Args:
            sinogram: (angles, detectors), line integrals in pixels of the slice.
            geometry: The geometry of the scan.
            sigma: Noise level of the sinogram; None estimates it.
            range: Largest value of the slice; None estimates it.
            callback: Called at the start and after each iteration.

        Raises:
            UsageError: No ray meets the slice, or the memory is not sufficient.
            AlrError: Any error of `Restorer`.
        """
        check_memory(geometry)
        sigma = estimate_noise(sinogram) if sigma is None else sigma
        if self.method == "fbp":
            return self._finished(self._by_fbp(sinogram, geometry), sinogram, geometry, sigma, 1.0)
        task = Scanning(RayTransform(geometry).per_pixel())
        range = usual_range(sinogram, geometry) if range is None else range
        y = sinogram * np.float32(task.operator.scale / range)
        level = sigma * task.operator.scale / range
        if self.method == "tv":
            found = self._by_tv(y, task, level, callback)
        else:
            found = self._by_prior(y, task, level, callback)
        pixels = found.pixels * np.float32(range)
        return self._finished(replace(found, pixels=pixels), sinogram, geometry, sigma, range)

    def _by_fbp(self, sinogram: Floats, geometry: Geometry) -> Slice:
        pixels = fbp(torch.from_numpy(sinogram), geometry, self.window).numpy()
        return Slice(pixels, sigma=0.0, residual=0.0, range=1.0, iterations=0, stop="direct")

    def _by_prior(self, y: Floats, task: Scanning, level: float, callback: Callback | None) -> Slice:
        if self.restorer is None:
            raise ValueError("ours needs a restorer")
        found = self.restorer.restore(y[..., None], task, level, callback)
        return Slice(
            found.pixels[..., 0],
            sigma=0.0,
            residual=0.0,
            range=1.0,
            iterations=found.iterations,
            stop=found.stop,
            lam=found.lam,
            energy=found.energy,
            data_term=found.data_term,
            regularizer=found.regularizer,
        )

    def _by_tv(self, y: Floats, task: Scanning, level: float, callback: Callback | None) -> Slice:
        device = devices.choose(self.device)
        seen = torch.from_numpy(y)[None, None].to(device)
        lam = self.lam if self.lam is not None else self.strength * tv_lam(level)
        limit = _TV_ITERATIONS if self.iterations is None else self.iterations
        size = math.prod(task.operator.input_shape)
        for number, step in enumerate(total_variation(task.operator, seen, lam, task.start(seen), limit)):
            data, variation = float(step.data) / size, float(step.variation) / size
            energy = data + lam * variation
            if not math.isfinite(energy):
                raise NonFiniteError(
                    "the computation gave numbers that are not finite: check the sinogram, or lower --lam"
                )
            if callback is not None:
                callback(Step(number, limit, energy, data, variation, partial(_picture, step.x)))
        return Slice(
            _picture(step.x)[..., 0],
            sigma=0.0,
            residual=0.0,
            range=1.0,
            iterations=limit,
            stop="max_iter",
            lam=lam,
            energy=energy,
            data_term=data,
            regularizer=variation,
        )

    def _finished(
        self, found: Slice, sinogram: Floats, geometry: Geometry, sigma: float, range: float
    ) -> Slice:
        seen = RayTransform(geometry).forward(torch.from_numpy(found.pixels)).numpy()
        if not np.isfinite(found.pixels).all():
            raise NonFiniteError("the slice is not finite: check the sinogram and the geometry")
        residual = math.sqrt(float(np.mean((seen.astype(np.float64) - sinogram) ** 2)))
        return replace(found, sigma=sigma, residual=residual, range=range)


def tv_lam(level: float) -> float:
    """lambda of total variation for noise of this level per pixel."""
    factor, power = _TV
    return factor * math.pow(max(level, 1e-6), power)


def usual_range(sinogram: Floats, geometry: Geometry) -> float:
    """The value of the brightest part of a slice, from a smooth filtered backprojection.

    A prior sees the slice divided by it. It is 1 if there is nothing bright.
    """
    rough = fbp(torch.from_numpy(sinogram)[None, None], geometry, "hann")
    smooth = torch.nn.functional.avg_pool2d(rough, 3, 1, 1, count_include_pad=False)
    bright = float(np.quantile(smooth.numpy(), _HIGH_QUANTILE))
    return bright / _HIGH_LEVEL if bright > 0 and math.isfinite(bright) else 1.0


def _picture(x: Tensor) -> Floats:
    """(1, 1, H, W) -> (H, W, 1)."""
    return np.asarray(x[0, 0, ..., None].cpu().numpy())
