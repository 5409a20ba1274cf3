"""PSNR(x*(lam), x) over a few pictures: what calibration maximises and what training reports"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from alr_cli.core import defaults, problems
from alr_cli.core.data_terms import SquaredError
from alr_cli.core.energy import Energy
from alr_cli.core.noise.field import NoiseField
from alr_cli.core.numerics import devices
from alr_cli.core.priors.protocol import Arithmetic, Prior, Regularizer
from alr_cli.core.solver_options import DEFAULT, SolverOptions
from alr_cli.core.tasks import HELD_LEVEL
from alr_cli.core.training.calibration import LambdaCurve, calibrate, psnr


@dataclass(frozen=True)
class Validation:
    """Denoising of a fixed batch of clean crops with fixed unit noise.

    Attributes:
        clean, noise: (B, C, H, W). At level sigma the observation is clean + sigma * noise, not clipped.
        solver: Its name, or "default" for the usual one of the prior.
        precision: Precision of the convolutions.
        per_picture: Number of consecutive crops that belong to one picture and share one PSNR.
    """

    clean: Tensor
    noise: Tensor
    solver: str = DEFAULT
    precision: torch.dtype = torch.float32
    per_picture: int = 1

    @classmethod
    def from_pictures(
        cls,
        pictures: Sequence[np.ndarray],
        count: int = 6,
        side: int = 96,
        per_picture: int = 2,
        solver: str = DEFAULT,
        precision: torch.dtype = torch.float32,
    ) -> Validation:
        """`per_picture` crops of each of `count` pictures (H, W, C) float32 on [0,1].

        They are spread over the list of pictures, and over each picture. Crops from the centre would not do:
        pictures have more detail there, and a lambda fitted to detail costs whole pictures 0.2 dB.
        """
        count = min(count, len(pictures))
        chosen = [pictures[(index * len(pictures)) // count] for index in range(count)]
        side = min(side, *(min(picture.shape[:2]) for picture in chosen))
        crops = []
        for index, picture in enumerate(np.repeat(np.arange(count), per_picture)):
            pixels = chosen[picture]
            # Weyl sequences of two irrational numbers cover the square evenly.
            top = int((index * 0.7548776662 + 0.5) % 1 * (pixels.shape[0] - side + 1))
            left = int((index * 0.5698402910 + 0.5) % 1 * (pixels.shape[1] - side + 1))
            crops.append(pixels[top : top + side, left : left + side].transpose(2, 0, 1))
        clean = torch.from_numpy(np.stack(crops).astype(np.float32))
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
        return cls(clean, noise, solver, precision, per_picture)

    def smaller(self, pictures: int = 2, side: int = 64) -> Validation:
        """The central parts of the crops of the first pictures, for an approximate fit."""
        count = pictures * self.per_picture
        top, left = (max(0, (size - side) // 2) for size in self.clean.shape[-2:])
        part = (slice(count), ..., slice(top, top + side), slice(left, left + side))
        return replace(self, clean=self.clean[part], noise=self.noise[part])

    def with_noise_of(self, field: NoiseField) -> Validation:
        """The same crops with noise drawn from `field`, in units of its nominal level."""
        noisy, _ = field.add(self.clean, 1.0, torch.Generator().manual_seed(0))
        return replace(self, noise=noisy - self.clean)

    def to(self, device: torch.device) -> Validation:
        """The same on a device, in the usual precision of that device."""
        precision = devices.choose_precision("auto", device)
        clean, noise = self.clean.to(device), self.noise.to(device)
        return replace(self, clean=clean, noise=noise, precision=precision)

    def restore(self, prior: Prior, sigma: float, lam: float) -> Tensor | None:
        """x*(lam) at noise level sigma, (B, C, H, W); None if the descent diverged."""
        problem = problems.denoising(self.clean + sigma * self.noise, prior.margin)
        return self._solved(problem, self._regularizer(prior, sigma), sigma, lam)

    def quality(self, prior: Prior, sigma: float, lam: float) -> float:
        """The mean PSNR over the pictures in dB; -inf if the descent diverged."""
        return self._psnr(self.restore(prior, sigma, lam))

    def filled(self, prior: Prior, share: float) -> float:
        """As `quality`, for crops with this share of missing pixels and no noise. The other pixels are
        held."""
        generator = torch.Generator().manual_seed(0)
        missing = torch.rand(self.clean.shape[-2:], generator=generator) < share
        problem = problems.inpainting(self.clean, missing.to(self.clean.device), prior.margin, exact=True)
        return self._psnr(self._solved(problem, self._regularizer(prior, HELD_LEVEL), sigma=0.0, lam=1.0))

    def _regularizer(self, prior: Prior, sigma: float) -> Regularizer:
        return prior.at(sigma, Arithmetic(precision=self.precision))

    def _solved(
        self, problem: problems.Problem, regularizer: Regularizer, sigma: float, lam: float
    ) -> Tensor | None:
        data, asked = SquaredError(problem.y), SolverOptions(self.solver, watched=False)
        with devices.flushed_denormals():
            solution = defaults.minimise(problem, data, regularizer, lam, sigma, asked)
        return None if solution.stop == "non_finite" else problem.crop(solution.x)

    def _psnr(self, restored: Tensor | None) -> float:
        if restored is None:
            return -math.inf
        return float(psnr(self._whole(restored), self._whole(self.clean)).mean())

    def _whole(self, crops: Tensor) -> Tensor:
        """The crops of each picture stacked vertically: (B, C, H, W) -> (B / k, C, k H, W)."""
        number, channels, height, width = crops.shape
        groups = crops.reshape(-1, self.per_picture, channels, height, width).transpose(1, 2)
        return groups.reshape(number // self.per_picture, channels, -1, width)

    def balance(self, prior: Prior, sigma: float) -> float:
        """||grad data|| / ||grad R|| at the truth (Lunz's rule), the starting value of the calibration."""
        problem = problems.denoising(self.clean + sigma * self.noise, prior.margin)
        truth = problems.extend(self.clean, prior.margin)
        regularizer = self._regularizer(prior, sigma)
        _, data = _energy(regularizer, problem, 0.0).value_and_grad(truth)
        _, both = _energy(regularizer, problem, 1.0).value_and_grad(truth)
        return float(data.norm() / problem.crop(both - data).norm().clamp_min(1e-30))

    def fit(
        self, prior: Prior, sigmas: Sequence[float], fitted: Callable[[float, float], None] | None = None
    ) -> LambdaCurve:
        """lambda(sigma) of a prior. `fitted` is called with every (sigma, lambda) that is found."""
        return calibrate(
            sigmas,
            quality=lambda sigma, lam: self.quality(prior, sigma, lam),
            start=lambda sigma: self.balance(prior, sigma),
            fitted=fitted,
        )


def _energy(regularizer: Regularizer, problem: problems.Problem, lam: float) -> Energy:
    return Energy(problem.operator, SquaredError(problem.y), regularizer, lam, problem.pixels)
